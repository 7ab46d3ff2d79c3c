//! What an answer leads to: a final state, a retry, a pause, the end of the job.

use std::collections::HashSet;
use std::num::NonZeroU32;

use tokio::time::Instant;

use super::{Slot, State};
use crate::api::answer::{Answer, Refusal, Reply, TOO_MANY_BULK_CALLS, TransientError};
use crate::api::{Accounting, BulkReply};
use crate::pipeline::attempt::{Attempt, Next, Proof};
use crate::pipeline::call::{Evidence, UNLIMITED};
use crate::pipeline::circuit_breaker::{Allowance, Health};
use crate::pipeline::event::{Event, PauseCause};
use crate::pipeline::options::KeyAction;
use crate::pipeline::queues::Queue;
use crate::pipeline::request::Response;
use crate::pipeline::task::{InFlight, KeyTask, Sent, Stage};
use crate::quota::{Permit, RateLimitInfo};
use crate::terminal::{pluralized, shortened_key};

/// Keys whose request was answered.
pub(super) struct Answered {
    pub(super) batch: Vec<KeyTask>,
    pub(super) permit: Permit,
    /// Whether it was sent to see if an outage is over.
    pub(super) probe: bool,
}

impl State {
    pub fn on_response(&mut self, slot: Slot, response: Response, now: Instant) {
        // Nobody waits for one that was given up.
        let Some(InFlight { sent, permit, probe }) = self.slots.try_remove(slot.0) else { return };
        match (sent, response) {
            (Sent::Keys(batch), response) => return self.on_keys(Answered { batch, permit, probe }, response, now),
            (Sent::Page, Response::Page(answer)) => self.on_page(answer, &permit, probe, now),
            (Sent::Namespace { check }, Response::Namespace(answer)) => {
                self.on_namespace(answer, (&permit, probe), check, now);
            }
            (sent, response) => debug_assert!(false, "{response:?} is no response for {sent:?}"),
        }
        self.caller.budget.give_back(permit, now);
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
        // What is refused of several keys that are looked for at once may be right for each of them.
        let proof = if keys.batch.len() == 1 { Proof::Named } else { Proof::Unaccounted };
        self.on_answer(keys, reply, proof, now);
    }

    fn on_answer(&mut self, keys: Answered, reply: &Reply, proof: Proof, now: Instant) {
        let Answered { mut batch, permit, probe } = keys;
        self.observe_keys(&reply.answer, reply, &mut batch, (&permit, probe), now);
        self.resolve(batch, &reply.answer, reply.http_status, proof, now);
        self.caller.budget.give_back(permit, now);
    }

