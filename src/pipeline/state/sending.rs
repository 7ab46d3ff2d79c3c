//! Which request is sent next, and when.

use std::time::Duration;

use tokio::time::Instant;

use super::{Blocked, MOST_PAYLOAD, Slot, State, Step};
use crate::outcome::{Detail, Status};
use crate::pipeline::batch::{Batching, request};
use crate::pipeline::circuit_breaker::Allowance;
use crate::pipeline::event::{Event, PauseCause};
use crate::pipeline::expiry::{expiry, unix_now};
use crate::pipeline::options::{KeyAction, OnExisting};
use crate::pipeline::queues::Queue;
use crate::pipeline::request::Request;
use crate::pipeline::task::{InFlight, KeyTask, Sent};
use crate::quota::{NotYet, Permit};

/// A wait for the rate that is reported.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// How long a bulk call that is not full waits for more keys. As long as a request takes at the API's own rate, so that
/// waiting costs no speed.
const LINGER: Duration = Duration::from_millis(250);

/// The same if keys are read first, of which far fewer come in a second, and for pairs as long as more come from a file. What is
/// written to a key in this time, after it was backed up or looked for, is lost.
const LINGER_READ: Duration = Duration::from_secs(10);

impl State {
    /// One more request, or what keeps it from being sent.
    pub(super) fn try_send(&mut self, now: Instant) -> Result<Step, Blocked> {
        let wants_page = self.wants_page(now);
        let wants_check = !self.access.suspended.is_empty() && !self.access.sent;
        if !(self.queues.has_ready() || wants_page || wants_check) || !self.has_room_for_rows() {
            return Err(Blocked::UNTIL_EVENT);
        }
        // What a killed process would send again is never more than may be in flight.
        let used = self.unaccounted_requests();
        let probe = match self.caller.breaker.allowance(now) {
            Allowance::InFlight(most) if used < most.min(self.most_in_flight) => false,
            Allowance::Probe if used < self.most_in_flight => true,
            Allowance::NotBefore(moment) => return Err(Blocked::by_server(Some(moment))),
            Allowance::InFlight(_) | Allowance::Probe | Allowance::AwaitProbe => return Err(Blocked::by_server(None)),
        };
        if !self.access.suspended.is_empty() {
            // Nothing else is sent until it is known if the refusal is one key's or the whole job's.
            return self.send_access_check(probe, now);
        }
        if probe {
            return self.send_probe(wants_page, now);
        }
        if wants_page {
            return self.send_page(probe, now);
        }
        let fresh = self.most_fresh();
        let in_doubt = self.is_in_doubt();
        let untried = if in_doubt && self.probe_untried { self.untried() } else { None };
        let (queue, fresh) = match untried {
            Some(queue) => (queue, fresh),
            None => self.next_queue(fresh, now).map_err(Blocked::until)?,
        };
        let permit = self.take_permit(probe, now)?;
        self.probe_untried ^= in_doubt;
        let batching = self.batching(queue);
        let keys = self.queues.get_mut(queue);
        let batch =
            if untried.is_some() { keys.fresh.pop_front().into_iter().collect() } else { keys.take(batching, fresh) };
        let batch = self.without_expired(batch, now);
        if batch.is_empty() {
            self.caller.totals.requests -= 1;
            self.caller.budget.give_back(permit, now);
            return self.try_send(now);
        }
        Ok(self.begin(batch, permit, probe, now))
    }

    /// The same keys, without those whose value would be refused because it expires too soon by now.
    fn without_expired(&mut self, batch: Vec<KeyTask>, now: Instant) -> Vec<KeyTask> {
        if batch.iter().all(|task| task.pair.as_ref().is_none_or(|pair| pair.expiration.is_none())) {
            return batch;
        }
        let (mut alive, unix_now) = (Vec::with_capacity(batch.len()), unix_now());
        for task in batch {
            match task.pair.as_ref().and_then(|pair| expiry(pair.expiration, unix_now)) {
                None => alive.push(task),
                Some(error) => self.settle(task, Status::Invalid, None, Some(Detail::of(error)), now),
            }
        }
        alive
    }

