//! What an answer leads to: a final state, a retry, a pause, the end of the job.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

use super::paging::PageFetch;
use super::{Slot, State};
use crate::api::answer::{Answer, Refusal, Reply, TOO_MANY_BULK_CALLS, TransientError};
use crate::api::{Accounting, BulkReply};
use crate::outcome::{Status, Stop, StopReason};
use crate::pipeline::circuit_breaker::{Allowance, Health};
use crate::pipeline::event::{Event, PauseCause};
use crate::pipeline::options::KeyAction;
use crate::pipeline::request::Response;
use crate::pipeline::retry::{Decision, Failure, History, decide};
use crate::pipeline::task::{DelayedTask, InFlight, KeyTask, Sent, Stage};
use crate::quota::{Permit, RateLimitInfo};

/// Keys whose request was answered.
pub(super) struct Answered {
    pub(super) batch: Vec<KeyTask>,
    pub(super) permit: Permit,
    /// Whether it was sent to see if an outage is over.
    pub(super) probe: bool,
}

/// What the failure of a request proves about its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// It is about the one key, or the server named the key.
    Named,
    /// A bulk call whose response does not account for its keys: each of them may or may not be deleted.
    Unaccounted,
}

impl Proof {
    fn failure(self, failure: Failure) -> Failure {
        match (self, failure.status) {
            (Self::Unaccounted, Status::Failed) => Failure { status: Status::Unknown, ..failure },
            _ => failure,
        }
    }
}

impl State {
    pub fn on_response(&mut self, slot: Slot, response: Response, now: Instant) {
        // Nobody waits for one that was given up.
        let Some(InFlight { sent, permit, probe }) = self.slots.try_remove(slot.0) else { return };
        match (sent, response) {
            (Sent::Keys(batch), response) => self.on_keys(Answered { batch, permit, probe }, response, now),
            (Sent::Page, Response::Page(answer)) => self.on_page(answer, permit, probe, now),
            (Sent::Namespace { check }, Response::Namespace(answer)) => {
                self.on_namespace(answer, &permit, probe, check, now);
                self.caller.budget.give_back(permit, now);
            }
            (sent, response) => debug_assert!(false, "{response:?} is no response for {sent:?}"),
        }
    }

    fn on_keys(&mut self, keys: Answered, response: Response, now: Instant) {
        match response {
            Response::Delete(reply) => self.on_reply(keys, &reply, now),
            Response::DeleteMany(reply) | Response::PutMany(reply) => self.on_bulk_reply(keys, &reply, now),
            Response::Compared(reply, is_same) => self.on_compared(keys, &reply, is_same, now),
            Response::Presence(reply, found) => self.on_presence(keys, &reply, &found, now),
            Response::Metadata(reply, metadata) => self.on_read(keys, &reply, &Stage::Value(metadata), now),
            Response::BackedUp(Ok(reply)) => self.on_read(keys, &reply, &Stage::Change, now),
            Response::BackedUp(Err(why)) => self.on_backup_error(keys, &why, now),
            response @ (Response::Namespace(_) | Response::Page(_)) => {
                debug_assert!(false, "{response:?} is no response for keys");
                let answer = Answer::Transient(TransientError::no_answer("a response of another kind"));
                self.on_reply(keys, &Reply { answer, http_status: None, rate_limits: Vec::new() }, now);
            }
        }
    }

    /// The reply to a request that is not a bulk call.
    pub(super) fn on_reply(&mut self, keys: Answered, reply: &Reply, now: Instant) {
        let Answered { mut batch, permit, probe } = keys;
        let read = batch.first().is_some_and(|task| task.stage.is_read());
        self.observe_reply(&reply.answer, reply, &mut batch, read, (&permit, probe), now);
        // What is refused of several keys that are looked for at once may be right for each of them.
        let proof = if batch.len() == 1 { Proof::Named } else { Proof::Unaccounted };
        self.resolve(batch, &reply.answer, reply.http_status, proof, now);
        self.caller.budget.give_back(permit, now);
    }

