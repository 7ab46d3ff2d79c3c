//! Why a job ends before its input does, and how what is under way is treated.

use std::fmt;
use std::num::NonZeroU64;

use crate::api::answer::Fatal;
use crate::outcome::StopReason;

/// A signal that asks the job to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// SIGINT, Ctrl-C.
    Interrupt,
    /// SIGTERM, as systemd and Kubernetes send it.
    Terminate,
    /// SIGHUP: the terminal is gone.
    Hangup,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The word for it.
    pub reason: StopReason,
    /// What happened, for a person; may hold the server's words.
    pub why: String,
    /// Whether it is the reason as it was from_api. Where nobody answered, because a certificate is not trusted, say, it is
    /// only the nearest word, and no advice about credentials or ids helps.
    pub from_api: bool,
    /// The signal that asked for it.
    pub signal: Option<Signal>,
    /// What becomes of keys that were not sent yet.
    pub pending: Pending,
}

impl Stop {
    /// The job ends as soon as those in flight are answered.
    pub fn new(reason: StopReason, why: impl Into<String>) -> Self {
        Self { reason, why: why.into(), from_api: true, signal: None, pending: Pending::Abandon }
    }

    /// The input is read no further; what came before is finished.
    pub fn reading(reason: StopReason, why: impl Into<String>) -> Self {
        Self { pending: Pending::Drain, ..Self::new(reason, why) }
    }

    /// A stop that `signal` asked for.
    pub fn signalled(signal: Signal) -> Self {
        let name = match signal {
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
            Signal::Hangup => "SIGHUP",
        };
        Self { signal: Some(signal), ..Self::new(StopReason::Interrupted, format!("{name} was received")) }
    }
}

impl From<Fatal> for StopReason {
    fn from(fatal: Fatal) -> Self {
        match fatal {
            Fatal::Unauthorized => Self::Unauthorized,
            Fatal::NamespaceNotFound => Self::NamespaceNotFound,
            Fatal::AccountNotFound => Self::AccountNotFound,
        }
    }
}

/// `--max-failures`: how many keys may be failed or unknown before the job stops.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FailureLimit {
    /// The job stops when so many have failed.
    Count(NonZeroU64),
    /// The job stops when more than this share of the keys attempted has failed, in percent; evaluated once
    /// [`FailureLimit::MIN_ATTEMPTED`] keys have been attempted.
    Percent(f64),
}

impl FailureLimit {
    /// A share of fewer keys says little: the first few may be the bad ones.
    pub const MIN_ATTEMPTED: u64 = 1_000;

    /// Whether the job has to stop.
    pub fn is_reached(self, failures: u64, attempted: u64) -> bool {
        match self {
            Self::Count(limit) => failures >= limit.get(),
            Self::Percent(most) => {
                attempted >= Self::MIN_ATTEMPTED && failures as f64 * 100.0 > most * attempted as f64
            }
        }
    }
}

impl fmt::Display for FailureLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(limit) => write!(f, "{limit}"),
            Self::Percent(most) => write!(f, "{most}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_reached() {
        let limit = |count| FailureLimit::Count(NonZeroU64::new(count).unwrap());
        assert!(!limit(1).is_reached(0, 5));
        assert!(limit(1).is_reached(1, 6));
        assert!(!limit(3).is_reached(2, 2));
        assert!(limit(3).is_reached(3, 3));
        assert_eq!(limit(3).to_string(), "3");
    }

    #[test]
    fn a_share_counts_once_a_thousand_keys_were_attempted() {
        assert!(!FailureLimit::Percent(50.0).is_reached(999, 999));
        assert!(FailureLimit::Percent(50.0).is_reached(1_000, 1_000));
        assert!(FailureLimit::Percent(50.0).is_reached(501, 1_000));
        assert!(!FailureLimit::Percent(50.0).is_reached(500, 1_000));
        assert!(!FailureLimit::Percent(100.0).is_reached(1_000, 1_000));
        assert_eq!(
            (FailureLimit::Percent(50.0).to_string(), FailureLimit::Percent(2.5).to_string()),
            ("50%".to_owned(), "2.5%".to_owned())
        );
    }
}
