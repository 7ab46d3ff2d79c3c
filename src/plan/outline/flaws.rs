//! Records that are not sent, by rule: the one that an invalid record breaks, or the filter that keeps a key.

use std::borrow::Cow;

use crate::record::{Invalid, Kept, RecordNumber};

/// The most rules that are told apart; the texts of some hold words of the input or of the command.
const MOST_RULES: usize = 32;

/// Examples of each.
const EXAMPLES: usize = 3;

/// Counts records by rule.
#[derive(Debug, Default)]
pub struct Flaws {
    flaws: Vec<Flaw>,
    others: u64,
}

/// Why records are not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// In the same words for all.
    pub rule: Cow<'static, str>,
    /// How many.
    pub records: u64,
    /// The first of them.
    pub examples: Vec<(RecordNumber, Invalid)>,
}

impl Flaws {
    pub(super) fn add_kept(&mut self, number: RecordNumber, kept: &Kept) {
        let (key, rule) = (kept.key.as_str().to_owned(), kept.rule.clone());
        self.add(number, &Invalid { key, rule: rule.clone().into(), reason: rule });
    }

    pub(super) fn add(&mut self, number: RecordNumber, invalid: &Invalid) {
        let known = self.flaws.iter().position(|flaw| flaw.rule == invalid.rule);
        let flaw = match known {
            Some(index) => &mut self.flaws[index],
            None if self.flaws.len() == MOST_RULES => {
                self.others += 1;
                return;
            }
            None => {
                let flaw = Flaw { rule: invalid.rule.clone(), records: 0, examples: Vec::new() };
                self.flaws.push(flaw);
                let last = self.flaws.len() - 1;
                &mut self.flaws[last]
            }
        };
        flaw.records += 1;
        if flaw.examples.len() < EXAMPLES {
            flaw.examples.push((number, invalid.clone()));
        }
    }

    /// The rules, the one with most records first.
    pub fn by_count(&self) -> Vec<&Flaw> {
        let mut flaws: Vec<&Flaw> = self.flaws.iter().collect();
        flaws.sort_by_key(|flaw| std::cmp::Reverse(flaw.records));
        flaws
    }

    /// Records whose rules are not told apart.
    pub fn others(&self) -> u64 {
        self.others
    }
}