    /// What the response accounts for is settled, whatever its status.
    fn on_bulk_reply(&mut self, keys: Answered, BulkReply { reply, accounting }: &BulkReply, now: Instant) {
        let Answered { mut batch, permit, probe } = keys;
        let Accounting::Complete { unprocessed } = accounting else {
            let answer = match &reply.answer {
                Answer::Success => {
                    Answer::Transient(TransientError::no_answer("the response does not account for the keys"))
                }
                answer => answer.clone(),
            };
            self.observe_reply(&answer, reply, &mut batch, false, (&permit, probe), now);
            self.resolve(batch, &answer, reply.http_status, Proof::Unaccounted, now);
            self.caller.budget.give_back(permit, now);
            return;
        };
        let unprocessed: HashSet<&str> = unprocessed.iter().map(|name| &**name).collect();
        let (mut left, done): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|task| unprocessed.contains(task.key.as_str()));
        // A server that deletes some is at work.
        let health = if done.is_empty() { &reply.answer } else { &Answer::Success };
        self.observe_reply(health, reply, &mut left, false, (&permit, probe), now);
        for task in done {
            self.settle(task, self.options.action.success(), reply.http_status, None, now);
        }
        let verb = if let KeyAction::Put(_) = self.options.action { "write" } else { "delete" };
        let answer = match &reply.answer {
            answer @ (Answer::Throttled { .. } | Answer::DailyLimit(_) | Answer::Fatal(..)) => answer.clone(),
            answer => Answer::Transient(TransientError::Refused(left_unprocessed(verb, reply.http_status, answer))),
        };
        for task in left.into_iter().rev() {
            self.resolve(vec![task], &answer, reply.http_status, Proof::Named, now);
        }
        self.caller.budget.give_back(permit, now);
    }

    /// What a reply says of the server: its quota, whether it works, whether it asks for a pause.
    fn observe_reply(
        &mut self,
        health: &Answer,
        reply: &Reply,
        batch: &mut [KeyTask],
        read: bool,
        (permit, probe): (&Permit, bool),
        now: Instant,
    ) {
        self.observe_rate_limits(&reply.rate_limits, permit, now);
        self.observe_health(health, batch, read, probe, now);
        if let Answer::Throttled { pause, error } = &reply.answer {
            if error.refusal().code == Some(TOO_MANY_BULK_CALLS) {
                self.most_in_flight = (self.most_in_flight / 2).max(1);
            }
            self.on_throttled(permit, *pause, &error.clone().into(), now);
        }
    }

    /// What becomes of the keys of a request.
    pub(super) fn resolve(
        &mut self,
        batch: Vec<KeyTask>,
        answer: &Answer,
        http_status: Option<u16>,
        proof: Proof,
        now: Instant,
    ) {
        let caught = self.breaker.since().is_some();
        if let Answer::Fatal(fatal, refusal) = answer {
            let failure = proof.failure(Failure::from(TransientError::Refused(refusal.clone())));
            self.suspend(batch, *fatal, &failure, now);
            return;
        }
        let halves = halves(answer, &batch, caught);
        // The last comes first, because each goes in front of those that wait.
        for mut task in batch.into_iter().rev() {
            if let Some(max_batch) = halves {
                task.max_batch = max_batch;
                if let Answer::Refused(refusal) = answer {
                    // One of them is bad, and it will be alone in the end: no other loses a retry.
                    let failure = proof.failure(Failure::from(TransientError::Refused(refusal.clone())));
                    task.last = Some(Box::new(failure));
                    self.queue(&task).push_again(task);
                    continue;
                }
                if let Answer::Transient(error) = answer
                    && task.history.failures >= self.options.retry.retries
                {
                    // None is given up for the company it was in.
                    task.last = Some(Box::new(proof.failure(error.clone().into())));
                    let wait = self.options.retry.backoff(task.history.failures, &mut self.caller.rng);
                    self.events.push(Event::Retrying);
                    self.schedule_retry(task, wait, now);
                    continue;
                }
            }
            self.on_answer(task, answer.clone(), http_status, (caught, proof), now);
        }
    }

    /// What the answer says of the server.
    pub(super) fn observe_health(
        &mut self,
        answer: &Answer,
        batch: &mut [KeyTask],
        read: bool,
        probe: bool,
        now: Instant,
    ) {
        let history = batch.iter().map(|task| task.history).max_by_key(|history| history.resent).unwrap_or_default();
        // Many keys that fail together are no key's own trouble; and no retry is, where no other key can be tried. When only
        // retries are left, each key counts once after every sign of life.
        let is_new = |task: &KeyTask| {
            task.counted_at.is_none_or(|counted_at| self.has_only_retries() && counted_at != self.successes)
        };
        let first_attempt = batch.len() > 1 || batch.iter().any(is_new) || self.holds_back_untried();
        match health_of(answer, history, first_attempt) {
            Some(health) => {
                match (health, answer) {
                    (Health::Up, Answer::Fatal(..)) => {}
                    (Health::Up, _) => self.caller.max_wait.succeeded(now),
                    (Health::Down { .. }, Answer::Transient(error)) => {
                        self.caller.max_wait.failed(&error.clone().into());
                    }
                    (Health::Down { .. }, _) => {}
                }
                if let (Health::Down { .. }, [task]) = (health, &mut *batch) {
                    task.counted_at = Some(self.successes);
                }
                self.observe_stage(health, read, probe, now);
            }
            None if probe && matches!(answer, Answer::ConnectionClosed { .. }) => {
                self.breaker.probe_was_reset(now);
                self.emit_outage(true, now);
            }
            None if probe => self.breaker.probe_said_nothing(now),
            None => {}
        }
    }

    /// What becomes of one key.
    fn on_answer(
        &mut self,
        mut task: KeyTask,
        answer: Answer,
        http_status: Option<u16>,
        (caught, proof): (bool, Proof),
        now: Instant,
    ) {
        match decide(answer, task.history, &self.options.retry, &mut self.caller.rng) {
            Decision::Success => self.settle(task, self.options.action.success(), http_status, None, now),
            Decision::Settle(failure) | Decision::Retry(_, failure) if caught && failure.is_transient => {
                // No retry is lost to an outage, and another key is the next probe.
                task.last = Some(Box::new(proof.failure(failure)));
                self.queue(&task).push_last(task);
            }
            Decision::Settle(failure) => self.settle_as(task, proof.failure(failure), now),
            Decision::Retry(wait, failure) => {
                task.failed(self.epoch, proof.failure(failure));
                self.events.push(Event::Retrying);
                self.schedule_retry(task, wait, now);
            }
            Decision::Resend(failure) => {
                task.history.resent += 1;
                task.last = Some(Box::new(failure));
                self.queue(&task).push_again(task);
            }
            Decision::Pause(_, failure) => {
                task.last = Some(Box::new(proof.failure(failure)));
                self.queue(&task).push_again(task);
            }
            Decision::Stop(stop, failure) => {
                self.stop(stop, now);
                self.settle_as(task, proof.failure(failure), now);
            }
        }
    }

    pub(super) fn observe_rate_limits(&mut self, rate_limits: &[RateLimitInfo], permit: &Permit, now: Instant) {
        for info in rate_limits {
            self.caller.budget.observe(info, permit, now);
        }
    }

    /// The answer to a request for the namespace came.
    fn on_namespace(&mut self, answer: Result<(), Reply>, permit: &Permit, probe: bool, check: bool, now: Instant) {
        let Err(reply) = answer else {
            if probe {
                self.breaker.namespace_answered();
                self.emit_outage(true, now);
            }
            if check {
                self.access_confirmed(now);
            }
            return;
        };
        self.observe_rate_limits(&reply.rate_limits, permit, now);
        let history = History { resent: if check { self.access.failures } else { 0 }, ..History::default() };
        let decision = decide(reply.answer, history, &self.options.retry, &mut self.caller.rng);
        match decision {
            Decision::Pause(asked, failure) => {
                self.on_throttled(permit, asked, &failure, now);
                if probe {
                    self.breaker.probe_said_nothing(now);
                }
                self.access.repeat(check, now);
            }
            Decision::Resend(_) => {
                if probe {
                    self.breaker.probe_was_reset(now);
                    self.emit_outage(true, now);
                }
                self.access.repeat(check, now);
            }
            Decision::Stop(stop, _) => self.stop(stop, now),
            Decision::Settle(failure) if check && !failure.is_transient => self.stop(refused_namespace(&failure), now),
            Decision::Settle(failure) | Decision::Retry(_, failure) => {
                self.caller.max_wait.failed(&failure);
                if probe {
                    self.observe(Health::Down { first_attempt: false }, true, now);
                }
                let wait = self.options.retry.backoff(self.access.failures, &mut self.caller.rng);
                self.access.repeat(check, now + wait);
            }
            Decision::Success => self.access.repeat(check, now),
        }
    }

    pub(super) fn observe(&mut self, health: Health, probe: bool, now: Instant) {
        self.observe_stage(health, false, probe, now);
    }

    fn observe_stage(&mut self, health: Health, read: bool, probe: bool, now: Instant) {
        if health == Health::Up {
            self.successes += 1;
            self.epoch += u64::from(!read);
        }
        let was_down = self.breaker.since().is_some();
        let batching = if read { self.reading_batching() } else { self.options.batching };
        let requests = batching.requests(self.caller.totals.keys);
        let opened = if read {
            self.breaker.observe_read(health, probe, requests, now)
        } else {
            self.breaker.observe(health, probe, requests, now)
        };
        if opened {
            // What the keys lost while the server went down is given back.
            let epoch = self.epoch;
            let waiting = std::mem::take(&mut self.waiting);
            self.waiting =
                waiting.into_iter().map(|due| DelayedTask { task: due.task.forgiven(epoch), ..due }).collect();
            self.ready.iter_mut().chain(self.reads.iter_mut()).for_each(|task| task.forgive_failures(epoch));
            let in_flight = self.slots.iter_mut().flat_map(|(_, in_flight)| in_flight.keys_mut());
            in_flight.for_each(|task| task.forgive_failures(epoch));
            self.paging.iter_mut().for_each(PageFetch::forgive_failures);
        }
        self.emit_outage(was_down, now);
    }

    pub(super) fn emit_outage(&mut self, was_down: bool, now: Instant) {
        match self.breaker.allowance(now) {
            Allowance::NotBefore(until) => self.emit_pause(until, PauseCause::Outage),
            _ if was_down && self.breaker.since().is_none() && std::mem::take(&mut self.paused) => {
                self.events.push(Event::Running);
            }
            _ => {}
        }
    }

    fn emit_pause(&mut self, until: Instant, cause: PauseCause) {
        self.paused = true;
        self.events.push(Event::Paused { until, cause });
    }

    /// The server wants nobody to send for a while.
    pub(super) fn on_throttled(&mut self, permit: &Permit, asked: Option<Duration>, failure: &Failure, now: Instant) {
        match self.caller.throttled(permit, asked, failure, now) {
            Err(stop) => self.stop(stop, now),
            Ok(pause) => self.emit_pause(now + pause, PauseCause::Throttled),
        }
    }
}

