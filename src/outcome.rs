//! What became of a record, and of the job.

#![warn(missing_docs)]

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};
use thiserror::Error;

pub use crate::platform::Signal;
use crate::record::{Content, RecordNumber};
use crate::text::{HINT, split_hints};

/// The final state of a record, as the report's `status` column names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// The server said that the key is gone.
    Deleted,
    /// The server said that it was not there (code 10009); counts as success.
    Absent,
    /// Deliberately not sent: a filter keeps it, or a restore found that it exists; counts as success.
    Kept,
    /// The server said no.
    Failed,
    /// The last attempt got no readable answer: the delete may or may not have happened.
    Unknown,
    /// Never sent: not a key that can be deleted.
    Invalid,
    /// Never sent: an earlier record named the same key.
    Duplicate,
    /// Never sent: a dry run.
    Planned,
    /// Put back from a backup; only `kvsweep restore` says so.
    Restored,
    /// Never sent: a dry run of `kvsweep restore` would put it back. Not `planned`, which is what delete takes for keys to
    /// delete.
    Restorable,
}

impl Status {
    /// Every status, in the order of the summary.
    pub const ALL: [Self; 10] = [
        Self::Deleted,
        Self::Absent,
        Self::Kept,
        Self::Failed,
        Self::Unknown,
        Self::Invalid,
        Self::Duplicate,
        Self::Planned,
        Self::Restored,
        Self::Restorable,
    ];

    /// The word in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Absent => "absent",
            Self::Kept => "kept",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
            Self::Duplicate => "duplicate",
            Self::Planned => "planned",
            Self::Restored => "restored",
            Self::Restorable => "restorable",
        }
    }

    /// Whether a resumed run has nothing left to do for a record in this state.
    pub fn is_settled(self) -> bool {
        match self {
            Self::Deleted | Self::Absent | Self::Kept | Self::Invalid | Self::Duplicate | Self::Restored => true,
            Self::Failed | Self::Unknown | Self::Planned | Self::Restorable => false,
        }
    }

    /// Whether the user has to look at it: the key was not, or not surely, deleted.
    pub fn is_trouble(self) -> bool {
        matches!(self, Self::Failed | Self::Unknown | Self::Invalid)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Status {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|status| status.as_str() == word).ok_or(())
    }
}

/// What is known about a record that did not simply succeed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detail {
    /// The API's own code in the last answer's `errors`.
    pub error_code: Option<u64>,
    /// What went wrong, for a person; may hold text of the server or of the input.
    pub error: String,
}

impl Detail {
    /// What is known without an answer of the API, or besides one.
    pub(crate) fn of(error: impl Into<String>) -> Self {
        Self { error_code: None, error: error.into() }
    }
}

/// A record's final state with all that its row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Which record.
    pub number: RecordNumber,
    /// The exact key, or what can be shown of an invalid one.
    pub key: Box<str>,
    /// What became of it.
    pub status: Status,
    /// The HTTP status of the answer that settled it, if one did.
    pub http_status: Option<u16>,
    /// The API's code and the error text; absent where nothing went wrong.
    pub detail: Option<Box<Detail>>,
    /// How many requests were sent for it.
    pub attempts: u32,
    /// From the first request for it to the last answer; zero where none was sent.
    pub elapsed: Duration,
    /// When its state was known.
    pub finished_at: SystemTime,
}

impl Settled {
    /// The row of a record that is never sent, known at `finished_at`: a key is only planned. `None` for a record that
    /// an earlier run settled, because it has its row.
    pub fn unsent(number: RecordNumber, content: Content, finished_at: SystemTime) -> Option<Self> {
        let (key, status, error) = match content {
            Content::Key(key) => (key.into_boxed_str(), Status::Planned, None),
            Content::Pair(pair) => (pair.key.as_str().into(), Status::Restorable, None),
            Content::Duplicate(key) => {
                (key.into_boxed_str(), Status::Duplicate, Some("an earlier record names the same key".to_owned()))
            }
            Content::Superseded(key) => {
                let error = "a later record contains a newer value of this key".to_owned();
                (key.into_boxed_str(), Status::Duplicate, Some(error))
            }
            Content::Kept(kept) => (kept.key.into_boxed_str(), Status::Kept, Some(kept.rule)),
            Content::Invalid(invalid) => (invalid.key.into_boxed_str(), Status::Invalid, Some(invalid.reason)),
            Content::Settled => return None,
        };
        let detail = error.map(|error| Box::new(Detail::of(error)));
        Some(Self { number, key, status, http_status: None, detail, attempts: 0, elapsed: Duration::ZERO, finished_at })
    }
}

