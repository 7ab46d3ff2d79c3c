//! Keys that wait for a retry, and the end of a job, when no other key is left to send.
//!
//! A backoff spares a server in trouble. At the end of a job whose server is well it only costs time: one key in a
//! thousand that failed three times by chance would hold up the end by seconds. So a key whose turn would come later is
//! tried *before* that, where nothing else is to be sent and the server is well. Should it fail, it goes behind its place
//! by the next backoff: it has lost a retry, but its last one comes no sooner than it would have without haste. That
//! happens to a key four times at most and never with its last retry; a few failures with no success between them end
//! all haste until the next success, so that a server that goes down takes no retries in haste; and a wait that the server
//! asked for is never cut short. In bulk no key is tried early: there a call succeeds and leaves keys behind, and says
//! nothing of them by that.

use std::time::Duration;

use tokio::time::Instant;

use super::State;
use crate::pipeline::batch::Batching;
use crate::pipeline::task::{DelayedTask, KeyTask};

/// How long a key rests before it is first tried early; each time twice as long as before.
const REST: Duration = Duration::from_millis(10);

/// How often a key is tried early.
const MOST: u8 = 4;

impl State {
    /// `task` waits for its retry. It waits from the place from which
    /// it was tried early, if it was.
    pub(super) fn put_off(&mut self, mut task: KeyTask, wait: Duration, now: Instant) {
        let at = match task.early.take() {
            Some(place) => place.max(now) + wait,
            None => now + wait,
        };
        let hurries = self.options.batching == Batching::Single
            && task.tried_early < MOST
            && task.history.failures < self.options.retry.retries;
        let early = hurries.then(|| now + REST * 2u32.pow(u32::from(task.tried_early)));
        self.waiting.push(DelayedTask { at, early, task });
    }

    /// Brings those whose time has come, or who may go early, to where they are sent from.
    pub(super) fn take_due(&mut self, now: Instant) {
        while self.waiting.peek().is_some_and(|due| due.at <= now) {
            let Some(due) = self.waiting.pop() else { break };
            self.queue(&due.task).push_again(due.task);
        }
        if self.may_hurry() && self.early_places().any(|moment| moment <= now) {
            let waiting = std::mem::take(&mut self.waiting);
            for mut due in waiting.into_sorted_vec().into_iter().rev() {
                if due.early.is_some_and(|moment| moment <= now) {
                    due.task.early = Some(due.at);
                    due.task.tried_early += 1;
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
        let early = if self.may_hurry() { self.early_places().min() } else { None };
        [due, early].into_iter().flatten().min()
    }

    fn early_places(&self) -> impl Iterator<Item = Instant> {
        self.waiting.iter().filter_map(|due| due.early)
    }

    /// Whether nothing but waiting keys is left, and the server is well.
    fn may_hurry(&self) -> bool {
        self.input_ended && self.stop.is_none() && self.breaker.is_well() && !self.has_keys()
    }
}
