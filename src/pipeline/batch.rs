//! Which keys go into one request: one by one, or as many as a bulk call takes.
//!
//! Two queues, because each is needed alone: keys that were sent before go first, but only a key that was never
//! sent shows whether an outage is over. Nothing here decides when anything is sent.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Arc;

use tokio::time::Instant;

use crate::pipeline::request::Request;
use crate::pipeline::task::{KeyTask, Stage};

/// How many keys a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batching {
    /// One.
    Single,
    /// As many as there are, within a limit.
    Bulk(BatchLimit),
}

/// The limits of one bulk call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimit {
    pub keys: NonZeroU32,
    /// The most bytes that their names take in a JSON array; a single name is always sent.
    pub bytes: usize,
}

impl Batching {
    fn limit(self) -> BatchLimit {
        match self {
            Self::Single => BatchLimit { keys: NonZeroU32::MIN, bytes: usize::MAX },
            Self::Bulk(limit) => limit,
        }
    }

    /// The most keys in a request.
    pub fn most(self) -> usize {
        self.limit().keys.get() as usize
    }

    /// How many requests it takes at least to send `keys`.
    pub fn requests(self, keys: u64) -> u64 {
        keys.div_ceil(self.most() as u64)
    }
}

/// Keys that may be sent as soon as the concurrency allows.
#[derive(Debug, Default)]
pub(crate) struct KeyQueue {
    /// Keys that were never sent.
    pub(crate) fresh: VecDeque<KeyTask>,
    /// Keys that were sent before.
    pub(crate) again: VecDeque<KeyTask>,
    /// Since when they have waited for a request to be full.
    pub(crate) lingering_since: Option<Instant>,
}

impl KeyQueue {
    pub(crate) fn len(&self) -> usize {
        self.fresh.len() + self.again.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut KeyTask> {
        self.again.iter_mut().chain(&mut self.fresh)
    }

    /// Whether [`KeyQueue::take`] would find as many keys as fit.
    pub(crate) fn is_full(&self, batching: Batching, fresh: u64) -> bool {
        let most = self.again.front().map_or(usize::MAX, |task| task.max_batch.get() as usize).min(batching.most());
        // A limit on the keys that may begin is no reason to wait for more of them.
        self.len() >= most || self.fresh.len() as u64 >= fresh
    }

    /// The keys of the next request, in their order: those that were sent before, then at most `fresh` others.
    pub(crate) fn take(&mut self, batching: Batching, mut fresh: u64) -> Vec<KeyTask> {
        let (mut most, mut bytes) = (batching.most(), batching.limit().bytes);
        let mut batch = Vec::with_capacity(self.len().min(most));
        loop {
            let queue = if !self.again.is_empty() {
                &mut self.again
            } else if fresh > 0 {
                &mut self.fresh
            } else {
                return batch;
            };
            let Some(next) = queue.front() else { return batch };
            most = most.min(next.max_batch.get() as usize);
            let length = next.body_len();
            if !batch.is_empty() && (batch.len() >= most || length > bytes) {
                return batch;
            }
            bytes = bytes.saturating_sub(length);
            if next.requests == 0 {
                fresh -= 1;
            }
            batch.extend(queue.pop_front());
        }
    }

    /// All of them, those that were sent before first.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = KeyTask> {
        std::mem::take(&mut self.again).into_iter().chain(std::mem::take(&mut self.fresh))
    }
}

