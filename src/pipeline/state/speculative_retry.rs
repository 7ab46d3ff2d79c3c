//! Speculative retries at the end of a job, when no other key is left to send.
//!
//! A backoff spares a server that is overloaded. At the end of a job whose server is up it only costs time: one key in a
//! thousand that failed three times by chance would delay the end by seconds. So a key whose retry is due later is tried
//! before that, if nothing else is to be sent and the server is up. If it fails, it waits from the moment at which it was
//! due: it has lost a retry, but its last one comes no sooner than without speculation. That happens to a key four times at
//! most and never with its last retry; a few failures in a row end all speculation until the next success, so that a server
//! that goes down takes no retries; and a pause that the server asked for is never cut short. In bulk there is none: there
//! a call succeeds and leaves keys behind, which says nothing of them.

use std::time::Duration;

use tokio::time::Instant;

use super::State;
use crate::pipeline::batch::Batching;
use crate::pipeline::task::KeyTask;

/// How long a key waits before its first speculative retry; each time twice as long as before.
const FIRST_WAIT: Duration = Duration::from_millis(10);

/// How many speculative retries a key has.
const MOST: u8 = 4;

impl State {
    /// `task` is sent again once it is due, or speculatively before.
    pub(super) fn push_again(&mut self, mut task: KeyTask, now: Instant) {
        let speculates = self.options.batching == Batching::Single
            && task.attempt.due.is_some()
            && task.speculative_tries < MOST
            && task.attempt.history.failures < self.caller.policy.retries;
        task.speculative_from = speculates.then(|| now + FIRST_WAIT * 2u32.pow(u32::from(task.speculative_tries)));
        self.queues.push_again(task);
    }

    /// Moves those that are due, or that may be tried speculatively, to where they are sent from.
    pub(super) fn take_due(&mut self, now: Instant) {
        self.queues.take_due(now);
        if self.may_speculate() {
            self.queues.take_speculative(now);
        }
    }

    /// When a waiting key is to be looked at again.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let moments = || self.queues.waiting().filter_map(|task| task.speculative_from);
        let speculative = if self.may_speculate() { moments().min() } else { None };
        [self.queues.next_due(), speculative].into_iter().flatten().min()
    }

    /// Whether nothing but waiting keys is left, and the server is up.
    fn may_speculate(&self) -> bool {
        self.input_ended && self.stop.is_none() && self.caller.breaker.is_well() && !self.queues.has_ready()
    }
}