/// How many records are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    counts: [u64; Status::ALL.len()],
}

impl Tally {
    /// Counts one more record.
    pub fn add(&mut self, status: Status) {
        self.counts[status as usize] += 1;
    }

    /// Counts `records` that are all in one state.
    #[must_use]
    pub fn of(status: Status, records: u64) -> Self {
        let mut tally = Self::default();
        tally.counts[status as usize] = records;
        tally
    }

    /// Counts one record less.
    pub fn remove(&mut self, status: Status) {
        let count = &mut self.counts[status as usize];
        *count = count.saturating_sub(1);
    }

    /// The same with `other` added.
    #[must_use]
    pub fn plus(self, other: &Self) -> Self {
        Self { counts: std::array::from_fn(|index| self.counts[index] + other.counts[index]) }
    }

    /// The same without `other`.
    #[must_use]
    pub fn minus(self, other: &Self) -> Self {
        Self { counts: std::array::from_fn(|index| self.counts[index].saturating_sub(other.counts[index])) }
    }

    /// How many are in this state.
    pub fn get(&self, status: Status) -> u64 {
        self.counts[status as usize]
    }

    /// How many are in each state, by its name.
    pub fn by_name(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Status::ALL.into_iter().map(|status| (status.as_str(), self.get(status)))
    }

    /// Only those that a resumed run has nothing left to do for.
    #[must_use]
    pub fn settled(mut self) -> Self {
        for status in Status::ALL.into_iter().filter(|status| !status.is_settled()) {
            self.counts[status as usize] = 0;
        }
        self
    }

    /// How many are in any state.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many were sent and not, or not surely, deleted.
    pub fn failures(&self) -> u64 {
        self.get(Status::Failed) + self.get(Status::Unknown)
    }

    /// How many were sent.
    pub fn sent(&self) -> u64 {
        self.get(Status::Deleted) + self.get(Status::Absent) + self.get(Status::Restored) + self.failures()
    }

    /// How many a user has to look at.
    pub fn trouble(&self) -> u64 {
        Status::ALL.into_iter().filter(|status| status.is_trouble()).map(|status| self.get(status)).sum()
    }
}

/// Why a job ended before its input did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StopReason {
    /// The credentials were refused.
    Unauthorized,
    /// The namespace does not exist in that account.
    NamespaceNotFound,
    /// The account does not exist, or an id cannot be one.
    AccountNotFound,
    /// The free plan's deletes of this day are used up (code 10048).
    DailyLimit,
    /// `--max-failures` was reached.
    MaxFailures,
    /// `--max-keys` was reached.
    MaxKeys,
    /// There are fewer keys than `--min-keys`.
    MinKeys,
    /// There are not as many keys as `--expect` says.
    Expect,
    /// One of the keys of `--canary` was not deleted.
    Canary,
    /// No request succeeded for longer than `--max-wait`, or the server asked for a longer pause.
    Outage,
    /// `--deadline` came.
    Deadline,
    /// A signal asked for it.
    Interrupted,
    /// An input could not be read, or ended before what an earlier run settled.
    InputError,
    /// The report or another output could not be written.
    IoError,
    /// Before anything had worked: the server's certificate is not trusted, or its response is not the API's.
    UnexpectedResponse,
}

impl StopReason {
    /// The word in the summary's `stopped`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::NamespaceNotFound => "namespace_not_found",
            Self::AccountNotFound => "account_not_found",
            Self::DailyLimit => "daily_limit",
            Self::MaxFailures => "max_failures",
            Self::MaxKeys => "max_keys",
            Self::MinKeys => "min_keys",
            Self::Expect => "expect",
            Self::Canary => "canary",
            Self::Outage => "outage",
            Self::Deadline => "deadline",
            Self::Interrupted => "interrupted",
            Self::InputError => "input_error",
            Self::IoError => "io_error",
            Self::UnexpectedResponse => "unexpected_response",
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for StopReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What becomes of keys that were taken from the input but not sent when the job ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    /// They are still deleted: what ended the job says nothing against them.
    Drain,
    /// They are left for a resumed run.
    Abandon,
}

