//! Keys that wait for a retry, and speculative retries at the end of a job, when no other key is left to send.
//!
//! A backoff spares a server in trouble. At the end of a job whose server is well it only costs time: one key in a
//! thousand that failed three times by chance would delay the end by seconds. So a key whose retry is due later is tried
//! before that, if nothing else is to be sent and the server is well. If it fails, it waits from the moment at which it was
//! due: it has lost a retry, but its last one comes no sooner than without speculation. That happens to a key four times at
//! most and never with its last retry; a few failures in a row end all speculation until the next success, so that a server
//! that goes down takes no retries; and a pause that the server asked for is never cut short. In bulk there is none: there
//! a call succeeds and leaves keys behind, which says nothing of them.

use std::time::Duration;

use tokio::time::Instant;

use super::State;
use crate::pipeline::batch::Batching;
use crate::pipeline::task::{DelayedTask, KeyTask};

/// How long a key waits before its first speculative retry; each time twice as long as before.
const FIRST_WAIT: Duration = Duration::from_millis(10);

/// How many speculative retries a key has.
const MOST: u8 = 4;

impl State {
    /// `task` waits for its retry; from the moment at which it was due, if this was a speculative one.
    pub(super) fn schedule_retry(&mut self, mut task: KeyTask, wait: Duration, now: Instant) {
        let at = match task.scheduled.take() {
            Some(due) => due.max(now) + wait,
            None => now + wait,
        };
        let speculates = self.options.batching == Batching::Single
            && task.speculative_tries < MOST
            && task.history.failures < self.options.retry.retries;
        let speculative_from = speculates.then(|| now + FIRST_WAIT * 2u32.pow(u32::from(task.speculative_tries)));
        self.waiting.push(DelayedTask { at, speculative_from, task });
    }

    /// Moves those that are due, or that may be tried speculatively, to where they are sent from.
    pub(super) fn take_due(&mut self, now: Instant) {
        while self.waiting.peek().is_some_and(|due| due.at <= now) {
            let Some(due) = self.waiting.pop() else { break };
            self.queue(&due.task).push_again(due.task);
        }
        if self.may_speculate() && self.speculative_moments().any(|moment| moment <= now) {
            let waiting = std::mem::take(&mut self.waiting);
            for mut due in waiting.into_sorted_vec().into_iter().rev() {
                if due.speculative_from.is_some_and(|moment| moment <= now) {
                    due.task.scheduled = Some(due.at);
                    due.task.speculative_tries += 1;
                    self.queue(&due.task).push_last(due.task);
                } else {
                    self.waiting.push(due);
                }
            }
        }
    }

    /// When a waiting key is to be looked at again.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let due = self.waiting.peek().map(|due| due.at);
        let speculative = if self.may_speculate() { self.speculative_moments().min() } else { None };
        [due, speculative].into_iter().flatten().min()
    }

    fn speculative_moments(&self) -> impl Iterator<Item = Instant> {
        self.waiting.iter().filter_map(|due| due.speculative_from)
    }

    /// Whether nothing but waiting keys is left, and the server is well.
    fn may_speculate(&self) -> bool {
        self.input_ended && self.stop.is_none() && self.breaker.is_well() && !self.has_keys()
    }
}