/// The request for these keys, which are all in one stage.
pub(crate) fn request(batch: &[KeyTask], batching: Batching) -> Request {
    let keys = || batch.iter().map(|task| task.key.clone()).collect();
    match batch {
        [KeyTask { stage: Stage::Compare(subject), pair: Some(pair), .. }, ..] => {
            Request::Compare(Arc::clone(pair), *subject)
        }
        [KeyTask { stage: Stage::Presence | Stage::Compare(_), .. }, ..] => Request::Presence(keys()),
        [KeyTask { stage: Stage::Metadata, key, .. }, ..] => Request::Metadata(key.clone()),
        [KeyTask { stage: Stage::Value(metadata), key, .. }, ..] => Request::BackUp(key.clone(), metadata.clone()),
        [KeyTask { pair: Some(_), .. }, ..] => {
            Request::PutMany(batch.iter().filter_map(|task| task.pair.clone()).collect())
        }
        [task] if batching == Batching::Single => Request::Delete(task.key.clone()),
        _ => Request::DeleteMany(keys()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyName;
    use crate::record::RecordNumber;

    fn task(number: u64) -> KeyTask {
        KeyTask::new(RecordNumber::new(number).unwrap(), KeyName::new(format!("key {number}")).unwrap())
    }

    fn again(number: u64, max_batch: u32) -> KeyTask {
        let mut task = task(number);
        (task.requests, task.max_batch) = (1, NonZeroU32::new(max_batch).unwrap());
        task
    }

    fn bulk(keys: u32, bytes: usize) -> Batching {
        Batching::Bulk(BatchLimit { keys: NonZeroU32::new(keys).unwrap(), bytes })
    }

    fn numbers(batch: &[KeyTask]) -> Vec<u64> {
        batch.iter().map(|task| task.number.get()).collect()
    }

    fn ready(fresh: impl IntoIterator<Item = u64>, repeated: Vec<KeyTask>) -> KeyQueue {
        let mut ready = KeyQueue::default();
        fresh.into_iter().for_each(|number| ready.fresh.push_back(task(number)));
        repeated.into_iter().rev().for_each(|task| ready.again.push_front(task));
        ready
    }

    const ANY: u64 = u64::MAX;

    #[test]
    fn one_by_one_it_is_one_and_those_that_were_sent_before_go_first() {
        let mut ready = ready([2, 3], vec![again(1, 9)]);
        for number in [1, 2, 3] {
            assert!(ready.is_full(Batching::Single, ANY));
            assert_eq!(numbers(&ready.take(Batching::Single, ANY)), [number]);
        }
        assert!(ready.is_empty() && !ready.is_full(Batching::Single, ANY));
        assert!(ready.take(Batching::Single, ANY).is_empty());
    }

    #[test]
    fn a_bulk_call_takes_what_fits() {
        let mut ready = ready(1..=7, Vec::new());
        assert_eq!(numbers(&ready.take(bulk(3, 1_000), ANY)), [1, 2, 3]);
        // `"key 4",` has eight bytes.
        assert_eq!(numbers(&ready.take(bulk(3, 16), ANY)), [4, 5]);
        assert_eq!(numbers(&ready.take(bulk(3, 1), ANY)), [6], "a single name is always sent");
        assert!(!ready.is_full(bulk(3, 1_000), ANY));
        assert_eq!(numbers(&ready.take(bulk(3, 1_000), ANY)), [7]);
    }

    #[test]
    fn keys_that_are_suspected_go_in_smaller_company() {
        let mut ready = ready(3..=6, vec![again(1, 2), again(2, 2)]);
        assert!(ready.is_full(bulk(10, 1_000), ANY));
        assert_eq!(numbers(&ready.take(bulk(10, 1_000), ANY)), [1, 2]);
        ready.again.push_front(again(9, 3));
        assert_eq!(numbers(&ready.take(bulk(10, 1_000), ANY)), [9, 3, 4]);
    }

    #[test]
    fn canaries_and_probes_are_counted_out() {
        let mut ready = ready(2..=9, vec![again(1, 9)]);
        assert_eq!(ready.fresh.pop_front().map(|task| task.number.get()), Some(2));
        assert!(ready.is_full(bulk(10, 1_000), 2));
        assert_eq!(numbers(&ready.take(bulk(10, 1_000), 2)), [1, 3, 4]);
        assert!(ready.take(bulk(10, 1_000), 0).is_empty());
    }
}
