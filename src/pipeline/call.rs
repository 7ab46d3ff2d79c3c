//! What all requests of a job share, and what an attempt leads to: for keys, pages, probes and single calls alike.

use std::time::Duration;

use rand::rngs::StdRng;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::api::Page;
use crate::api::answer::{Answer, Reply, TransientError};
use crate::outcome::{Stop, StopReason, Tally};
use crate::pipeline::attempt::{Attempt, Next, Proof};
use crate::pipeline::circuit_breaker::{Allowance, CircuitBreaker, Health};
use crate::pipeline::max_wait::{MaxWait, PauseOrigin};
use crate::pipeline::retry::{Decision, Failure, RetryPolicy, decide};
use crate::quota::{Budget, Limit, NotYet, Permit, Rate, RateLimitInfo};
use crate::terminal::pluralized;

/// How long to wait before the next try for a permit that another request holds.
const POLL: Duration = Duration::from_millis(10);

/// Retries without a limit: only `--max-wait` ends them.
pub(super) const UNLIMITED: u32 = u32::MAX;

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// The job ends.
    Stop(Stop),
    /// The server refused this one call.
    Refused(Failure),
}

impl From<Stop> for CallError {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// What a listener gets before a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryNotice<'a> {
    /// Why the last attempt failed.
    pub failure: &'a Failure,
    pub wait: Duration,
}

/// Totals of a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records taken from the input, whatever became of them.
    pub records: u64,
    /// Records in each state.
    pub tally: Tally,
    /// Records that an earlier run settled.
    pub resumed: u64,
    /// Keys taken from the input to be sent.
    pub keys: u64,
    pub requests: u64,
    /// Requests for a key that had one before, or for several of which one had, and for a page that had one before.
    pub retries: u64,
    /// Answers with status 429.
    pub throttled: u64,
}

/// What all requests of a job draw on and count into.
#[derive(Debug)]
pub struct ApiCaller {
    pub budget: Budget,
    pub policy: RetryPolicy,
    pub max_wait: MaxWait,
    /// Of the pipeline, or of the single call that is being made.
    pub(super) breaker: CircuitBreaker,
    /// Where jitter comes from.
    pub rng: StdRng,
    pub totals: Totals,
}

/// What a response says of the server's health.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence {
    /// `None` if it means nothing.
    pub(super) health: Option<Health>,
    /// Whether the request was a read, which says nothing about deletes.
    pub(super) read: bool,
    /// Whether the request was sent to see if an outage is over.
    pub(super) probe: bool,
    /// The fewest requests of the job.
    pub(super) requests: u64,
}

impl ApiCaller {
    /// Nothing was sent yet.
    pub fn new(rates: &[Rate], policy: RetryPolicy, max_wait: Duration, rng: StdRng) -> Self {
        Self::with_budget(Budget::new(rates, Instant::now()), policy, max_wait, rng)
    }

    pub(crate) fn with_budget(budget: Budget, policy: RetryPolicy, max_wait: Duration, rng: StdRng) -> Self {
        let (max_wait, breaker) = (MaxWait::new(max_wait), CircuitBreaker::new(1));
        Self { budget, policy, max_wait, breaker, rng, totals: Totals::default() }
    }

    /// Takes in what a response says about the server: its quota, its health, the pause that it asks for, which is returned. The
    /// only place that counts a 429.
    ///
    /// # Errors
    /// The job ends if the pause is longer than `--max-wait`.
    pub(super) fn observe(
        &mut self,
        answer: &Answer,
        rate_limits: &[RateLimitInfo],
        Evidence { health, read, probe, requests }: Evidence,
        permit: &Permit,
        now: Instant,
    ) -> Result<Option<Duration>, Stop> {
        for info in rate_limits {
            self.budget.observe(info, permit, now);
        }
        if health == Some(Health::Up) && !matches!(answer, Answer::Fatal(..)) {
            self.max_wait.succeeded(now);
        } else if let Some(failure) = Failure::temporary(answer) {
            self.max_wait.failed(&failure);
        }
        match health {
            Some(health) if read => self.breaker.observe_read(health, probe, requests, now),
            Some(health) => self.breaker.observe(health, probe, requests, now),
            None if probe && matches!(answer, Answer::ConnectionClosed { .. }) => self.breaker.probe_was_reset(now),
            None if probe => self.breaker.probe_said_nothing(now),
            None => {}
        }
        let Answer::Throttled { pause: asked, .. } = answer else { return Ok(None) };
        self.totals.throttled += 1;
        let pause = self.budget.throttled(permit, *asked, now);
        let origin = if asked.is_some() { PauseOrigin::Asked } else { PauseOrigin::Assumed };
        self.max_wait.refuses(asked.unwrap_or(pause), origin).map_or(Ok(Some(pause)), Err)
    }

