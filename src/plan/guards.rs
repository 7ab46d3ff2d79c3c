//! Limits that a plan has to keep.

use super::Plan;
use crate::outcome::{Stop, StopReason};
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

impl<E> Plan<E> {
    /// Why nothing is sent, if a guard stands against it. A survey that was ended early has not counted all keys.
    pub(crate) fn refusal(&self, guards: Guards) -> Option<Stop> {
        let keys = self.distinct_keys;
        let (reason, why, change) = match guards {
            Guards { expect: Some(expected), .. } if keys != expected => {
                (StopReason::Expect, format!("but --expect is {}", count(expected)), format!("pass --expect {keys}"))
            }
            Guards { min_keys: Some(least), .. } if keys < least => {
                let why = format!("fewer than --min-keys {}", count(least));
                (StopReason::MinKeys, why, "lower --min-keys".to_owned())
            }
            Guards { max_keys: Some(most), .. } if keys > most => {
                let why = format!("more than --max-keys {}", count(most));
                (StopReason::MaxKeys, why, "raise --max-keys".to_owned())
            }
            _ => return None,
        };
        let keys = pluralized(keys, "key");
        let hint = Some(format!("if {keys} is right, {change}"));
        Some(Stop { hint, ..Stop::new(reason, format!("the input has {keys}, {why}: nothing was sent")) })
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
        assert_eq!(plan(10).refusal(guards), None);
        let refused = plan(1_234).refusal(guards).unwrap();
        assert_eq!(refused.to_string(), "the input has 1,234 keys, more than --max-keys 10: nothing was sent");
        assert_eq!(refused.reason, StopReason::MaxKeys);
        let guards = Guards { expect: Some(9), ..Guards::default() };
        assert_eq!(plan(9).refusal(guards), None);
        let refused = plan(10).refusal(guards).unwrap();
        assert_eq!(refused.to_string(), "the input has 10 keys, but --expect is 9: nothing was sent");
        assert_eq!(
            (refused.reason, refused.hint.as_deref()),
            (StopReason::Expect, Some("if 10 keys is right, pass --expect 10"))
        );
        let guards = Guards { min_keys: Some(2), ..Guards::default() };
        assert_eq!(plan(2).refusal(guards), None);
        let refused = plan(1).refusal(guards).unwrap();
        assert_eq!(refused.to_string(), "the input has 1 key, fewer than --min-keys 2: nothing was sent");
        assert_eq!(refused.reason, StopReason::MinKeys);
    }

    #[test]
    fn keys_of_an_earlier_run_count_for_every_guard() {
        let resumed = Plan::<()> { keys: 1, distinct_keys: 10, ..Plan::default() };
        for guards in [
            Guards { expect: Some(10), ..Guards::default() },
            Guards { min_keys: Some(10), ..Guards::default() },
            Guards { max_keys: Some(10), ..Guards::default() },
        ] {
            assert_eq!(resumed.refusal(guards), None);
        }
        assert!(resumed.refusal(Guards { max_keys: Some(9), ..Guards::default() }).is_some());
    }
}
