//! One request outside the stream of keys, under the same budget, retries, pauses and limits.

use std::time::Duration;

use rand::rngs::StdRng;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::api::answer::{Answer, Reply, TransientError};
use crate::outcome::{Stop, StopReason, Tally};
use crate::pipeline::circuit_breaker::enough_failures;
use crate::pipeline::max_wait::{MaxWait, ServerPause};
use crate::pipeline::retry::{Decision, Failure, History, RetryPolicy, decide};
use crate::quota::{Budget, Limit, NotYet, Permit, Rate};
use crate::terminal::pluralized;

/// How long to wait before a permit is asked for again that another request holds.
const POLL: Duration = Duration::from_millis(10);

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// The job ends.
    Stop(Stop),
    /// The server refused this one call.
    Refused(Failure),
}

/// What a listener hears before a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryNotice<'a> {
    /// What the last attempt came to.
    pub failure: &'a Failure,
    /// How long until the next one.
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
    /// Requests sent.
    pub requests: u64,
    /// Requests for a key that had one before, or for several of which one had, and for a page that had one before.
    pub retries: u64,
    /// Answers with status 429.
    pub throttled: u64,
}

/// What single calls draw on and count into.
#[derive(Debug)]
pub struct ApiCaller {
    /// The rates.
    pub budget: Budget,
    /// How soon and how often a call is repeated.
    pub policy: RetryPolicy,
    /// How long calls may go without success.
    pub max_wait: MaxWait,
    /// Where jitter comes from.
    pub rng: StdRng,
    /// What was sent so far.
    pub totals: Totals,
}

impl ApiCaller {
    /// Nothing was sent yet.
    pub fn new(rates: &[Rate], policy: RetryPolicy, max_wait: Duration, rng: StdRng) -> Self {
        Self::with_budget(Budget::new(rates, Instant::now()), policy, max_wait, rng)
    }

    pub(super) fn with_budget(budget: Budget, policy: RetryPolicy, max_wait: Duration, rng: StdRng) -> Self {
        Self { budget, policy, max_wait: MaxWait::new(max_wait), rng, totals: Totals::default() }
    }

