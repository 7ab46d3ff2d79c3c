//! What an answer leads to: a final state, a retry, a pause, the end of the job.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

use super::paging::PageFetch;
use super::{Slot, State};
use crate::api::advice::QuotaNews;
use crate::api::answer::{Answer, Refusal, Reply, TOO_MANY_BULK_CALLS, Trouble};
use crate::api::{Accounting, BulkReply};
use crate::outcome::{Status, StopReason};
use crate::pipeline::event::{Event, PauseCause};
use crate::pipeline::max_wait::ServerPause;
use crate::pipeline::outage::{Allowance, Sign};
use crate::pipeline::request::Response;
use crate::pipeline::retry::{Decision, History, Verdict, decide};
use crate::pipeline::stop::Stop;
use crate::pipeline::work::{Due, InFlight, Sent, Stage, Work};
use crate::quota::{News, Permit, Rate};

/// Keys whose request was answered.
pub(super) struct Answered {
    pub(super) batch: Vec<Work>,
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
    fn verdict(self, verdict: Verdict) -> Verdict {
        match (self, verdict.status) {
            (Self::Unaccounted, Status::Failed) => Verdict { status: Status::Unknown, ..verdict },
            _ => verdict,
        }
    }
}

impl State {
    /// The response for a slot came.
    pub fn on_response(&mut self, slot: Slot, response: Response, now: Instant) {
        // Nobody waits for one that was given up.
        let Some(InFlight { sent, permit, probe }) = self.slots.try_remove(slot.0) else { return };
        match (sent, response) {
            (Sent::Keys(batch), response) => self.on_keys(Answered { batch, permit, probe }, response, now),
            (Sent::Page, Response::Page(answer)) => self.on_page(answer, permit, probe, now),
            (Sent::Namespace { check }, Response::Namespace(answer)) => {
                self.on_namespace(answer, &permit, probe, check, now);
                self.budget.give_back(permit, now);
            }
            (sent, response) => debug_assert!(false, "{response:?} is no response for {sent:?}"),
        }
    }

    fn on_keys(&mut self, keys: Answered, response: Response, now: Instant) {
        match response {
            Response::Delete(reply) => self.on_reply(keys, &reply, now),
            Response::DeleteMany(reply) => self.on_bulk_reply(keys, &reply, now),
            Response::Presence(reply, found) => self.on_presence(keys, &reply, &found, now),
            Response::Metadata(reply, metadata) => self.on_read(keys, &reply, &Stage::Value(metadata), now),
            Response::BackedUp(Ok(reply)) => self.on_read(keys, &reply, &Stage::Delete, now),
            Response::BackedUp(Err(why)) => self.on_lost_backup(keys, &why, now),
            response @ (Response::Namespace(_) | Response::Page(_)) => {
                debug_assert!(false, "{response:?} is no response for keys");
                let answer = Answer::Passing(Trouble::no_answer("a response of another kind"));
                self.on_reply(keys, &Reply { answer, http_status: None, quota: Vec::new() }, now);
            }
        }
    }

    /// The reply to a request that is not a bulk call.
    pub(super) fn on_reply(&mut self, keys: Answered, reply: &Reply, now: Instant) {
        let Answered { mut batch, permit, probe } = keys;
        let read = batch.first().is_some_and(|work| work.stage.is_read());
        self.observe_reply(&reply.answer, reply, &mut batch, read, (&permit, probe), now);
        // What is refused of several keys that are looked for at once may be right for each of them.
        let proof = if batch.len() == 1 { Proof::Named } else { Proof::Unaccounted };
        self.resolve(batch, &reply.answer, reply.http_status, proof, now);
        self.budget.give_back(permit, now);
    }

