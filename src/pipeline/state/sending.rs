//! Which request is sent next, and when.

use std::time::Duration;

use tokio::time::Instant;

use super::reading::read;
use super::{Slot, State, Step};
use crate::pipeline::event::{Event, PauseCause};
use crate::pipeline::outage::Allowance;
use crate::pipeline::parcel::{Batching, Choice};
use crate::pipeline::request::Request;
use crate::pipeline::work::{InFlight, Work};
use crate::quota::{NotYet, Permit};

/// A wait for the rate that is worth a word.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// How long a bulk call that is not full waits for more keys. As long as a request takes at the API's own rate, so that
/// waiting costs no speed.
pub(super) const LINGER: Duration = Duration::from_millis(250);

/// The same where keys are read first, of which far fewer come in a second. What is written to a key in this time, after
/// it was backed up or looked for, is lost.
const LINGER_READ: Duration = Duration::from_secs(10);

impl State {
    /// One more request, or the moment to ask again (`None`: when something happens).
    pub(super) fn try_send(&mut self, now: Instant) -> Result<Step, Option<Instant>> {
        let asks = self.wants_page(now);
        if (!self.has_keys() && !asks) || !self.has_room_for_rows() {
            return Err(None);
        }
        let probe = match self.outage.allowance(now) {
            Allowance::InFlight(most) if self.in_flight() < most.min(self.most_in_flight) => false,
            Allowance::Probe if self.in_flight() < self.most_in_flight => true,
            Allowance::NotBefore(moment) => return Err(Some(moment)),
            Allowance::InFlight(_) | Allowance::Probe | Allowance::AwaitProbe => return Err(None),
        };
        // A key that was never sent is the better probe.
        if asks && !(probe && self.entrance().has_fresh()) {
            return self.ask(probe, now);
        }
        let choice = self.choice(probe);
        let turn = self.turn(probe, choice, now)?;
        let permit = self.take_permit(probe, now)?;
        let parcel = self.take_turn(turn, probe, choice);
        if parcel.is_empty() {
            self.probe = Some(permit);
            return Ok(Step::Send { slot: Slot::Probe, request: Request::Namespace });
        }
        Ok(self.begin(parcel, permit, probe, now))
    }

    /// The right to send one request now, which is then counted.
    pub(super) fn take_permit(&mut self, probe: bool, now: Instant) -> Result<Permit, Option<Instant>> {
        let permit = match self.budget.try_take(now) {
            Ok(permit) => permit,
            Err(NotYet::Until(moment)) => {
                self.tell_of_rate(moment, now);
                return Err(Some(moment));
            }
            Err(NotYet::AnAnswer) => return Err(None),
        };
        self.totals.requests += 1;
        if probe {
            self.outage.probe_sent();
        } else if std::mem::take(&mut self.paused) {
            self.events.push(Event::Running);
        }
        Ok(permit)
    }

    fn begin(&mut self, mut parcel: Vec<Work>, permit: Permit, probe: bool, now: Instant) -> Step {
        self.totals.retries += u64::from(parcel.iter().any(|work| work.tried));
        for work in &mut parcel {
            self.begun += u64::from(work.attempts == 0);
            work.attempts += 1;
            work.tried = true;
            work.first_sent.get_or_insert(now);
        }
        let read = read(&parcel);
        if read.is_none() {
            self.filling = None;
        } else {
            self.gathering = None;
        }
        let request = match (self.options.batching, &parcel[..]) {
            _ if let Some(read) = read => read,
            (Batching::Single, [work]) => Request::Delete(work.key.clone()),
            (_, works) => Request::DeleteMany(works.iter().map(|work| work.key.clone()).collect()),
        };
        let slot = Slot::Keys(self.slots.insert(InFlight { parcel, permit, probe }));
        Step::Send { slot, request }
    }

    /// A listener wants to know why nothing happens for a while.
    fn tell_of_rate(&mut self, moment: Instant, now: Instant) {
        if !self.paused && moment >= now + LONG_WAIT && self.budget.paused_until(now).is_none() {
            self.paused = true;
            self.events.push(Event::Paused { until: moment, cause: PauseCause::Rate });
        }
    }

    /// The keys that the next request may hold.
    fn choice(&self, probe: bool) -> Choice {
        // Once all canaries are on their way, no other key is begun before all of them are settled.
        let canaries_left = self.options.canary.saturating_sub(self.begun);
        let waits = canaries_left == 0 && self.totals.tally.sent() < self.options.canary;
        match (probe, waits) {
            // A key that has not failed yet tells most about the server. Where none is left, the server is asked
            // without one: the keys that remain may be just those that it cannot delete.
            (true, false) => Choice::Probe,
            (_, true) => Choice::Fresh(0),
            (false, false) if canaries_left > 0 => Choice::Fresh(canaries_left),
            (false, false) => Choice::Fresh(u64::MAX),
        }
    }

    /// Whether more keys may come that a bulk call could take along.
    fn may_fill(&self) -> bool {
        let reading = !self.input_ended && self.stop.is_none();
        reading || !self.reads.is_empty() || !self.waiting.is_empty() || !self.slots.is_empty()
    }

    /// Until when a bulk call waits for more keys, if it does.
    pub(super) fn lingers(&mut self, choice: Choice, now: Instant) -> Option<Instant> {
        if self.ready.is_full(self.options.batching, choice) || !self.may_fill() {
            return None;
        }
        let linger = if self.options.course.reads() { LINGER_READ } else { LINGER };
        let until = *self.filling.get_or_insert(now) + linger;
        (now < until).then_some(until)
    }
}
