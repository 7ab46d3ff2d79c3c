//! A key on its way: what it has been through, where it waits.

use std::cmp::Ordering;
use std::num::NonZeroU32;
use std::sync::Arc;

use tokio::time::Instant;

use crate::api::Metadata;
use crate::key::KeyName;
use crate::pipeline::request::Subject;
use crate::pipeline::retry::{Failure, History};
use crate::quota::Permit;
use crate::record::{Pair, RecordNumber};
use crate::text::json_len;

/// What is done about a key next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is looked for.
    Presence,
    Metadata,
    Value(Option<Metadata>),
    /// What it holds is compared with what is to be written.
    Compare(Subject),
    /// It is deleted, or written.
    Change,
}

impl Stage {
    pub(crate) fn is_read(&self) -> bool {
        match self {
            Self::Presence | Self::Metadata | Self::Value(_) | Self::Compare(_) => true,
            Self::Change => false,
        }
    }
}

/// A key that is to be deleted or written.
#[derive(Debug)]
pub(crate) struct KeyTask {
    pub(crate) number: RecordNumber,
    pub(crate) key: KeyName,
    /// What is to be written to it.
    pub(crate) pair: Option<Arc<Pair>>,
    pub(crate) stage: Stage,
    /// Requests sent for it, in all stages.
    pub(crate) attempts: u32,
    /// Whether a request was sent for it in this stage.
    pub(crate) tried: bool,
    pub(crate) first_sent: Option<Instant>,
    pub(crate) history: History,
    /// What the last attempt came to, once one was made.
    pub(crate) last: Option<Box<Failure>>,
    /// How many signs of life the server had given when an attempt last failed that says something about the server; one
    /// that only met a closed connection or a 429 does not.
    pub(crate) counted_at: Option<u64>,
    /// The most keys that may be in one request with it: a call that was refused as a whole is sent again in halves.
    pub(crate) max_batch: NonZeroU32,
    /// When its retry is due, while it is tried before that.
    pub(crate) scheduled: Option<Instant>,
    /// How often it was tried before its turn.
    pub(crate) speculative_tries: u8,
    /// How many of its failures fell into which epoch, so that an outage can give them back.
    recent: (u64, u32),
}

impl KeyTask {
    pub(crate) fn new(number: RecordNumber, key: KeyName) -> Self {
        Self {
            number,
            key,
            pair: None,
            stage: Stage::Change,
            attempts: 0,
            tried: false,
            first_sent: None,
            history: History::default(),
            last: None,
            counted_at: None,
            max_batch: NonZeroU32::MAX,
            scheduled: None,
            speculative_tries: 0,
            recent: (0, 0),
        }
    }

    /// A key that is to be written.
    pub(crate) fn put(number: RecordNumber, pair: Arc<Pair>) -> Self {
        let key = pair.key.clone();
        Self { pair: Some(pair), ..Self::new(number, key) }
    }

    /// How many bytes it takes in the body of a request for many keys.
    pub(crate) fn body_len(&self) -> usize {
        1 + self.pair.as_ref().map_or_else(|| json_len(self.key.as_str()), |pair| pair.json.len())
    }

    /// How much is held for it in memory, in bytes, besides itself.
    pub(crate) fn payload(&self) -> usize {
        self.pair.as_ref().map_or(0, |pair| pair.json.len())
    }

    /// The same key in its next stage, where nothing has gone wrong yet.
    pub(crate) fn advanced(self, stage: Stage) -> Self {
        let fresh = Self::new(self.number, self.key);
        // What is read one by one is not read together with others.
        let max_batch = if let Stage::Compare(_) = stage { NonZeroU32::MIN } else { NonZeroU32::MAX };
        Self { pair: self.pair, max_batch, stage, attempts: self.attempts, first_sent: self.first_sent, ..fresh }
    }

    /// Counts a failure in this epoch (the time between two signs of life of the server).
    pub(crate) fn failed(&mut self, epoch: u64, failure: Failure) {
        self.history.failures += 1;
        self.last = Some(Box::new(failure));
        self.recent = match self.recent {
            (same, count) if same == epoch => (epoch, count + 1),
            _ => (epoch, 1),
        };
    }

    /// Takes back the failures of this epoch: they were the server's.
    pub(crate) fn forgive_failures(&mut self, epoch: u64) {
        if self.recent.0 == epoch {
            self.history.failures -= std::mem::take(&mut self.recent.1);
        }
    }

    /// What decides about the key, without times and texts.
    #[cfg(test)]
    pub(crate) fn fingerprint(&self, epoch: u64, successes: u64) -> impl std::hash::Hash + Ord + use<> {
        let stage = match self.stage {
            Stage::Presence => 0,
            Stage::Metadata => 1,
            Stage::Value(_) => 2,
            Stage::Change => 3,
            Stage::Compare(Subject::Value) => 4,
            Stage::Compare(Subject::Metadata) => 5,
        };
        let last = self.last.as_ref().map(|failure| (failure.status as u8, failure.is_transient));
        let forgivable = if self.recent.0 == epoch { self.recent.1 } else { 0 };
        (
            (
                self.number,
                stage,
                self.attempts == 0,
                self.tried,
                self.counted_at.map(|counted_at| counted_at == successes),
                last,
            ),
            (self.history.failures, self.history.resent, forgivable, self.max_batch),
            (self.scheduled.is_some(), self.speculative_tries),
        )
    }

    pub(crate) fn forgiven(mut self, epoch: u64) -> Self {
        self.forgive_failures(epoch);
        self
    }
}

/// A request whose response is outstanding.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) sent: Sent,
    pub(crate) permit: Permit,
    /// Whether it was sent to see if an outage is over.
    pub(crate) probe: bool,
}

/// What a request in flight is about.
#[derive(Debug)]
pub(crate) enum Sent {
    /// These keys, at least one.
    Keys(Vec<KeyTask>),
    /// A page of records.
    Page,
    Namespace {
        /// Whether it shows if a refusal is the whole job's.
        check: bool,
    },
}

impl InFlight {
    pub(crate) fn keys_mut(&mut self) -> &mut [KeyTask] {
        match &mut self.sent {
            Sent::Keys(keys) => keys,
            Sent::Page | Sent::Namespace { .. } => &mut [],
        }
    }
}

/// A key that waits for its retry. The heap's greatest is the one that is due first.
#[derive(Debug)]
pub(crate) struct DelayedTask {
    pub(crate) at: Instant,
    /// From when it may be tried before that, if at all.
    pub(crate) speculative_from: Option<Instant>,
    pub(crate) task: KeyTask,
}

impl Ord for DelayedTask {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.task.number).cmp(&(self.at, self.task.number))
    }
}

impl PartialOrd for DelayedTask {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for DelayedTask {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for DelayedTask {}
