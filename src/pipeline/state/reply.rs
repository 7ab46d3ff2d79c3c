//! What an answer leads to: a final state, a retry, a pause, the end of the job.

use std::time::Duration;

use tokio::time::Instant;

use super::State;
use crate::api::advice::QuotaNews;
use crate::api::answer::Reply;
use crate::outcome::{Status, StopReason};
use crate::pipeline::event::{Event, PauseCause};
use crate::pipeline::outage::{Allowance, Sign};
use crate::pipeline::retry::{Decision, History, decide};
use crate::pipeline::stop::Stop;
use crate::pipeline::work::{Due, InFlight};
use crate::quota::{News, Permit, Rate};
use crate::terminal::duration;

impl State {
    /// The reply for a slot came.
    pub fn on_reply(&mut self, slot: usize, reply: Reply, now: Instant) {
        let Some(InFlight { mut work, permit, probe }) = self.slots.try_remove(slot) else {
            return;
        };
        self.hear(&reply, &permit, now);
        let decision = decide(reply.answer, work.history, &self.options.retry, &mut self.rng);
        if let Some(sign) = sign_of(&decision, !work.judged) {
            work.judged |= matches!(sign, Sign::Down { .. });
            self.observe(sign, probe, now);
        } else if probe && matches!(decision, Decision::Resend(_)) {
            self.outage.probe_was_cut_off(now);
            self.tell_of_outage(true, now);
        } else if probe {
            self.outage.probe_said_nothing(now);
        }
        let caught = self.outage.since().is_some();
        match decision {
            Decision::Success => self.settle(work, Status::Deleted, reply.http_status, None, now),
            Decision::Settle(verdict) | Decision::Retry(_, verdict) if caught && verdict.passes => {
                // No retry is lost to an outage, and another key is the next probe.
                work.last = Some(Box::new(verdict));
                self.ready.push_back(work);
            }
            Decision::Settle(verdict) => self.settle_as(work, verdict, now),
            Decision::Retry(wait, verdict) => {
                work.failed(self.epoch, verdict);
                self.events.push(Event::Retrying);
                self.waiting.push(Due { at: now + wait, work });
            }
            Decision::Resend(verdict) => {
                work.history.resent = true;
                work.last = Some(Box::new(verdict));
                self.ready.push_front(work);
            }
            Decision::Pause(asked, verdict) => {
                self.totals.throttled += 1;
                let pause = self.budget.throttled(&permit, asked, now);
                self.on_pause(asked, pause, now);
                work.last = Some(Box::new(verdict));
                self.ready.push_front(work);
            }
            Decision::Stop(stop, verdict) => {
                self.stop(stop, now);
                self.settle_as(work, verdict, now);
            }
        }
        self.budget.give_back(permit, now);
    }

    /// What the answer says of the server's quota.
    fn hear(&mut self, reply: &Reply, permit: &Permit, now: Instant) {
        for news in &reply.quota {
            let policy = news.policy.and_then(|(count, window)| Rate::new(u32::try_from(count).ok()?, window));
            let QuotaNews { name, remaining, reset_after, .. } = news;
            let news = News { name, remaining: *remaining, reset_after: *reset_after, policy };
            self.budget.observe(news, permit, now);
        }
    }

    /// The answer to a [`Step::Probe`](super::Step::Probe) came.
    pub fn on_probe(&mut self, answer: Result<(), Reply>, now: Instant) {
        let Some(permit) = self.probe.take() else { return };
        let decision =
            answer.map_err(|reply| decide(reply.answer, History::default(), &self.options.retry, &mut self.rng));
        match decision {
            Ok(()) | Err(Decision::Success) => {
                self.outage.namespace_answered();
                self.tell_of_outage(true, now);
            }
            Err(Decision::Settle(_) | Decision::Retry(..)) => {
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
        if sign == Sign::Alive {
            self.epoch += 1;
        }
        let was_down = self.outage.since().is_some();
        let opened = self.outage.observe(sign, probe, self.totals.keys, now);
        if opened {
            // What the keys lost while the server went down is given back.
            let epoch = self.epoch;
            let waiting = std::mem::take(&mut self.waiting);
            self.waiting = waiting.into_iter().map(|due| Due { work: due.work.refunded(epoch), ..due }).collect();
            self.ready.iter_mut().for_each(|work| work.refund(epoch));
            self.slots.iter_mut().for_each(|(_, in_flight)| in_flight.work.refund(epoch));
        }
        self.tell_of_outage(was_down, now);
    }

    fn tell_of_outage(&mut self, was_down: bool, now: Instant) {
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

    fn on_pause(&mut self, asked: Option<Duration>, pause: Duration, now: Instant) {
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

/// What a decision says about the server; nothing where the connection or the quota was the matter.
fn sign_of(decision: &Decision, first_attempt: bool) -> Option<Sign> {
    match decision {
        Decision::Success | Decision::Stop(..) => Some(Sign::Alive),
        Decision::Settle(verdict) if !verdict.passes => Some(Sign::Alive),
        Decision::Settle(_) | Decision::Retry(..) => Some(Sign::Down { first_attempt }),
        Decision::Resend(_) | Decision::Pause(..) => None,
    }
}