    /// What the response accounts for is settled, whatever its status.
    fn on_bulk_reply(&mut self, keys: Answered, BulkReply { reply, accounting }: &BulkReply, now: Instant) {
        let Answered { mut batch, permit, probe } = keys;
        let Accounting::Complete { unprocessed } = accounting else {
            let answer = match &reply.answer {
                Answer::Success => Answer::Passing(Trouble::no_answer("the response does not account for the keys")),
                answer => answer.clone(),
            };
            self.observe_reply(&answer, reply, &mut batch, false, (&permit, probe), now);
            self.resolve(batch, &answer, reply.http_status, Proof::Unaccounted, now);
            self.budget.give_back(permit, now);
            return;
        };
        let unprocessed: HashSet<&str> = unprocessed.iter().map(|name| &**name).collect();
        let (mut left, done): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|work| unprocessed.contains(work.key.as_str()));
        // A server that deletes some is at work.
        let sign = if done.is_empty() { &reply.answer } else { &Answer::Success };
        self.observe_reply(sign, reply, &mut left, false, (&permit, probe), now);
        for work in done {
            self.settle(work, Status::Deleted, reply.http_status, None, now);
        }
        let answer = match &reply.answer {
            answer @ (Answer::Throttled { .. } | Answer::DailyLimit(_) | Answer::Fatal(..)) => answer.clone(),
            answer => Answer::Passing(Trouble::Refused(left_undeleted(reply.http_status, answer))),
        };
        for work in left.into_iter().rev() {
            self.resolve(vec![work], &answer, reply.http_status, Proof::Named, now);
        }
        self.budget.give_back(permit, now);
    }

    /// What a reply says of the server: its quota, whether it works, whether it asks for a pause.
    fn observe_reply(
        &mut self,
        sign: &Answer,
        reply: &Reply,
        batch: &mut [Work],
        read: bool,
        (permit, probe): (&Permit, bool),
        now: Instant,
    ) {
        self.hear(&reply.quota, permit, now);
        self.see_sign(sign, batch, read, probe, now);
        if let Answer::Throttled { pause, trouble } = &reply.answer {
            if trouble.refusal().code == Some(TOO_MANY_BULK_CALLS) {
                self.most_in_flight = (self.most_in_flight / 2).max(1);
            }
            self.on_throttled(permit, *pause, &trouble.clone().into(), now);
        }
    }

    /// What becomes of the keys of a request.
    pub(super) fn resolve(
        &mut self,
        batch: Vec<Work>,
        answer: &Answer,
        http_status: Option<u16>,
        proof: Proof,
        now: Instant,
    ) {
        let caught = self.outage.since().is_some();
        if let Answer::Fatal(fatal, refusal) = answer {
            let verdict = proof.verdict(Verdict::from(Trouble::Refused(refusal.clone())));
            self.suspend(batch, *fatal, &verdict, now);
            return;
        }
        let halves = halves(answer, &batch, caught);
        // The last comes first, because each goes in front of those that wait.
        for mut work in batch.into_iter().rev() {
            if let Some(together) = halves {
                work.together = together;
                if let Answer::Refused(refusal) = answer {
                    // One of them is bad, and it will be alone in the end: no other loses a retry.
                    let verdict = proof.verdict(Verdict::from(Trouble::Refused(refusal.clone())));
                    work.last = Some(Box::new(verdict));
                    self.queue(&work).push_again(work);
                    continue;
                }
                if let Answer::Passing(trouble) = answer
                    && work.history.failures >= self.options.retry.retries
                {
                    // None is given up for the company it was in.
                    work.last = Some(Box::new(proof.verdict(trouble.clone().into())));
                    let wait = self.options.retry.backoff(work.history.failures, &mut self.rng);
                    self.events.push(Event::Retrying);
                    self.put_off(work, wait, now);
                    continue;
                }
            }
            self.on_answer(work, answer.clone(), http_status, (caught, proof), now);
        }
    }

    /// What the answer says of the server.
    pub(super) fn see_sign(&mut self, answer: &Answer, batch: &mut [Work], read: bool, probe: bool, now: Instant) {
        let history = batch.iter().map(|work| work.history).max_by_key(|history| history.resent).unwrap_or_default();
        // Many keys that fail together are no key's own trouble; and no retry is, where no other key can be tried. When only
        // retries are left, each key counts once after every sign of life.
        let is_new = |work: &Work| work.judged.is_none_or(|judged| self.has_only_retries() && judged != self.signs);
        let first_attempt = batch.len() > 1 || batch.iter().any(is_new) || self.holds_back_untried();
        match sign_of(answer, history, first_attempt) {
            Some(sign) => {
                match (sign, answer) {
                    (Sign::Alive, Answer::Fatal(..)) => {}
                    (Sign::Alive, _) => self.max_wait.succeeded(now),
                    (Sign::Down { .. }, Answer::Passing(trouble)) => self.max_wait.failed(&trouble.clone().into()),
                    (Sign::Down { .. }, _) => {}
                }
                if let (Sign::Down { .. }, [work]) = (sign, &mut *batch) {
                    work.judged = Some(self.signs);
                }
                self.observe_stage(sign, read, probe, now);
            }
            None if probe && matches!(answer, Answer::Stale { .. }) => {
                self.outage.probe_was_cut_off(now);
                self.tell_of_outage(true, now);
            }
            None if probe => self.outage.probe_said_nothing(now),
            None => {}
        }
    }

    /// What becomes of one key.
    fn on_answer(
        &mut self,
        mut work: Work,
        answer: Answer,
        http_status: Option<u16>,
        (caught, proof): (bool, Proof),
        now: Instant,
    ) {
        match decide(answer, work.history, &self.options.retry, &mut self.rng) {
            Decision::Success => self.settle(work, Status::Deleted, http_status, None, now),
            Decision::Settle(verdict) | Decision::Retry(_, verdict) if caught && verdict.passes => {
                // No retry is lost to an outage, and another key is the next probe.
                work.last = Some(Box::new(proof.verdict(verdict)));
                self.queue(&work).push_last(work);
            }
            Decision::Settle(verdict) => self.settle_as(work, proof.verdict(verdict), now),
            Decision::Retry(wait, verdict) => {
                work.failed(self.epoch, proof.verdict(verdict));
                self.events.push(Event::Retrying);
                self.put_off(work, wait, now);
            }
            Decision::Resend(verdict) => {
                work.history.resent += 1;
                work.last = Some(Box::new(verdict));
                self.queue(&work).push_again(work);
            }
            Decision::Pause(_, verdict) => {
                work.last = Some(Box::new(proof.verdict(verdict)));
                self.queue(&work).push_again(work);
            }
            Decision::Stop(stop, verdict) => {
                self.stop(stop, now);
                self.settle_as(work, proof.verdict(verdict), now);
            }
        }
    }

    /// What the answer says of the server's quota.
    pub(super) fn hear(&mut self, quota: &[QuotaNews], permit: &Permit, now: Instant) {
        for news in quota {
            let policy = news.policy.and_then(|(count, window)| Rate::new(u32::try_from(count).ok()?, window));
            let QuotaNews { name, remaining, reset_after, .. } = news;
            let news = News { name, remaining: *remaining, reset_after: *reset_after, policy };
            self.budget.observe(news, permit, now);
        }
    }

    /// The answer to a request for the namespace came.
    fn on_namespace(&mut self, answer: Result<(), Reply>, permit: &Permit, probe: bool, check: bool, now: Instant) {
        let Err(reply) = answer else {
            if probe {
                self.outage.namespace_answered();
                self.tell_of_outage(true, now);
            }
            if check {
                self.access_confirmed(now);
            }
            return;
        };
        self.hear(&reply.quota, permit, now);
        let history = History { resent: if check { self.access.failures } else { 0 }, ..History::default() };
        let decision = decide(reply.answer, history, &self.options.retry, &mut self.rng);
        match decision {
            Decision::Pause(asked, verdict) => {
                self.on_throttled(permit, asked, &verdict, now);
                if probe {
                    self.outage.probe_said_nothing(now);
                }
                self.access.repeat(check, now);
            }
            Decision::Resend(_) => {
                if probe {
                    self.outage.probe_was_cut_off(now);
                    self.tell_of_outage(true, now);
                }
                self.access.repeat(check, now);
            }
            Decision::Stop(stop, _) => self.stop(stop, now),
            Decision::Settle(verdict) if check && !verdict.passes => self.stop(refused_namespace(&verdict), now),
            Decision::Settle(verdict) | Decision::Retry(_, verdict) => {
                self.max_wait.failed(&verdict);
                if probe {
                    self.observe(Sign::Down { first_attempt: false }, true, now);
                }
                let wait = self.options.retry.backoff(self.access.failures, &mut self.rng);
                self.access.repeat(check, now + wait);
            }
            Decision::Success => self.access.repeat(check, now),
        }
    }

    pub(super) fn observe(&mut self, sign: Sign, probe: bool, now: Instant) {
        self.observe_stage(sign, false, probe, now);
    }

    fn observe_stage(&mut self, sign: Sign, read: bool, probe: bool, now: Instant) {
        if sign == Sign::Alive {
            self.signs += 1;
            self.epoch += u64::from(!read);
        }
        let was_down = self.outage.since().is_some();
        let batching = if read { self.reading_batching() } else { self.options.batching };
        let requests = batching.requests(self.totals.keys);
        let opened = if read {
            self.outage.observe_read(sign, probe, requests, now)
        } else {
            self.outage.observe(sign, probe, requests, now)
        };
        if opened {
            // What the keys lost while the server went down is given back.
            let epoch = self.epoch;
            let waiting = std::mem::take(&mut self.waiting);
            self.waiting = waiting.into_iter().map(|due| Due { work: due.work.refunded(epoch), ..due }).collect();
            self.ready.iter_mut().chain(self.reads.iter_mut()).for_each(|work| work.refund(epoch));
            let in_flight = self.slots.iter_mut().flat_map(|(_, in_flight)| in_flight.keys_mut());
            in_flight.for_each(|work| work.refund(epoch));
            self.paging.iter_mut().for_each(PageFetch::refund);
        }
        self.tell_of_outage(was_down, now);
    }

    pub(super) fn tell_of_outage(&mut self, was_down: bool, now: Instant) {
        match self.outage.allowance(now) {
            Allowance::NotBefore(until) => self.pause_told(until, PauseCause::Outage),
            _ if was_down && self.outage.since().is_none() && std::mem::take(&mut self.paused) => {
                self.events.push(Event::Running);
            }
            _ => {}
        }
    }

    fn pause_told(&mut self, until: Instant, cause: PauseCause) {
        self.paused = true;
        self.events.push(Event::Paused { until, cause });
    }

    /// The server wants nobody to send for a while.
    pub(super) fn on_throttled(&mut self, permit: &Permit, asked: Option<Duration>, verdict: &Verdict, now: Instant) {
        self.totals.throttled += 1;
        self.max_wait.failed(verdict);
        let pause = self.budget.throttled(permit, asked, now);
        match self.max_wait.refuses(ServerPause::after_throttling(asked, pause)) {
            Some(stop) => self.stop(stop, now),
            None => self.pause_told(now + pause, PauseCause::Throttled),
        }
    }
}

