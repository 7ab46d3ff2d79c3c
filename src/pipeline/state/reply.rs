//! What an answer leads to: a final state, a retry, a pause, the end of the job.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

use super::errand::Errand;
use super::{Slot, State};
use crate::api::BulkReply;
use crate::api::advice::QuotaNews;
use crate::api::answer::{Answer, Refusal, Reply, TOO_MANY_BULK_CALLS, Trouble};
use crate::outcome::{Status, StopReason};
use crate::pipeline::event::{Event, PauseCause};
use crate::pipeline::outage::{Allowance, Sign};
use crate::pipeline::request::Response;
use crate::pipeline::retry::{Decision, History, Verdict, decide};
use crate::pipeline::stop::Stop;
use crate::pipeline::work::{Due, InFlight, Stage, Work};
use crate::quota::{News, Permit, Rate};
use crate::terminal::duration;

impl State {
    /// The response for a slot came.
    pub fn on_response(&mut self, slot: Slot, response: Response, now: Instant) {
        match (slot, response) {
            (Slot::Keys(slot), Response::Delete(reply)) => self.on_reply(slot, &reply, &HashSet::new(), now),
            (Slot::Keys(slot), Response::DeleteMany(BulkReply { reply, left })) => {
                self.on_reply(slot, &reply, &left.iter().map(|name| &**name).collect(), now);
            }
            (Slot::Keys(slot), Response::Presence(reply, found)) => self.on_presence(slot, &reply, &found, now),
            (Slot::Keys(slot), Response::Metadata(reply, metadata)) => {
                self.on_read(slot, &reply, &Stage::Value(metadata), now);
            }
            (Slot::Keys(slot), Response::BackedUp(Ok(reply))) => self.on_read(slot, &reply, &Stage::Delete, now),
            (Slot::Keys(slot), Response::BackedUp(Err(why))) => self.on_lost_backup(slot, &why, now),
            (Slot::Probe, Response::Namespace(answer)) => self.on_probe(answer, now),
            (Slot::Page, Response::Page(answer)) => self.on_page(answer, now),
            (slot, response) => debug_assert!(false, "{response:?} is no response for {slot:?}"),
        }
    }

    /// `left` are the keys that a call which succeeded left undeleted.
    pub(super) fn on_reply(&mut self, slot: usize, reply: &Reply, left: &HashSet<&str>, now: Instant) {
        let Some(InFlight { mut parcel, permit, probe }) = self.slots.try_remove(slot) else {
            return;
        };
        self.hear(&reply.quota, &permit, now);
        let read = parcel.first().is_some_and(|work| work.stage.is_read());
        self.see_sign(&reply.answer, &mut parcel, read, probe, now);
        if let Answer::Throttled { pause, refusal } = &reply.answer {
            self.totals.throttled += 1;
            if refusal.code == Some(TOO_MANY_BULK_CALLS) {
                self.most_in_flight = (self.most_in_flight / 2).max(1);
            }
            let lasts = self.budget.throttled(&permit, *pause, now);
            self.on_pause(*pause, lasts, now);
        }
        let caught = self.outage.since().is_some();
        let halves = halves(&reply.answer, &parcel, caught);
        // The last comes first, because each goes in front of those that wait.
        for mut work in parcel.into_iter().rev() {
            if let Some(together) = halves {
                work.together = together;
                if let Answer::Refused(refusal) = &reply.answer {
                    // One of them is bad, and it will be alone in the end: no other loses a retry.
                    work.last = Some(Box::new(Verdict::from(Trouble::Refused(refusal.clone()))));
                    self.queue(&work).push_again(work);
                    continue;
                }
            }
            let answer = if left.contains(work.key.as_str()) {
                let trouble = Trouble::Refused(left_undeleted(reply.http_status));
                Answer::Passing { trouble, retry_after: None }
            } else {
                reply.answer.clone()
            };
            self.on_answer(work, answer, reply.http_status, caught, now);
        }
        self.budget.give_back(permit, now);
    }

    /// What the answer says of the server.
    pub(super) fn see_sign(&mut self, answer: &Answer, parcel: &mut [Work], read: bool, probe: bool, now: Instant) {
        let resent = parcel.iter().any(|work| work.history.resent);
        // Many keys that fail together are no key's own trouble.
        let first_attempt = parcel.len() > 1 || parcel.iter().any(|work| !work.judged);
        match sign_of(answer, resent, first_attempt) {
            Some(sign) => {
                if let (Sign::Down { .. }, Answer::Passing { trouble, .. }) = (sign, answer) {
                    self.trouble = Some(Verdict::from(trouble.clone()).to_string());
                }
                if matches!(sign, Sign::Down { .. }) {
                    for work in parcel.iter_mut() {
                        work.judged = true;
                    }
                }
                self.observe_stage(sign, read, probe, now);
            }
            None if probe && matches!(answer, Answer::Stale(_)) => {
                self.outage.probe_was_cut_off(now);
                self.tell_of_outage(true, now);
            }
            None if probe => self.outage.probe_said_nothing(now),
            None => {}
        }
    }

