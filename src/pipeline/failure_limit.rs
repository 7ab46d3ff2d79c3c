//! `--max-failures`.

use std::fmt;
use std::num::NonZeroU64;

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
    /// A share of fewer keys means little: the first few may be the bad ones.
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
