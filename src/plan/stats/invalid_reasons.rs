//! Records that are not sent, by rule: the one that an invalid record breaks, or the filter that keeps a key.

use std::borrow::Cow;

use serde::Serialize;

use crate::record::RecordNumber;

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct InvalidReason {
    /// In the same words for all.
    #[serde(rename = "reason")]
    pub rule: Cow<'static, str>,
    /// How many.
    pub records: u64,
    /// The first of them.
    pub examples: Vec<Example>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Example {
    pub record: u64,
    pub key: String,
    /// The rule, with the place of the record.
    pub error: String,
}

impl InvalidReasons {
    pub(super) fn add(&mut self, number: RecordNumber, rule: Cow<'static, str>, key: &str, error: &str) {
        let index = match self.reasons.iter().position(|reason| reason.rule == rule) {
            Some(index) => index,
            None if self.reasons.len() == MOST_RULES => {
                self.others += 1;
                return;
            }
            None => {
                self.reasons.push(InvalidReason { rule, records: 0, examples: Vec::new() });
                self.reasons.len() - 1
            }
        };
        let reason = &mut self.reasons[index];
        reason.records += 1;
        if reason.examples.len() < EXAMPLES {
            reason.examples.push(Example { record: number.get(), key: key.to_owned(), error: error.to_owned() });
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