    /// Counts an attempt and says what follows from its answer. The only place that applies a [`Decision`]. At most `retries`
    /// failures are retried, but none counts while the server is down.
    pub(super) fn apply(
        &mut self,
        attempt: &mut Attempt,
        answer: Answer,
        retries: u32,
        proof: Proof,
        now: Instant,
    ) -> Next {
        if let Answer::Transient(TransientError::Unexpected(refusal)) = &answer
            && !self.max_wait.has_worked()
        {
            let hint = match refusal.http_status {
                Some(300..400) => "--base-url is not the API's: check it",
                Some(407) => {
                    "put user and password into HTTPS_PROXY (http://USER:PASSWORD@HOST:PORT), or bypass the proxy with NO_PROXY"
                }
                Some(_) => "check --base-url, and proxies and firewalls on the way",
                None => "check the clock, --base-url and the proxy, or name the CA with --cacert",
            };
            let failure = TransientError::Unexpected(refusal.clone()).into();
            let stop = Stop::new(StopReason::UnexpectedResponse, refusal.to_string());
            return Next::Stop(Stop { hint: Some(hint.to_owned()), ..stop }, failure);
        }
        let is_down = self.breaker.is_down();
        let policy = RetryPolicy { retries, ..self.policy };
        let (next, failure) = match decide(answer, attempt.history, &policy, &mut self.rng) {
            Decision::Success => return Next::Success,
            Decision::Stop(stop, failure) => return Next::Stop(stop, proof.failure(failure)),
            Decision::Settle(failure) | Decision::Retry(_, failure) if is_down && failure.is_transient => {
                (Next::AgainLast, failure)
            }
            Decision::Settle(failure) => return Next::Settle(proof.failure(failure)),
            Decision::Retry(wait, failure) => {
                attempt.retry(self.breaker.epoch, retries, wait, now);
                (Next::Again, failure)
            }
            Decision::Resend(failure) => {
                attempt.history.resent += 1;
                (Next::Again, failure)
            }
            Decision::Pause(failure) => (Next::Again, failure),
        };
        attempt.last = Some(Box::new(proof.failure(failure)));
        next
    }

    /// The right to send one request, if it may be sent now.
    ///
    /// # Errors
    /// The job ends if the server's quota is used up for longer than `--max-wait`.
    pub(super) fn take_permit(&mut self, now: Instant) -> Result<Result<Permit, NotYet>, Stop> {
        let permit = self.budget.try_take(now);
        // The length of a pause was checked when the server asked for it.
        if let Err(NotYet::Until(moment, Limit::Server)) = permit
            && self.budget.paused_until(now).is_none()
            && let Some(stop) = self.max_wait.refuses(moment.saturating_duration_since(now), PauseOrigin::QuotaUsedUp)
        {
            return Err(stop);
        }
        self.totals.requests += u64::from(permit.is_ok());
        Ok(permit)
    }

