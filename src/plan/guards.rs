//! Limits that a plan has to keep.

use thiserror::Error;

use super::Plan;
use crate::outcome::StopReason;
use crate::terminal::{count, pluralized};

/// Limits that are checked before anything is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Guards {
    /// `--max-keys`: the input may hold at most so many keys.
    pub max_keys: Option<u64>,
    /// `--min-keys`: the input has to hold at least so many keys.
    pub min_keys: Option<u64>,
    /// `--expect`: the input has to hold exactly so many keys.
    pub expect: Option<u64>,
}

/// Why a plan is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GuardViolation {
    /// More keys than `--max-keys`.
    #[error("the input has {}, more than --max-keys {}: nothing was sent", pluralized(*.keys, "key"), count(*.most))]
    TooManyKeys {
        /// What the input has.
        keys: u64,
        /// What is allowed.
        most: u64,
    },
    /// Fewer keys than `--min-keys`.
    #[error("the input has {}, fewer than --min-keys {}: nothing was sent", pluralized(*.keys, "key"), count(*.least))]
    TooFewKeys {
        /// What the input has.
        keys: u64,
        /// What it should hold at least.
        least: u64,
    },
    /// Not as many keys as `--expect` says.
    #[error("the input has {}, but --expect is {}: nothing was sent", pluralized(*.keys, "key"), count(*.expected))]
    NotAsExpected {
        /// What the input has.
        keys: u64,
        /// What it should hold.
        expected: u64,
    },
}

impl GuardViolation {
    /// What to do if the number of keys is right.
    pub(crate) fn hint(self) -> String {
        let (Self::TooManyKeys { keys, .. } | Self::TooFewKeys { keys, .. } | Self::NotAsExpected { keys, .. }) = self;
        let change = match self {
            Self::TooManyKeys { .. } => "raise --max-keys".to_owned(),
            Self::TooFewKeys { .. } => "lower --min-keys".to_owned(),
            Self::NotAsExpected { .. } => format!("pass --expect {keys}"),
        };
        format!("if {} is right, {change}", pluralized(keys, "key"))
    }

    /// The word for it in the summary.
    pub(crate) fn reason(self) -> StopReason {
        match self {
            Self::TooManyKeys { .. } => StopReason::MaxKeys,
            Self::TooFewKeys { .. } => StopReason::MinKeys,
            Self::NotAsExpected { .. } => StopReason::Expect,
        }
    }
}

impl<E> Plan<E> {
    /// Checks the guards. A survey that was ended early has not counted all keys.
    ///
    /// # Errors
    /// [`GuardViolation`] says which guard stands against it.
    pub(crate) fn check(&self, guards: Guards) -> Result<(), GuardViolation> {
        let keys = self.distinct_keys;
        match guards {
            Guards { expect: Some(expected), .. } if keys != expected => {
                Err(GuardViolation::NotAsExpected { keys, expected })
            }
            Guards { min_keys: Some(least), .. } if keys < least => Err(GuardViolation::TooFewKeys { keys, least }),
            Guards { max_keys: Some(most), .. } if keys > most => Err(GuardViolation::TooManyKeys { keys, most }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(keys: u64) -> Plan<()> {
        Plan { keys, distinct_keys: keys, ..Plan::default() }
    }

    #[test]
    fn guards_stand_before_the_first_delete() {
        let guards = Guards { max_keys: Some(10), ..Guards::default() };
        assert!(plan(10).check(guards).is_ok());
        let refused = plan(1_234).check(guards).unwrap_err();
        assert_eq!(refused.to_string(), "the input has 1,234 keys, more than --max-keys 10: nothing was sent");
        let guards = Guards { expect: Some(9), ..Guards::default() };
        assert!(plan(9).check(guards).is_ok());
        assert_eq!(plan(10).check(guards).unwrap_err(), GuardViolation::NotAsExpected { keys: 10, expected: 9 });
        let guards = Guards { min_keys: Some(2), ..Guards::default() };
        assert!(plan(2).check(guards).is_ok());
        let refused = plan(1).check(guards).unwrap_err();
        assert_eq!(refused.to_string(), "the input has 1 key, fewer than --min-keys 2: nothing was sent");
    }

    #[test]
    fn keys_of_an_earlier_run_count_for_every_guard() {
        let resumed = Plan::<()> { keys: 1, distinct_keys: 10, ..Plan::default() };
        for guards in [
            Guards { expect: Some(10), ..Guards::default() },
            Guards { min_keys: Some(10), ..Guards::default() },
            Guards { max_keys: Some(10), ..Guards::default() },
        ] {
            assert_eq!(resumed.check(guards), Ok(()));
        }
        assert!(resumed.check(Guards { max_keys: Some(9), ..Guards::default() }).is_err());
    }
}