/// The namespace was there before, and is not shown any more.
fn refused_namespace(verdict: &Verdict) -> Stop {
    let reason = match verdict.http_status {
        Some(401 | 403) => StopReason::Unauthorized,
        _ => StopReason::NamespaceNotFound,
    };
    Stop::new(reason, verdict.to_string())
}

/// What an answer says about the server; nothing where the connection or the quota was the matter.
pub(super) fn sign_of(answer: &Answer, history: History, first_attempt: bool) -> Option<Sign> {
    match answer {
        Answer::Success | Answer::Absent(_) | Answer::Refused(_) | Answer::DailyLimit(_) | Answer::Fatal(..) => {
            Some(Sign::Alive)
        }
        Answer::Passing(_) => Some(Sign::Down { first_attempt }),
        Answer::Stale { unprocessed, .. } if !history.allows_resend(*unprocessed) => Some(Sign::Down { first_attempt }),
        Answer::Stale { .. } | Answer::Throttled { .. } => None,
    }
}

/// Why a key has to be sent again that a bulk call did not process.
fn left_undeleted(http_status: Option<u16>, answer: &Answer) -> Refusal {
    let unsuccessful = "the bulk call did not delete this key (unsuccessful_keys)";
    let (code, message) = match answer {
        Answer::Refused(refusal) | Answer::Absent(refusal) => {
            (refusal.code, format!("{unsuccessful}: {}", refusal.message))
        }
        Answer::Passing(trouble) => (trouble.refusal().code, format!("{unsuccessful}: {}", trouble.refusal().message)),
        _ => (None, unsuccessful.to_owned()),
    };
    Refusal { http_status, code, message }
}

/// How many of these keys may go together from now on, where fewer may: a call that is refused as a whole is refused
/// for one of its keys, and one that keeps failing may be too large.
fn halves(answer: &Answer, batch: &[Work], caught: bool) -> Option<NonZeroU32> {
    let half = u32::try_from(batch.len().div_ceil(2)).ok().and_then(NonZeroU32::new);
    let again = batch.iter().any(|work| work.history.failures > 0);
    match answer {
        _ if batch.len() < 2 => None,
        Answer::Refused(_) => half,
        Answer::Passing(_) if again && !caught => half,
        _ => None,
    }
}