/// Why the job ends early.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct Stop {
    /// The word for it.
    pub reason: StopReason,
    /// What happened, for a person; may hold the server's words.
    pub why: String,
    /// What to do about it, if this stop knows better than its reason.
    pub hint: Option<String>,
    /// How long the server wants nothing to be sent, if it said so.
    pub pause: Option<Duration>,
    /// Whether the API itself said so. If not (an untrusted certificate, say), advice about credentials or ids does not help.
    pub from_api: bool,
    /// The signal that asked for it.
    pub signal: Option<Signal>,
    /// What becomes of keys that were not sent yet.
    pub pending: Pending,
}

impl Stop {
    /// The job ends as soon as those in flight are answered.
    pub fn new(reason: StopReason, why: impl Into<String>) -> Self {
        Self {
            reason,
            why: why.into(),
            hint: None,
            pause: None,
            from_api: true,
            signal: None,
            pending: Pending::Abandon,
        }
    }

    /// For an error of ours, whose text may end in hints.
    pub(crate) fn of_error(reason: StopReason, text: &str) -> Self {
        let (why, hints) = split_hints(text);
        let hint = hints.strip_prefix(HINT).map(str::to_owned);
        Self { hint, ..Self::new(reason, why) }
    }

    /// The input is read no further; what came before is finished.
    pub fn reading(reason: StopReason, why: impl Into<String>) -> Self {
        Self { pending: Pending::Drain, ..Self::new(reason, why) }
    }

    /// A stop that `signal` asked for.
    pub fn signalled(signal: Signal) -> Self {
        let why = match signal {
            Signal::Interrupt => "interrupted",
            Signal::Terminate => "interrupted (SIGTERM)",
            Signal::Hangup => "interrupted (SIGHUP)",
        };
        Self { signal: Some(signal), ..Self::new(StopReason::Interrupted, why) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyName;
    use crate::record::{Invalid, Kept};

    #[test]
    fn a_record_that_is_never_sent_says_why() {
        let key = || KeyName::new("a").unwrap();
        let invalid = Invalid { key: "b".to_owned(), rule: "odd".into(), reason: "too odd".to_owned() };
        let kept = Kept { key: key(), rule: "matches --protect a".to_owned() };
        let rows = [
            (Content::Key(key()), "a", Status::Planned, None),
            (Content::Duplicate(key()), "a", Status::Duplicate, Some("an earlier record names the same key")),
            (Content::Kept(Box::new(kept)), "a", Status::Kept, Some("matches --protect a")),
            (Content::Invalid(Box::new(invalid)), "b", Status::Invalid, Some("too odd")),
        ];
        for (content, key, status, why) in rows {
            let row = Settled::unsent(RecordNumber::FIRST, content, SystemTime::UNIX_EPOCH).unwrap();
            assert_eq!((&*row.key, row.status, row.attempts, row.http_status), (key, status, 0, None));
            assert_eq!(row.detail.map(|detail| detail.error).as_deref(), why);
        }
        assert_eq!(Settled::unsent(RecordNumber::FIRST, Content::Settled, SystemTime::UNIX_EPOCH), None);
    }

    #[test]
    fn every_status_is_read_back_from_its_word() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert_eq!("Deleted".parse::<Status>(), Err(()));
    }

    #[test]
    fn a_tally_adds_up() {
        let mut tally = Tally::default();
        for (index, status) in Status::ALL.into_iter().enumerate() {
            for _ in 0..=index {
                tally.add(status);
            }
        }
        assert_eq!(tally.get(Status::Deleted), 1);
        assert_eq!(tally.get(Status::Planned), 8);
        assert_eq!(tally.total(), 55);
        assert_eq!(tally.trouble(), 4 + 5 + 6);
    }
}
