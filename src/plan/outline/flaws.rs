//! Records that are no keys, by the rule that they break.

use std::borrow::Cow;

use crate::record::{Invalid, RecordNumber};

/// The most rules that are told apart; the texts of some hold words of the input or of the command.
const MOST_RULES: usize = 32;

/// Examples of each.
const EXAMPLES: usize = 3;

/// Counts invalid records by rule.
#[derive(Debug, Default)]
pub struct Flaws {
    flaws: Vec<Flaw>,
    others: u64,
}

/// A rule that records break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// What is wrong with them, in the same words for all.
    pub rule: Cow<'static, str>,
    /// How many break it.
    pub records: u64,
    /// The first of them.
    pub examples: Vec<(RecordNumber, Invalid)>,
}

impl Flaws {
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

    /// The rules, the one that is broken most first.
    pub fn by_count(&self) -> Vec<&Flaw> {
        let mut flaws: Vec<&Flaw> = self.flaws.iter().collect();
        flaws.sort_by_key(|flaw| std::cmp::Reverse(flaw.records));
        flaws
    }

    /// Records that break rules that are not told apart.
    pub fn others(&self) -> u64 {
        self.others
    }
}
