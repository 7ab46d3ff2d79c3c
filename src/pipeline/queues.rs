//! The keys that were taken from the input and are not in flight.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::pipeline::batch::KeyQueue;
use crate::pipeline::task::KeyTask;
use crate::record::RecordNumber;

/// Which keys the next request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queue {
    /// One that is read before it may be deleted.
    Read,
    Delete,
}

impl Queue {
    pub(crate) fn of(read: bool) -> Self {
        if read { Self::Read } else { Self::Delete }
    }
}

#[derive(Debug, Default)]
pub(crate) struct KeyQueues {
    /// Keys that may be deleted or written.
    pub(crate) deletes: KeyQueue,
    /// Keys that are to be looked for, or backed up, before.
    pub(crate) reads: KeyQueue,
    /// Keys that wait for their retry, by the moment at which it is due.
    waiting: BTreeMap<(Instant, RecordNumber), KeyTask>,
}

impl KeyQueues {
    pub(crate) fn get(&self, queue: Queue) -> &KeyQueue {
        match queue {
            Queue::Read => &self.reads,
            Queue::Delete => &self.deletes,
        }
    }

    pub(crate) fn get_mut(&mut self, queue: Queue) -> &mut KeyQueue {
        match queue {
            Queue::Read => &mut self.reads,
            Queue::Delete => &mut self.deletes,
        }
    }

    pub(crate) fn of(&mut self, task: &KeyTask) -> &mut KeyQueue {
        self.get_mut(Queue::of(task.stage.is_read()))
    }

    /// A key that is sent again once it is due, before all others.
    pub(crate) fn push_again(&mut self, task: KeyTask) {
        match task.attempt.due {
            Some(due) => _ = self.waiting.insert((due, task.number), task),
            None => self.of(&task).again.push_front(task),
        }
    }

    /// A key whose turn comes after all others that were sent before.
    pub(crate) fn push_last(&mut self, task: KeyTask) {
        self.of(&task).again.push_back(task);
    }

    /// Moves the keys whose retry is due to where they are sent from.
    pub(crate) fn take_due(&mut self, now: Instant) {
        while let Some(entry) = self.waiting.first_entry().filter(|entry| entry.key().0 <= now) {
            let mut task = entry.remove();
            task.attempt.due = None;
            self.push_again(task);
        }
    }

    /// Moves those that may be sent before their retry is due to the end of their queue.
    pub(crate) fn take_speculative(&mut self, now: Instant) {
        let may_go = |task: &KeyTask| task.attempt.speculative_from.is_some_and(|moment| moment <= now);
        let tasks: Vec<_> = self.waiting.extract_if(.., |_, task| may_go(task)).map(|(_, task)| task).collect();
        for mut task in tasks {
            task.attempt.speculative_tries += 1;
            self.push_last(task);
        }
    }

    /// When the next retry is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.waiting.keys().next().map(|(due, _)| *due)
    }

    pub(crate) fn waiting(&self) -> impl ExactSizeIterator<Item = &KeyTask> {
        self.waiting.values()
    }

    /// How many keys there are, those that wait for their retry included.
    pub(crate) fn len(&self) -> usize {
        self.deletes.len() + self.reads.len() + self.waiting.len()
    }

    /// Whether there is a key that may be sent, as far as its own backoff goes.
    pub(crate) fn has_ready(&self) -> bool {
        !self.deletes.is_empty() || !self.reads.is_empty()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut KeyTask> {
        self.waiting.values_mut().chain(self.deletes.iter_mut()).chain(self.reads.iter_mut())
    }

    pub(crate) fn drain(&mut self) -> impl Iterator<Item = KeyTask> {
        let waiting = std::mem::take(&mut self.waiting).into_values();
        self.deletes.drain().chain(self.reads.drain()).chain(waiting)
    }
}