    /// What becomes of one key.
    fn on_answer(&mut self, mut work: Work, answer: Answer, http_status: Option<u16>, caught: bool, now: Instant) {
        let asked = match &answer {
            Answer::Passing { retry_after, .. } => *retry_after,
            _ => None,
        };
        match decide(answer, work.history, &self.options.retry, &mut self.rng) {
            Decision::Success => self.settle(work, Status::Deleted, http_status, None, now),
            Decision::Settle(verdict) | Decision::Retry(_, verdict) if caught && verdict.passes => {
                // No retry is lost to an outage, and another key is the next probe.
                work.last = Some(Box::new(verdict));
                self.queue(&work).push_last(work);
            }
            Decision::Settle(verdict) => self.settle_as(work, verdict, now),
            Decision::Retry(wait, verdict) => {
                work.failed(self.epoch, verdict);
                self.events.push(Event::Retrying);
                self.put_off(work, wait, asked, now);
            }
            Decision::Resend(verdict) => {
                work.history.resent = true;
                work.last = Some(Box::new(verdict));
                self.queue(&work).push_again(work);
            }
            Decision::Pause(_, verdict) => {
                work.last = Some(Box::new(verdict));
                self.queue(&work).push_again(work);
            }
            Decision::Stop(stop, verdict) => {
                self.stop(stop, now);
                self.settle_as(work, verdict, now);
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

    /// The answer to a probe ([`Slot::Probe`]) came.
    pub fn on_probe(&mut self, answer: Result<(), Reply>, now: Instant) {
        let Some(permit) = self.probe.take() else { return };
        let decision =
            answer.map_err(|reply| decide(reply.answer, History::default(), &self.options.retry, &mut self.rng));
        match decision {
            Ok(()) | Err(Decision::Success) => {
                self.outage.namespace_answered();
                self.tell_of_outage(true, now);
            }
            Err(Decision::Settle(verdict) | Decision::Retry(_, verdict)) => {
                self.trouble = Some(verdict.to_string());
                self.observe(Sign::Down { first_attempt: false }, true, now);
            }
            Err(Decision::Resend(_)) => {
                self.outage.probe_was_cut_off(now);
                self.tell_of_outage(true, now);
            }
            Err(Decision::Pause(asked, _)) => {
                self.totals.throttled += 1;
                let pause = self.budget.throttled(&permit, asked, now);
                self.on_pause(asked, pause, now);
                self.outage.probe_said_nothing(now);
            }
            Err(Decision::Stop(stop, _)) => self.stop(stop, now),
        }
        self.budget.give_back(permit, now);
    }

    pub(super) fn observe(&mut self, sign: Sign, probe: bool, now: Instant) {
        self.observe_stage(sign, false, probe, now);
    }

    fn observe_stage(&mut self, sign: Sign, read: bool, probe: bool, now: Instant) {
        if sign == Sign::Alive && !read {
            self.epoch += 1;
        }
        let was_down = self.outage.since().is_some();
        let requests = self.options.batching.requests(self.totals.keys);
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
            let in_flight = self.slots.iter_mut().flat_map(|(_, in_flight)| &mut in_flight.parcel);
            in_flight.for_each(|work| work.refund(epoch));
            self.errand.iter_mut().for_each(Errand::refund);
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

    pub(super) fn on_pause(&mut self, asked: Option<Duration>, pause: Duration, now: Instant) {
        let counted = asked.unwrap_or(pause);
        if counted > self.options.max_pause {
            let (asked, most) = (duration(counted), duration(self.options.max_pause));
            let why =
                format!("the server answered 429 and asks for a pause of {asked}, longer than --max-pause {most}");
            self.stop(Stop::new(StopReason::Outage, why), now);
        } else {
            self.pause_told(now + pause, PauseCause::Throttled);
        }
    }
}

/// What an answer says about the server; nothing where the connection or the quota was the matter.
pub(super) fn sign_of(answer: &Answer, resent: bool, first_attempt: bool) -> Option<Sign> {
    match answer {
        Answer::Success | Answer::Absent(_) | Answer::Refused(_) | Answer::DailyLimit(_) | Answer::Fatal(..) => {
            Some(Sign::Alive)
        }
        Answer::Passing { .. } => Some(Sign::Down { first_attempt }),
        // A second time in a row it is no accident of keep-alive.
        Answer::Stale(_) if resent => Some(Sign::Down { first_attempt }),
        Answer::Stale(_) | Answer::Throttled { .. } => None,
    }
}

/// Why a key has to be sent again whose bulk call succeeded.
fn left_undeleted(http_status: Option<u16>) -> Refusal {
    let message = "the bulk call did not delete this key (unsuccessful_keys)".to_owned();
    Refusal { http_status, code: None, message }
}

/// How many of these keys may go together from now on, where fewer may: a call that is refused as a whole is refused
/// for one of its keys, and one that keeps failing may be too large.
fn halves(answer: &Answer, parcel: &[Work], caught: bool) -> Option<NonZeroU32> {
    let half = u32::try_from(parcel.len().div_ceil(2)).ok().and_then(NonZeroU32::new);
    let again = parcel.iter().any(|work| work.history.failures > 0);
    match answer {
        _ if parcel.len() < 2 => None,
        Answer::Refused(_) => half,
        Answer::Passing { .. } if again && !caught => half,
        _ => None,
    }
}