    /// What the response accounts for is settled, whatever its status.
    fn on_bulk_reply(&mut self, keys: Answered, BulkReply { reply, accounting }: &BulkReply, now: Instant) {
        let Accounting::Complete { unprocessed } = accounting else {
            let mut reply = reply.clone();
            if reply.answer == Answer::Success {
                let error = TransientError::no_answer("the response does not account for the keys");
                reply.answer = Answer::Transient(error);
            }
            return self.on_answer(keys, &reply, Proof::Unaccounted, now);
        };
        let Answered { batch, permit, probe } = keys;
        let unprocessed: HashSet<&str> = unprocessed.iter().map(|name| &**name).collect();
        let (mut left, done): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|task| unprocessed.contains(task.key.as_str()));
        // A server that deletes some is up.
        let health = if done.is_empty() { &reply.answer } else { &Answer::Success };
        self.observe_keys(health, reply, &mut left, (&permit, probe), now);
        if !done.is_empty() {
            self.caller.max_wait.succeeded(now);
        }
        for task in done {
            self.settle(task, self.options.action.success(), reply.http_status, None, now);
        }
        let verb = if let KeyAction::Put(_) = self.options.action { "write" } else { "delete" };
        let answer = match reply.answer.clone() {
            answer @ (Answer::Throttled { .. }
            | Answer::DailyLimit(_)
            | Answer::TokenReplaced(_)
            | Answer::Fatal(..)) => answer,
            answer => Answer::Transient(TransientError::Refused(left_unprocessed(verb, reply.http_status, answer))),
        };
        self.resolve(left, &answer, reply.http_status, Proof::Named, now);
        self.caller.budget.give_back(permit, now);
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
        let refused = |refusal: &Refusal| proof.failure(TransientError::Refused(refusal.clone()).into());
        if let Answer::Fatal(fatal, refusal) = answer
            && fatal.may_be_one_requests()
        {
            let suspended = match proof {
                Proof::Named => batch.into_iter().rev().map(|task| vec![task]).collect(),
                Proof::Unaccounted => vec![batch],
            };
            for keys in suspended {
                self.suspend(Sent::Keys(keys), *fatal, refused(refusal), now);
            }
            return;
        }
        let mut again = SentAgain::default();
        let halves = halves(answer, &batch, proof, self.caller.breaker.is_down());
        // None is given up because of the others in its request.
        let retries = if halves.is_some() { UNLIMITED } else { self.caller.policy.retries };
        // The last comes first, because each goes in front of those that wait.
        for mut task in batch.into_iter().rev() {
            task.max_batch = halves.unwrap_or(task.max_batch);
            if let (Some(_), Answer::Refused(refusal)) = (halves, answer) {
                // One of them is bad, and it will be alone in the end: no other loses a retry.
                task.attempt.last = Some(Box::new(refused(refusal)));
                again.add(&task);
                self.queues.push_again(task);
                continue;
            }
            match self.caller.apply(&mut task.attempt, answer.clone(), retries, proof, now) {
                Next::Success => self.settle(task, self.options.action.success(), http_status, None, now),
                Next::Settle(failure) => self.settle_as(task, failure, now),
                Next::Again => {
                    again.add(&task);
                    self.queues.push_again(task);
                }
                Next::AgainLast => {
                    again.add(&task);
                    self.queues.push_last(task);
                }
                Next::Stop(stop, failure) => {
                    self.stop(stop, now);
                    self.settle_as(task, failure, now);
                }
            }
        }
        again.log(now);
    }

    /// Takes in what a response for keys says about the server; `answer` is its own, unless some of its keys succeeded.
    pub(super) fn observe_keys(
        &mut self,
        answer: &Answer,
        reply: &Reply,
        batch: &mut [KeyTask],
        of: (&Permit, bool),
        now: Instant,
    ) {
        if let Answer::Throttled { error, .. } = &reply.answer
            && error.refusal().code == Some(TOO_MANY_BULK_CALLS)
        {
            self.most_in_flight = (self.most_in_flight / 2).max(1);
        }
        let histories = batch.iter().map(|task| task.attempt.history);
        let history = histories.max_by_key(|history| history.resent).unwrap_or_default();
        let successes = self.caller.breaker.successes;
        // Many keys that fail together are no key's own fault; and no retry is, if no other key can be tried. When only
        // retries are left, each key counts once after every success.
        let is_new = |task: &KeyTask| {
            task.counted_at.is_none_or(|counted_at| self.has_only_retries() && counted_at != successes)
        };
        let first_attempt = batch.len() > 1 || batch.iter().any(is_new) || self.holds_back_untried();
        let health = Health::of(answer, history, first_attempt);
        if let (Some(Health::Down { .. }), [task]) = (health, &mut *batch) {
            task.counted_at = Some(successes);
        }
        let read = batch.first().is_some_and(|task| task.stage.is_read());
        self.observe(&reply.answer, &reply.rate_limits, health, read, of, now);
    }

    /// Takes in what a response says about the server: its quota, its health, the pause that it asks for.
    pub(super) fn observe(
        &mut self,
        answer: &Answer,
        rate_limits: &[RateLimitInfo],
        health: Option<Health>,
        read: bool,
        (permit, probe): (&Permit, bool),
        now: Instant,
    ) {
        let was_down = self.caller.breaker.is_down();
        let requests = self.batching(Queue::of(read)).requests(self.caller.totals.keys);
        let evidence = Evidence { health, read, probe, requests };
        let observed = self.caller.observe(answer, rate_limits, evidence, permit, now);
        if health.is_some() || probe {
            self.emit_outage(was_down, now);
        }
        if !was_down && self.caller.breaker.is_down() {
            self.forgive_failures();
        }
        match observed {
            Ok(Some(pause)) => self.emit_pause(now + pause, PauseCause::Throttled),
            Ok(None) => {}
            Err(stop) => self.stop(stop, now),
        }
    }

    /// What was lost while the server went down is given back.
    fn forgive_failures(&mut self) {
        let epoch = self.caller.breaker.epoch;
        let in_flight = self.slots.iter_mut().filter_map(|(_, in_flight)| match &mut in_flight.sent {
            Sent::Keys(keys) => Some(keys),
            Sent::Page | Sent::Namespace { .. } => None,
        });
        let keys = self.queues.iter_mut().chain(in_flight.flatten()).map(|task| &mut task.attempt);
        let page = self.paging.iter_mut().map(|fetch| &mut fetch.attempt);
        keys.chain(page).for_each(|attempt| attempt.forgive_failures(epoch));
    }

    pub(super) fn emit_outage(&mut self, was_down: bool, now: Instant) {
        match self.caller.breaker.allowance(now) {
            Allowance::NotBefore(until) => self.emit_pause(until, PauseCause::Outage),
            _ if was_down && !self.caller.breaker.is_down() && std::mem::take(&mut self.paused) => {
                self.events.push(Event::Running);
            }
            _ => {}
        }
    }

    fn emit_pause(&mut self, until: Instant, cause: PauseCause) {
        self.paused = true;
        self.events.push(Event::Paused { until, cause });
    }
}