/// The namespace was there before, and is not shown any more.
fn refused_namespace(failure: &Failure) -> Stop {
    let reason = match failure.http_status {
        Some(401 | 403) => StopReason::Unauthorized,
        _ => StopReason::NamespaceNotFound,
    };
    Stop::new(reason, failure.to_string())
}

/// What an answer says about the server; nothing where the connection or the quota was the matter.
pub(super) fn health_of(answer: &Answer, history: History, first_attempt: bool) -> Option<Health> {
    match answer {
        Answer::Success | Answer::Absent(_) | Answer::Refused(_) | Answer::DailyLimit(_) | Answer::Fatal(..) => {
            Some(Health::Up)
        }
        Answer::Transient(_) => Some(Health::Down { first_attempt }),
        Answer::ConnectionClosed { unprocessed, .. } if !history.allows_resend(*unprocessed) => {
            Some(Health::Down { first_attempt })
        }
        Answer::ConnectionClosed { .. } | Answer::Throttled { .. } => None,
    }
}

/// Why a key has to be sent again that a bulk call did not process.
fn left_unprocessed(verb: &str, http_status: Option<u16>, answer: &Answer) -> Refusal {
    let unsuccessful = format!("the bulk call did not {verb} this key (unsuccessful_keys)");
    let (code, message) = match answer {
        Answer::Refused(refusal) | Answer::Absent(refusal) => {
            (refusal.code, format!("{unsuccessful}: {}", refusal.message))
        }
        Answer::Transient(error) => (error.refusal().code, format!("{unsuccessful}: {}", error.refusal().message)),
        _ => (None, unsuccessful),
    };
    Refusal { http_status, code, message }
}

/// How many of these keys may go together from now on, where fewer may: a call that is refused as a whole is refused
/// for one of its keys, and one that keeps failing may be too large.
fn halves(answer: &Answer, batch: &[KeyTask], caught: bool) -> Option<NonZeroU32> {
    let half = u32::try_from(batch.len().div_ceil(2)).ok().and_then(NonZeroU32::new);
    let again = batch.iter().any(|task| task.history.failures > 0);
    match answer {
        _ if batch.len() < 2 => None,
        Answer::Refused(_) => half,
        Answer::Transient(_) if again && !caught => half,
        _ => None,
    }
}
