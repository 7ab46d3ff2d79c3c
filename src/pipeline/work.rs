//! A key on its way: what it has been through, where it waits.

use std::cmp::Ordering;
use std::num::NonZeroU32;

use tokio::time::Instant;

use crate::key::KeyName;
use crate::pipeline::retry::{History, Verdict};
use crate::quota::Permit;
use crate::record::RecordNumber;

/// A key that is to be deleted.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) number: RecordNumber,
    pub(crate) key: KeyName,
    /// Requests sent for it.
    pub(crate) attempts: u32,
    pub(crate) first_sent: Option<Instant>,
    pub(crate) history: History,
    /// What the last attempt came to, once one was made.
    pub(crate) last: Option<Box<Verdict>>,
    /// Whether an attempt has failed that says something about the server; one that only met a closed connection or a
    /// 429 does not.
    pub(crate) judged: bool,
    /// The most keys that may be in one request with it: a call that was refused as a whole is sent again in halves.
    pub(crate) together: NonZeroU32,
    /// How many of its failures fell into which epoch, so that an outage can give them back.
    recent: (u64, u32),
}

impl Work {
    pub(crate) fn new(number: RecordNumber, key: KeyName) -> Self {
        Self {
            number,
            key,
            attempts: 0,
            first_sent: None,
            history: History::default(),
            last: None,
            judged: false,
            together: NonZeroU32::MAX,
            recent: (0, 0),
        }
    }

    /// Counts a failure in this epoch (the time between two signs of life of the server).
    pub(crate) fn failed(&mut self, epoch: u64, verdict: Verdict) {
        self.history.failures += 1;
        self.last = Some(Box::new(verdict));
        self.recent = match self.recent {
            (same, count) if same == epoch => (epoch, count + 1),
            _ => (epoch, 1),
        };
    }

    /// Takes back the failures of this epoch: they were the server's.
    pub(crate) fn refund(&mut self, epoch: u64) {
        if self.recent.0 == epoch {
            self.history.failures -= std::mem::take(&mut self.recent.1);
        }
    }

    pub(crate) fn refunded(mut self, epoch: u64) -> Self {
        self.refund(epoch);
        self
    }
}

/// A request whose reply is outstanding.
#[derive(Debug)]
pub(crate) struct InFlight {
    /// The keys that it names, at least one.
    pub(crate) parcel: Vec<Work>,
    pub(crate) permit: Permit,
    /// Whether it was sent to see if an outage is over.
    pub(crate) probe: bool,
}

/// A key that waits for its retry. The heap's greatest is the one that is due first.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) at: Instant,
    pub(crate) work: Work,
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.work.number).cmp(&(self.at, self.work.number))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}