/// The keys of one request that are sent again: a line of the log, however many they are.
#[derive(Debug, Default)]
pub(super) struct SentAgain {
    keys: u64,
    /// One of them.
    sample: Option<(String, Attempt)>,
}

impl SentAgain {
    pub(super) fn add(&mut self, task: &KeyTask) {
        self.keys += 1;
        if self.sample.is_none() && tracing::enabled!(tracing::Level::INFO) {
            self.sample = Some((shortened_key(task.key.as_str()), task.attempt.clone()));
        }
    }

    pub(super) fn log(self, now: Instant) {
        match (self.sample, self.keys) {
            (None, _) => {}
            (Some((key, attempt)), 1) => attempt.log_retry(key, now),
            (Some((key, attempt)), keys) => {
                attempt.log_retry(format_args!("{} (such as {key})", pluralized(keys, "key")), now);
            }
        }
    }
}

/// Why a key has to be sent again that a bulk call did not process.
fn left_unprocessed(verb: &str, http_status: Option<u16>, mut answer: Answer) -> Refusal {
    let unsuccessful = format!("the bulk call did not {verb} this key (unsuccessful_keys)");
    let (code, message) = match answer.refusal_mut() {
        Some(refusal) => (refusal.code, format!("{unsuccessful}: {}", refusal.message)),
        None => (None, unsuccessful),
    };
    Refusal { http_status, code, message }
}

/// Half of so many keys; `None` of one alone.
pub(super) fn half(keys: usize) -> Option<NonZeroU32> {
    u32::try_from(keys.div_ceil(2)).ok().and_then(NonZeroU32::new).filter(|_| keys > 1)
}

/// How many of these keys may go together from now on, if fewer may: a call that is refused as a whole is refused
/// for one of its keys, and one that keeps failing may be too large.
fn halves(answer: &Answer, batch: &[KeyTask], proof: Proof, is_down: bool) -> Option<NonZeroU32> {
    let half = half(batch.len());
    let again = batch.iter().any(|task| task.attempt.history.failures > 0);
    match answer {
        _ if proof == Proof::Named => None,
        Answer::Refused(_) => half,
        Answer::Transient(_) if again && !is_down => half,
        _ => None,
    }
}
