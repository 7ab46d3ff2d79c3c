//! Records that are not sent, by rule: the one that an invalid record breaks, or the filter that keeps a key.

use std::borrow::Cow;

use crate::record::{Invalid, Kept, RecordNumber};

/// The most rules that are told apart; the texts of some hold words of the input or of the command.
const MOST_RULES: usize = 32;

const EXAMPLES: usize = 3;

/// Counts records by rule.
#[derive(Debug, Default)]
pub(crate) struct InvalidReasons {
    reasons: Vec<InvalidReason>,
    others: u64,
}

/// Why records are not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvalidReason {
    /// In the same words for all.
    pub rule: Cow<'static, str>,
    /// How many.
    pub records: u64,
    /// The first of them.
    pub examples: Vec<(RecordNumber, Invalid)>,
}

impl InvalidReasons {
    pub(super) fn add_kept(&mut self, number: RecordNumber, kept: &Kept) {
        let (key, rule) = (kept.key.as_str().to_owned(), kept.rule.clone());
        self.add(number, &Invalid { key, rule: rule.clone().into(), reason: rule });
    }

    pub(super) fn add(&mut self, number: RecordNumber, invalid: &Invalid) {
        let known = self.reasons.iter().position(|reason| reason.rule == invalid.rule);
        let reason = match known {
            Some(index) => &mut self.reasons[index],
            None if self.reasons.len() == MOST_RULES => {
                self.others += 1;
                return;
            }
            None => {
                let reason = InvalidReason { rule: invalid.rule.clone(), records: 0, examples: Vec::new() };
                self.reasons.push(reason);
                let last = self.reasons.len() - 1;
                &mut self.reasons[last]
            }
        };
        reason.records += 1;
        if reason.examples.len() < EXAMPLES {
            reason.examples.push((number, invalid.clone()));
        }
    }

    /// The rules, the one with most records first.
    pub(crate) fn by_count(&self) -> Vec<&InvalidReason> {
        let mut reasons: Vec<&InvalidReason> = self.reasons.iter().collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.records));
        reasons
    }

    /// Records whose rules are not told apart.
    pub(crate) fn others(&self) -> u64 {
        self.others
    }
}