    /// Makes a call until it succeeds, is refused for good, has used up its retries, or `--max-wait` has passed. As many
    /// failures in a row as open the circuit breaker are an outage, which only `--max-wait` ends.
    ///
    /// # Errors
    /// [`CallError`] says whether the job has to stop.
    pub async fn call_with_retry<T, Fut>(
        &mut self,
        on_wait: impl FnMut(RetryNotice<'_>),
        call: impl Fn() -> Fut,
    ) -> Result<T, CallError>
    where
        Fut: Future<Output = Result<T, Reply>>,
    {
        let policy = match self.policy {
            policy if policy.retries >= enough_failures(u64::MAX) => RetryPolicy { retries: u32::MAX, ..policy },
            policy => policy,
        };
        let value = self.repeat(policy, on_wait, call).await?;
        self.max_wait.succeeded(Instant::now());
        Ok(value)
    }

    /// As [`ApiCaller::call_with_retry`] for the namespace, with no limit but `--max-wait`. That it is found is no progress.
    ///
    /// # Errors
    /// [`CallError`] says whether the job has to stop.
    pub async fn find_namespace<T, Fut>(
        &mut self,
        on_wait: impl FnMut(RetryNotice<'_>),
        call: impl Fn() -> Fut,
    ) -> Result<T, CallError>
    where
        Fut: Future<Output = Result<T, Reply>>,
    {
        let policy = RetryPolicy { retries: u32::MAX, ..self.policy };
        let value = self.repeat(policy, on_wait, call).await?;
        self.max_wait.namespace_found();
        Ok(value)
    }

    async fn repeat<T, Fut>(
        &mut self,
        policy: RetryPolicy,
        on_wait: impl FnMut(RetryNotice<'_>),
        call: impl Fn() -> Fut,
    ) -> Result<T, CallError>
    where
        Fut: Future<Output = Result<T, Reply>>,
    {
        let result = self.attempts(policy, on_wait, call).await;
        self.max_wait.set_running(false, Instant::now());
        result
    }

    async fn attempts<T, Fut>(
        &mut self,
        policy: RetryPolicy,
        mut on_wait: impl FnMut(RetryNotice<'_>),
        call: impl Fn() -> Fut,
    ) -> Result<T, CallError>
    where
        Fut: Future<Output = Result<T, Reply>>,
    {
        let mut history = History::default();
        let mut attempts = 0u64;
        loop {
            let permit = self.permit().await.map_err(CallError::Stop)?;
            self.totals.requests += 1;
            self.totals.retries += u64::from(attempts > 0);
            attempts += 1;
            self.max_wait.set_running(true, Instant::now());
            let result = match self.max_wait.ends_at() {
                Some(end) => timeout_at(end, call()).await.ok(),
                None => Some(call().await),
            };
            let now = Instant::now();
            let decision = match result {
                Some(Ok(value)) => {
                    self.budget.give_back(permit, now);
                    return Ok(value);
                }
                None => {
                    self.budget.give_back(permit, now);
                    return Err(CallError::Stop(self.max_wait.over()));
                }
                Some(Err(Reply { answer: Answer::Transient(TransientError::Unexpected(refusal)), .. }))
                    if !self.max_wait.has_worked() =>
                {
                    let why = match refusal.http_status {
                        Some(_) => format!("the response is not the API's: {refusal}"),
                        None => refusal.to_string(),
                    };
                    let failure = TransientError::Unexpected(refusal).into();
                    Decision::Stop(Stop::new(StopReason::UnexpectedResponse, why), failure)
                }
                Some(Err(reply)) => decide(reply.answer, history, &policy, &mut self.rng),
            };
            let failed = match decision {
                Decision::Retry(wait, failure) => {
                    history.failures += 1;
                    Ok((wait, failure))
                }
                Decision::Resend(failure) => {
                    history.resent += 1;
                    Ok((Duration::ZERO, failure))
                }
                Decision::Pause(asked, failure) => match self.throttled(&permit, asked, &failure, now) {
                    Ok(pause) => Ok((pause, failure)),
                    Err(stop) => Err(CallError::Stop(stop)),
                },
                Decision::Stop(stop, _) => Err(CallError::Stop(stop)),
                Decision::Settle(failure) if failure.is_transient => {
                    let why = format!("no successful request after {}: {failure}", pluralized(attempts, "attempt"));
                    Err(CallError::Stop(Stop::new(StopReason::Outage, why)))
                }
                Decision::Settle(failure) => Err(CallError::Refused(failure)),
                Decision::Success => {
                    Err(CallError::Refused(Failure::unanswered("an answer of another kind".to_owned())))
                }
            };
            self.budget.give_back(permit, now);
            let (wait, failure) = failed?;
            self.max_wait.failed(&failure);
            on_wait(RetryNotice { failure: &failure, wait });
            self.sleep_until(now + wait).await.map_err(CallError::Stop)?;
        }
    }

    /// The server wants nobody to send for a while: how long. This is the only place that counts a 429.
    ///
    /// # Errors
    /// The job ends if that is longer than `--max-wait`.
    pub(super) fn throttled(
        &mut self,
        permit: &Permit,
        asked: Option<Duration>,
        failure: &Failure,
        now: Instant,
    ) -> Result<Duration, Stop> {
        self.totals.throttled += 1;
        self.max_wait.failed(failure);
        let pause = self.budget.throttled(permit, asked, now);
        self.max_wait.refuses(ServerPause::after_throttling(asked, pause)).map_or(Ok(pause), Err)
    }

    /// The right to send one request.
    async fn permit(&mut self) -> Result<Permit, Stop> {
        loop {
            let now = Instant::now();
            let moment = match self.budget.try_take(now) {
                Ok(permit) => return Ok(permit),
                Err(NotYet::Until(moment, limit)) => {
                    self.max_wait.set_running(limit == Limit::Server, now);
                    let pause = ServerPause::QuotaUsedUp(moment.saturating_duration_since(now));
                    if let Some(stop) = self.max_wait.refuses(pause).filter(|_| limit == Limit::Server) {
                        return Err(stop);
                    }
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
        match end {
            Some(_) => Err(self.max_wait.over()),
            None => Ok(()),
        }
    }
}
