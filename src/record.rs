//! What the input holds: numbered records, each a key or the reason why it cannot be one.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;

use serde::Serialize;

use crate::key::KeyName;

/// The position of a record over all inputs, from 1.
///
/// The report and a resumed run know a record by this number, so it must not depend on anything but the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RecordNumber(NonZeroU64);

impl RecordNumber {
    /// The first record of an input.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// `number` as a position; `None` for 0.
    pub fn new(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    /// The position as a plain number, from 1.
    pub fn get(self) -> u64 {
        self.0.get()
    }

    /// The position after this one.
    #[must_use]
    pub fn next(self) -> Self {
        self.plus(1)
    }

    /// The position so many after this one.
    #[must_use]
    pub fn plus(self, positions: u64) -> Self {
        Self(self.0.saturating_add(positions))
    }
}

impl fmt::Display for RecordNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One record of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it stands over all inputs.
    pub number: RecordNumber,
    /// What it holds.
    pub content: Content,
}

/// What a record holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A key to delete.
    Key(KeyName),
    /// A key to write.
    Pair(Arc<Pair>),
    /// A key that an earlier record named.
    Duplicate(KeyName),
    /// A key to write that a later record holds with a newer value.
    Superseded(KeyName),
    /// A key that is deliberately not sent.
    Kept(Box<Kept>),
    /// Nothing that can be sent.
    Invalid(Box<Invalid>),
    /// Settled by an earlier run of the same job: the journal has its row.
    Settled,
}

impl Content {
    /// What the record's row shows as its key; `None` if that is not known any more.
    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Self::Key(key) | Self::Duplicate(key) | Self::Superseded(key) => Some(key.as_str()),
            Self::Pair(pair) => Some(pair.key.as_str()),
            Self::Kept(kept) => Some(kept.key.as_str()),
            Self::Invalid(invalid) => Some(&invalid.key),
            Self::Settled => None,
        }
    }

    /// How the reason of [`Content::needs_encoding`] begins.
    pub(crate) const NEEDS_ENCODING: &str = "the key needs URL encoding, which the namespace does not support";

    /// A key that has to be encoded, of a namespace that does not decode it; `exception` says how it can be deleted.
    pub fn needs_encoding(key: &KeyName, exception: &str) -> Self {
        let reason = format!("{}; {exception}", Self::NEEDS_ENCODING);
        Self::Invalid(Box::new(Invalid { key: key.as_str().to_owned(), rule: reason.clone().into(), reason }))
    }
}

/// A key with what is to be written to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    pub key: KeyName,
    /// Key, value, expiration and metadata as the bulk write takes them.
    pub json: Box<[u8]>,
    /// In seconds since the Unix epoch.
    pub expiration: Option<u64>,
}

/// Values do not belong into logs.
impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("key", &self.key).field("bytes", &self.json.len()).finish_non_exhaustive()
    }
}

/// A key that a filter keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub key: KeyName,
    /// Which filter keeps it: the same words for every key that it keeps.
    pub rule: String,
}

/// A record that cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// What stood in the key's place: exact where it is UTF-8, its other bytes written `\xff`; empty where
    /// there was too much of it to keep.
    pub key: String,
    /// The rule that it breaks: the same words for every record that breaks it, without a place.
    pub rule: Cow<'static, str>,
    /// Why it cannot be sent, with the input's name and line.
    pub reason: String,
}
