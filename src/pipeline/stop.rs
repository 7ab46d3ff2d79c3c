//! Why a job ends before its input does, and how what is under way is treated.

use std::num::NonZeroU64;

use crate::api::answer::Fatal;
use crate::outcome::{StopReason, Tally};

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
pub enum Accepted {
    /// They are still deleted: what ended the job says nothing against them.
    Finish,
    /// They are left for a resumed run.
    Leave,
}

/// Why the job ends early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The word for it.
    pub reason: StopReason,
    /// What happened, for a person; may hold the server's words.
    pub why: String,
    /// Whether it is the reason as it was told. Where nobody answered, because a certificate is not trusted, say, it is
    /// only the nearest word, and no advice about credentials or ids helps.
    pub told: bool,
    /// The signal that asked for it.
    pub signal: Option<Signal>,
    /// What becomes of keys that were not sent yet.
    pub accepted: Accepted,
}

impl Stop {
    /// The job ends as soon as those in flight are answered.
    pub fn new(reason: StopReason, why: impl Into<String>) -> Self {
        Self { reason, why: why.into(), told: true, signal: None, accepted: Accepted::Leave }
    }

    /// The input is read no further; what came before is finished.
    pub fn reading(reason: StopReason, why: impl Into<String>) -> Self {
        Self { accepted: Accepted::Finish, ..Self::new(reason, why) }
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
    /// So many: the job stops when they are reached.
    Count(NonZeroU64),
    /// More than this share of the keys that were sent, in percent; counts only after [`FailureLimit::SHARE_COUNTS_AFTER`] keys.
    Percent(f64),
}

impl FailureLimit {
    /// How many keys must have been sent before a share says anything.
    pub const SHARE_COUNTS_AFTER: u64 = 100;

    /// Whether `tally` has reached the limit.
    pub fn is_reached(self, tally: &Tally) -> bool {
        let (failures, sent) = (tally.failures(), tally.sent());
        match self {
            Self::Count(limit) => failures >= limit.get(),
            Self::Percent(most) => sent >= Self::SHARE_COUNTS_AFTER && failures as f64 * 100.0 > most * sent as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Status;

    fn tally(deleted: u64, failed: u64, unknown: u64) -> Tally {
        let mut tally = Tally::default();
        for (status, count) in [(Status::Deleted, deleted), (Status::Failed, failed), (Status::Unknown, unknown)] {
            (0..count).for_each(|_| tally.add(status));
        }
        tally
    }

    #[test]
    fn a_count_is_reached() {
        let limit = |count| FailureLimit::Count(NonZeroU64::new(count).unwrap());
        assert!(!limit(1).is_reached(&tally(5, 0, 0)));
        assert!(limit(1).is_reached(&tally(5, 0, 1)));
        assert!(!limit(3).is_reached(&tally(0, 1, 1)));
        assert!(limit(3).is_reached(&tally(0, 2, 1)));
    }

    #[test]
    fn a_share_counts_only_after_a_hundred_keys() {
        assert!(!FailureLimit::Percent(10.0).is_reached(&tally(0, 99, 0)));
        assert!(FailureLimit::Percent(10.0).is_reached(&tally(89, 11, 0)));
        assert!(!FailureLimit::Percent(10.0).is_reached(&tally(90, 10, 0)));
    }
}
