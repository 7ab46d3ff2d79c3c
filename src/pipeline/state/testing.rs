//! What tests make and see of a state.

use std::hash::{Hash, Hasher};

use rand::rngs::StdRng;
use tokio::time::Instant;

use super::{Slot, State};
use crate::pipeline::call::ApiCaller;
use crate::pipeline::options::Options;
use crate::pipeline::task::{KeyTask, Sent};
use crate::quota::Budget;

impl State {
    /// A job whose namespace was found.
    pub(crate) fn new(options: Options, budget: Budget, rng: StdRng) -> Self {
        let mut caller = ApiCaller::with_budget(budget, options.retry, options.max_wait, rng);
        caller.max_wait.namespace_found();
        Self::after(caller, options)
    }

    /// Hashes what decides about the job's course, without times, texts and counters that only grow: two states with the
    /// same hash differ in nothing but when things happened.
    pub(crate) fn fingerprint(&self, hasher: &mut impl Hasher) {
        let queue = |tasks: &mut dyn Iterator<Item = &KeyTask>| -> Vec<_> {
            tasks.map(|task| task.fingerprint(self.caller.breaker.epoch, self.caller.breaker.successes)).collect()
        };
        for ready in [&self.queues.deletes, &self.queues.reads] {
            [&ready.again, &ready.fresh].map(|tasks| queue(&mut tasks.iter())).hash(hasher);
        }
        queue(&mut self.queues.waiting()).hash(hasher);
        let mut slots: Vec<_> = self
            .slots
            .iter()
            .map(|(_, in_flight)| match &in_flight.sent {
                Sent::Keys(keys) => (0, in_flight.probe, queue(&mut keys.iter())),
                Sent::Page => (1, in_flight.probe, Vec::new()),
                Sent::Namespace { check } => (2 + i32::from(*check), in_flight.probe, Vec::new()),
            })
            .collect();
        slots.sort();
        slots.hash(hasher);
        for suspended in &self.access.suspended {
            match &suspended.sent {
                Sent::Keys(keys) => queue(&mut keys.iter()).hash(hasher),
                sent => matches!(sent, Sent::Page).hash(hasher),
            }
        }
        let epoch = self.caller.breaker.epoch;
        (self.access.sent, self.access.attempt.fingerprint(epoch)).hash(hasher);
        if let Some(fetch) = &self.paging {
            (fetch.in_flight, fetch.attempt.fingerprint(epoch)).hash(hasher);
        }
        self.caller.breaker.fingerprint().hash(hasher);
        (self.presence_batch, self.queues.reads.lingering_since.is_some()).hash(hasher);
        self.queues.deletes.lingering_since.is_some().hash(hasher);
        (self.most_in_flight, self.begun.min(self.options.canary), self.access.denied, self.probe_untried).hash(hasher);
        let stop = self.stop.as_ref().map(|(stop, _)| (stop.reason, stop.pending as u8));
        (self.unwritten(), self.caller.totals.keys, stop, self.input_ended, self.signalled, self.paused).hash(hasher);
        (self.caller.max_wait.has_worked(), self.caller.max_wait.ends_at().is_some(), self.access.has_read)
            .hash(hasher);
    }

    /// Requests in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.slots.len()
    }

    /// Whether a response for this slot is waited for.
    pub(crate) fn awaits(&self, slot: Slot) -> bool {
        self.slots.contains(slot.0)
    }

    /// Whether this request was sent as a probe.
    pub(crate) fn is_probe(&self, slot: Slot) -> bool {
        self.slots[slot.0].probe
    }

    /// Permits that were taken from the budget and are not back.
    pub(crate) fn permits(&self) -> usize {
        self.caller.budget.in_flight()
    }

    /// Whether a key waits to be sent again that may be sent now, as far as its own backoff goes.
    pub(crate) fn has_retry_due(&self, now: Instant) -> bool {
        let due = self.queues.next_due().is_some_and(|due| due <= now);
        due || [&self.queues.deletes, &self.queues.reads].iter().any(|queue| !queue.again.is_empty())
    }
}