    /// Makes a call until it succeeds, is refused for good, has used up its retries, or `--max-wait` has passed. An outage
    /// costs no retry.
    ///
    /// # Errors
    /// [`CallError`], by which the job may have to stop.
    pub async fn call_with_retry<T>(
        &mut self,
        on_wait: impl FnMut(RetryNotice<'_>),
        call: impl AsyncFn() -> Result<T, Reply>,
    ) -> Result<T, CallError> {
        let value = self.repeat(self.policy.retries, on_wait, |_| &[], call).await?;
        self.max_wait.succeeded(Instant::now());
        Ok(value)
    }

    /// As [`ApiCaller::call_with_retry`] for a page, whose response may name the quota that is left.
    ///
    /// # Errors
    /// [`CallError`], by which the job may have to stop.
    pub async fn fetch_page(
        &mut self,
        on_wait: impl FnMut(RetryNotice<'_>),
        call: impl AsyncFn() -> Result<Page, Reply>,
    ) -> Result<Page, CallError> {
        let page = self.repeat(self.policy.retries, on_wait, |page: &Page| &page.rate_limits, call).await?;
        self.max_wait.succeeded(Instant::now());
        Ok(page)
    }

    /// As [`ApiCaller::call_with_retry`] for the namespace, with no limit but `--max-wait`. That it is found is no progress.
    ///
    /// # Errors
    /// [`CallError`], by which the job may have to stop.
    pub async fn find_namespace<T>(
        &mut self,
        on_wait: impl FnMut(RetryNotice<'_>),
        call: impl AsyncFn() -> Result<T, Reply>,
    ) -> Result<T, CallError> {
        let value = self.repeat(UNLIMITED, on_wait, |_| &[], call).await?;
        self.max_wait.namespace_found();
        Ok(value)
    }

    async fn repeat<T>(
        &mut self,
        retries: u32,
        on_wait: impl FnMut(RetryNotice<'_>),
        rate_limits: impl Fn(&T) -> &[RateLimitInfo],
        call: impl AsyncFn() -> Result<T, Reply>,
    ) -> Result<T, CallError> {
        self.breaker = CircuitBreaker::new(1);
        let result = self.attempts(retries, on_wait, rate_limits, call).await;
        self.max_wait.set_running(false, Instant::now());
        result
    }

    async fn attempts<T>(
        &mut self,
        retries: u32,
        mut on_wait: impl FnMut(RetryNotice<'_>),
        rate_limits: impl Fn(&T) -> &[RateLimitInfo],
        call: impl AsyncFn() -> Result<T, Reply>,
    ) -> Result<T, CallError> {
        let mut attempt = Attempt::default();
        loop {
            let (permit, probe) = self.begin(&mut attempt).await?;
            let result = match self.max_wait.ends_at() {
                Some(end) => timeout_at(end, call()).await.map_err(|_| self.max_wait.over()),
                None => Ok(call().await),
            };
            let now = Instant::now();
            let reply = match result {
                Ok(Err(reply)) => reply,
                Ok(Ok(value)) => {
                    for info in rate_limits(&value) {
                        self.budget.observe(info, &permit, now);
                    }
                    self.budget.give_back(permit, now);
                    return Ok(value);
                }
                Err(stop) => {
                    self.budget.give_back(permit, now);
                    return Err(stop.into());
                }
            };
            let is_replaced = matches!(reply.answer, Answer::TokenReplaced(_));
            let moment = self.again_at(&mut attempt, reply, retries, (permit, probe), now)?;
            if let Some(failure) = attempt.last.as_ref().filter(|_| !is_replaced) {
                on_wait(RetryNotice { failure, wait: moment.saturating_duration_since(now) });
            }
            self.sleep_until(moment).await?;
        }
    }

    /// Waits for a permit; says whether the request is a probe.
    async fn begin(&mut self, attempt: &mut Attempt) -> Result<(Permit, bool), Stop> {
        let permit = self.permit().await?;
        self.totals.retries += u64::from(attempt.sent > 0);
        attempt.sent += 1;
        let now = Instant::now();
        let probe = self.breaker.allowance(now) == Allowance::Probe;
        if probe {
            self.breaker.probe_sent();
        }
        self.max_wait.set_running(true, now);
        Ok((permit, probe))
    }

    /// When the call is made again after this reply.
    fn again_at(
        &mut self,
        attempt: &mut Attempt,
        reply: Reply,
        retries: u32,
        (permit, probe): (Permit, bool),
        now: Instant,
    ) -> Result<Instant, CallError> {
        let health = Health::of(&reply.answer, attempt.history, true);
        let evidence = Evidence { health, read: false, probe, requests: u64::MAX };
        let was_down = self.breaker.is_down();
        let observed = self.observe(&reply.answer, &reply.rate_limits, evidence, &permit, now);
        self.budget.give_back(permit, now);
        observed?;
        if !was_down && self.breaker.is_down() {
            attempt.forgive_failures(self.breaker.epoch);
        }
        match self.apply(attempt, reply.answer, retries, Proof::Named, now) {
            Next::Again | Next::AgainLast => {}
            Next::Stop(stop, _) => return Err(stop.into()),
            Next::Settle(failure) if failure.is_transient => {
                let why = format!("{failure} ({})", pluralized(attempt.sent.into(), "attempt"));
                return Err(Stop::new(StopReason::Outage, why).into());
            }
            Next::Settle(failure) => return Err(CallError::Refused(failure)),
            Next::Success => {
                let failure = Failure::unanswered("a response of another kind".to_owned());
                return Err(CallError::Refused(failure));
            }
        }
        let next_probe = match self.breaker.allowance(now) {
            Allowance::NotBefore(moment) => Some(moment),
            _ => attempt.due,
        };
        Ok(next_probe.into_iter().chain(self.budget.paused_until(now)).max().unwrap_or(now))
    }

    async fn permit(&mut self) -> Result<Permit, Stop> {
        loop {
            let now = Instant::now();
            let moment = match self.take_permit(now)? {
                Ok(permit) => return Ok(permit),
                Err(NotYet::Until(moment, limit)) => {
                    self.max_wait.set_running(limit == Limit::Server, now);
                    moment
                }
                // Nothing else draws on the budget while a call is made, so this one permit is always there.
                Err(NotYet::AnAnswer) => now + POLL,
            };
            self.sleep_until(moment).await?;
        }
    }

    async fn sleep_until(&mut self, moment: Instant) -> Result<(), Stop> {
        let end = self.max_wait.ends_at().filter(|end| *end < moment);
        sleep_until(end.unwrap_or(moment)).await;
        end.map_or(Ok(()), |_| Err(self.max_wait.over()))
    }
}
