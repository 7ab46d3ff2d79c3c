//! What a plan is made of: how long the names are, how they begin, which come first and last, and why the
//! other records are kept or invalid. Takes the same memory for ten keys and for ten million, and little time.

mod invalid_reasons;
mod prefixes;
mod sample;
mod text;
mod value;

use std::collections::VecDeque;

pub(crate) use invalid_reasons::{Example, InvalidReasons};
pub(crate) use prefixes::{Prefix, Prefixes};

use crate::key::KeyName;
use crate::record::{Content, Record};
use crate::terminal::is_padded;
use sample::Sample;

/// How many keys are kept from either end.
const ENDS: usize = 3;

/// Statistics of a plan, one record at a time.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    keys: u64,
    first: Vec<KeyName>,
    /// Without the first.
    last: VecDeque<KeyName>,
    /// How many names have each length, in bytes.
    lengths: Vec<u64>,
    /// Keys that begin or end with a blank.
    padded: u64,
    /// The beginnings of the names; of many, those of a sample.
    pub prefixes: Prefixes,
    sample: Sample,
    /// How many names the sample has.
    sampled: u64,
    /// What is wrong with records that are no keys.
    pub invalid: InvalidReasons,
    /// Which filters keep the others.
    pub kept: InvalidReasons,
}

impl Stats {
    /// Looks at one more record.
    pub(crate) fn add(&mut self, record: &Record) {
        match &record.content {
            Content::Key(key) => self.add_key(key.clone()),
            Content::Invalid(invalid) => {
                self.invalid.add(record.number, invalid.rule.clone(), &invalid.key, &invalid.reason);
            }
            Content::Kept(kept) => {
                self.kept.add(record.number, kept.rule.clone().into(), kept.key.as_str(), &kept.rule);
            }
            Content::Pair(_) | Content::Duplicate(_) | Content::Superseded(_) | Content::Settled => {}
        }
    }

    /// As [`Stats::add`], of a record that nobody needs any more: there is nothing to copy.
    pub(crate) fn take(&mut self, record: Record) {
        match record.content {
            Content::Key(key) => self.add_key(key),
            _ => self.add(&record),
        }
    }

    fn add_key(&mut self, key: KeyName) {
        let name = key.as_str();
        self.lengths.resize(self.lengths.len().max(name.len() + 1), 0);
        self.lengths[name.len()] += 1;
        self.padded += u64::from(is_padded(name));
        if let Some(times) = self.sample.stands_for(self.keys) {
            self.sampled += 1;
            self.prefixes.add(name, times);
        }
        self.keys += 1;
        if self.first.len() < ENDS {
            self.first.push(key);
            return;
        }
        if self.last.len() == ENDS {
            self.last.pop_front();
        }
        self.last.push_back(key);
    }

    pub(crate) fn keys(&self) -> u64 {
        self.keys
    }

    /// How many names the prefixes were counted of, where not of all.
    pub(crate) fn sampled(&self) -> Option<u64> {
        (self.sampled < self.keys).then_some(self.sampled)
    }

    /// The first keys, at most three.
    pub(crate) fn first(&self) -> impl Iterator<Item = &str> {
        self.first.iter().map(KeyName::as_str)
    }

    /// The last keys, at most three, in order; without those of [`Stats::first`].
    pub(crate) fn last(&self) -> impl Iterator<Item = &str> {
        self.last.iter().map(KeyName::as_str)
    }

    /// The shortest name, the median (of two in the middle the shorter) and the longest, in bytes; `None` without a name.
    fn lengths(&self) -> Option<(usize, usize, usize)> {
        let nth = |nth: u64| {
            let mut seen = 0;
            self.lengths.iter().position(|count| {
                seen += count;
                seen > nth
            })
        };
        let last = self.keys.checked_sub(1)?;
        Some((nth(0)?, nth(last / 2)?, nth(last)?))
    }
}

#[cfg(test)]
mod tests;