    /// Whether every other request is for a key that was never sent: at a low rate a retry is always due, and retries do
    /// not show that the server is down.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.caller.breaker.is_in_doubt() && self.options.batching == Batching::Single
    }

    /// The queue that has a key which was never sent, and may be sent now.
    fn untried(&self) -> Option<Queue> {
        (self.has_untried() && !self.waits_for_canaries()).then_some(self.input_queue())
    }

    /// In an outage one request at a time shows if it is over. A key that waits to be sent again goes first; if that
    /// fails, the next probe is a key that was never sent, which shows more about the server than one that may be what it
    /// cannot delete. If there is none, the namespace is requested.
    fn send_probe(&mut self, wants_page: bool, now: Instant) -> Result<Step, Blocked> {
        // Deletes first: that reads succeed says little about them.
        let sent_before =
            [Queue::Delete, Queue::Read].into_iter().find(|queue| !self.queues.get(*queue).again.is_empty());
        let (again, untried) = (sent_before.filter(|_| !self.probe_untried), self.untried());
        if again.or(untried).is_none() && wants_page {
            let step = self.send_page(true, now)?;
            self.probe_untried = !self.probe_untried;
            return Ok(step);
        }
        let permit = self.take_permit(true, now)?;
        self.probe_untried = !self.probe_untried;
        let task = match (again, untried) {
            (Some(queue), _) => self.queues.get_mut(queue).again.pop_front(),
            (None, Some(queue)) => self.queues.get_mut(queue).fresh.pop_front(),
            (None, None) => None,
        };
        Ok(match task {
            Some(task) => self.begin(vec![task], permit, true, now),
            None => self.send(Sent::Namespace { check: false }, Request::Namespace, permit, true),
        })
    }

    pub(super) fn send(&mut self, sent: Sent, request: Request, permit: Permit, probe: bool) -> Step {
        let slot = Slot(self.slots.insert(InFlight { sent, permit, probe }));
        Step::Send { slot, request }
    }

    /// The right to send one request now, which is then counted.
    pub(super) fn take_permit(&mut self, probe: bool, now: Instant) -> Result<Permit, Blocked> {
        let permit = match self.caller.take_permit(now) {
            Ok(Ok(permit)) => permit,
            Ok(Err(NotYet::Until(moment, limit))) => {
                self.emit_rate_pause(moment, now);
                return Err(Blocked { until: Some(moment), by: Some(limit) });
            }
            Ok(Err(NotYet::AnAnswer)) => return Err(Blocked::UNTIL_EVENT),
            Err(stop) => {
                self.stop(stop, now);
                return Err(Blocked::UNTIL_EVENT);
            }
        };
        if probe {
            self.caller.breaker.probe_sent();
        } else if std::mem::take(&mut self.paused) {
            self.events.push(Event::Running);
        }
        Ok(permit)
    }

    /// A request is sent, perhaps not for the first time.
    pub(super) fn count_retry(&mut self, again: bool) {
        if again {
            self.caller.totals.retries += 1;
            self.events.push(Event::Retrying);
        }
    }

    fn begin(&mut self, mut batch: Vec<KeyTask>, permit: Permit, probe: bool, now: Instant) -> Step {
        self.count_retry(batch.iter().any(|task| task.attempt.sent > 0));
        for task in &mut batch {
            self.begun += u64::from(task.requests == 0);
            task.requests += 1;
            task.attempt.sent += 1;
            task.first_sent.get_or_insert(now);
        }
        if let Some(first) = batch.first() {
            self.queues.of(first).lingering_since = None;
        }
        let request = request(&batch, self.options.batching);
        self.send(Sent::Keys(batch), request, permit, probe)
    }

    /// A listener wants to know why nothing happens for a while.
    fn emit_rate_pause(&mut self, moment: Instant, now: Instant) {
        if !self.paused && moment >= now + LONG_WAIT && self.caller.budget.paused_until(now).is_none() {
            self.paused = true;
            self.events.push(Event::Paused { until: moment, cause: PauseCause::Rate });
        }
    }

    /// Whether all canaries were sent and not all of them are settled: no other key is begun meanwhile.
    fn waits_for_canaries(&self) -> bool {
        self.begun >= self.options.canary && self.settled < self.options.canary
    }

    /// How many keys that were never sent the next request may hold.
    fn most_fresh(&self) -> u64 {
        match self.options.canary.saturating_sub(self.begun) {
            0 if self.waits_for_canaries() => 0,
            0 => u64::MAX,
            canaries_left => canaries_left,
        }
    }

    /// Whether more keys may come that a bulk call could take along.
    fn may_fill(&self) -> bool {
        let reading = !self.input_ended && self.stop.is_none() && self.payload < MOST_PAYLOAD;
        reading || !self.queues.reads.is_empty() || self.queues.next_due().is_some() || !self.slots.is_empty()
    }

    /// The queue that the next request takes from, and how many keys of it that were never sent; otherwise until when to
    /// wait, if that is known. Deletes go first, so that little time passes between reading a value and deleting it.
    fn next_queue(&mut self, fresh: u64, now: Instant) -> Result<(Queue, u64), Option<Instant>> {
        let mut wait = None;
        let read = self.may_read(now);
        for queue in [Queue::Delete, Queue::Read] {
            let fresh = match read {
                // What was begun has its requests, if each key has requests of its own.
                Err(_) if queue == Queue::Read && self.options.batching == Batching::Single => 0,
                Err(_) if queue == Queue::Read => continue,
                _ => fresh,
            };
            let keys = self.queues.get(queue);
            let may_go = !keys.is_empty() && (fresh != 0 || !keys.again.is_empty());
            if !may_go || (queue == Queue::Delete && self.waits_for_page(fresh)) {
                continue;
            }
            let Some(until) = self.linger(queue, fresh, now) else { return Ok((queue, fresh)) };
            wait = Some(wait.map_or(until, |earlier| until.min(earlier)));
        }
        let Err(Some(moment)) = read else { return Err(wait) };
        if wait.is_none() && self.slots.is_empty() {
            self.emit_rate_pause(moment, now);
        }
        Err(Some(wait.map_or(moment, |earlier| moment.min(earlier))))
    }

    /// Whether a key may be read before it is changed; otherwise when to ask again, if that is known. What was read is old
    /// once a window of the rate that is used up has passed, so enough of the window is left for what follows.
    fn may_read(&mut self, now: Instant) -> Result<(), Option<Instant>> {
        let needed = match (self.options.action, self.options.batching) {
            // A key takes three requests, and those that were begun two more each.
            (KeyAction::BackUpThenDelete, Batching::Single) => 3 + 2 * (self.begun - self.settled),
            // Besides this one, the call that all of them share.
            (KeyAction::BackUpThenDelete, Batching::Bulk(_))
            | (KeyAction::Put(OnExisting::Keep | OnExisting::Compare), _) => 2,
            _ => return Ok(()),
        };
        let Some((left, more_at)) = self.caller.budget.left(LINGER_READ, now) else { return Ok(()) };
        // No more are left of a window in which nothing was sent.
        let is_whole = more_at.is_none() && self.slots.is_empty();
        if left >= needed + u64::from(self.paging.is_some()) || is_whole { Ok(()) } else { Err(more_at) }
    }

    /// Until when a request for many keys waits for more of them, if it does.
    fn linger(&mut self, queue: Queue, fresh: u64, now: Instant) -> Option<Instant> {
        let may_fill = if queue == Queue::Read { self.wants_more() } else { self.may_fill() };
        if self.queues.get(queue).is_full(self.batching(queue), fresh) || !may_fill {
            return None;
        }
        let is_put = matches!(self.options.action, KeyAction::Put(_));
        let waits_long = queue == Queue::Delete && (self.options.action.reads() || (is_put && !self.input_ended));
        let linger = if waits_long { LINGER_READ } else { LINGER };
        let until = *self.queues.get_mut(queue).lingering_since.get_or_insert(now) + linger;
        (now < until).then_some(until)
    }
}
