//! A key that is to be deleted or written, and a request in flight.

use std::num::NonZeroU32;
use std::sync::Arc;

use tokio::time::Instant;

use crate::api::Metadata;
use crate::key::KeyName;
use crate::pipeline::attempt::Attempt;
use crate::pipeline::request::Subject;
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
    pub(crate) requests: u32,
    /// Those of this stage.
    pub(crate) attempt: Attempt,
    pub(crate) first_sent: Option<Instant>,
    /// How many requests had succeeded when an attempt last failed that shows something about the server; one
    /// that only met a closed connection or a 429 does not.
    pub(crate) counted_at: Option<u64>,
    /// The most keys that may be in one request with it: a call that was refused as a whole is sent again in halves.
    pub(crate) max_batch: NonZeroU32,
}

impl KeyTask {
    pub(crate) fn new(number: RecordNumber, key: KeyName) -> Self {
        Self {
            number,
            key,
            pair: None,
            stage: Stage::Change,
            requests: 0,
            attempt: Attempt::default(),
            first_sent: None,
            counted_at: None,
            max_batch: NonZeroU32::MAX,
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
        Self { pair: self.pair, max_batch, stage, requests: self.requests, first_sent: self.first_sent, ..fresh }
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
        let counted = self.counted_at.map(|counted_at| counted_at == successes);
        (self.number, stage, self.requests == 0, self.attempt.fingerprint(epoch), counted, self.max_batch)
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
