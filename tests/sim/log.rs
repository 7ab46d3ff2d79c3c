//! What was sent in a run, and what was answered.

use std::time::Duration;

use kvsweep::internals::{Answer, TransientError};
use tokio::time::Instant;

/// What the response to a request was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    Deleted,
    /// What was asked for; of a value, that it is on the backup's disk.
    Read,
    /// A value that was read, and that the backup's disk has no room for.
    Unkept,
    Absent,
    /// For good.
    Refused,
    /// The API says that it failed.
    Failing,
    /// That everybody has to wait; by the API, or by what stands in front of it.
    Throttled(Option<Duration>, By),
    Fatal,
    DailyLimit,
    /// Nothing conclusive.
    Nothing,
    /// Something that is not the API's.
    Unexpected,
    ConnectionClosed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Api,
    Gateway,
}

/// What is asked about keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Namespace,
    Page,
    Presence,
    Metadata,
    Value,
    Delete,
}

impl Kind {
    pub(crate) fn is_read(self) -> bool {
        matches!(self, Self::Presence | Self::Metadata | Self::Value)
    }

    /// What an answer to such a request says.
    pub(crate) fn said(self, answer: &Answer) -> Said {
        match answer {
            Answer::Success if self == Self::Delete => Said::Deleted,
            Answer::Success => Said::Read,
            Answer::Absent(_) => Said::Absent,
            Answer::Refused(_) => Said::Refused,
            Answer::Throttled { pause, error: TransientError::Refused(_) } => Said::Throttled(*pause, By::Api),
            Answer::Throttled { pause, .. } => Said::Throttled(*pause, By::Gateway),
            Answer::DailyLimit(_) => Said::DailyLimit,
            Answer::Fatal(..) => Said::Fatal,
            Answer::Transient(TransientError::Refused(_)) => Said::Failing,
            Answer::Transient(TransientError::NoAnswer(_)) => Said::Nothing,
            Answer::Transient(TransientError::Unexpected(_)) => Said::Unexpected,
            Answer::ConnectionClosed { .. } => Said::ConnectionClosed,
            Answer::TokenReplaced(_) => unreachable!("no command prints a token here"),
        }
    }
}

/// One request: which keys (none for the namespace and pages), when it was sent, and what came back when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) kind: Kind,
    pub(crate) keys: Vec<String>,
    /// The number of the page.
    pub(crate) page: Option<usize>,
    pub(crate) at: Instant,
    pub(crate) response: Option<(Instant, Said)>,
    /// Keys that a bulk call left undeleted, or that were looked for with others and are not there.
    pub(crate) left: Vec<String>,
    /// Whether it is a bulk call, and whether the answer says which of its keys it deleted.
    pub(crate) bulk: bool,
    pub(crate) accounted: bool,
    /// Until when the answer says that the quota is used up.
    pub(crate) used_up_until: Option<Instant>,
}

impl Sent {
    /// The response for one of its keys.
    pub(crate) fn response_for(&self, key: &str) -> Option<(Instant, Said)> {
        let left = self.left.iter().any(|left| left == key);
        self.response.map(|(at, said)| match said {
            _ if left && self.kind == Kind::Presence => (at, Said::Absent),
            Said::Throttled(..) | Said::Fatal | Said::DailyLimit if left => (at, said),
            _ if left => (at, Said::Failing),
            _ if self.accounted => (at, Said::Deleted),
            said => (at, said),
        })
    }

    /// When it was answered, if that was a success.
    pub(crate) fn succeeded(&self) -> Option<Instant> {
        let (at, said) = self.response?;
        let done = self.accounted && self.left.len() < self.keys.len();
        let good = match self.kind {
            Kind::Namespace => false,
            Kind::Page => said == Said::Read,
            // A server that refuses a key is at work.
            _ => matches!(said, Said::Deleted | Said::Read | Said::Absent | Said::Refused | Said::DailyLimit),
        };
        (done || good).then_some(at)
    }

    pub(crate) fn what(&self) -> String {
        let page = self.page.map(|page| format!("{page} ")).unwrap_or_default();
        format!("{:?} {page}{}", self.kind, self.keys.join(" "))
    }
}

/// The log of one run.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) sent: Vec<Sent>,
    pub(crate) arrivals: Vec<Instant>,
    pub(crate) in_flight: usize,
    pub(crate) most_in_flight: usize,
    /// Records that came onto the backup's disk.
    pub(crate) kept: usize,
}
