//! What a plan is made of: how long the names are, how they begin, which come first and last, and why the
//! other records are kept or invalid. Takes the same memory for ten keys and for ten million, and little time.

mod invalid_reasons;
mod lengths;
mod prefixes;
mod sample;
mod text;
mod value;

pub(crate) use invalid_reasons::{InvalidReason, InvalidReasons};
pub(crate) use lengths::Lengths;
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
    /// The lengths of the names.
    pub lengths: Lengths,
    /// Their beginnings; of many names, those of a sample.
    pub prefixes: Prefixes,
    /// What is wrong with records that are no keys.
    pub invalid: InvalidReasons,
    /// Which filters keep the others.
    pub kept: InvalidReasons,
    sample: Sample,
    first: Vec<KeyName>,
    /// The last keys, overwritten in turn.
    last: [Option<KeyName>; ENDS],
    keys: usize,
    /// Keys that begin or end with a blank.
    padded: u64,
}

impl Stats {
    /// Looks at one more record.
    pub(crate) fn add(&mut self, record: &Record) {
        match &record.content {
            Content::Key(key) => self.add_key(key.clone()),
            Content::Invalid(invalid) => self.invalid.add(record.number, invalid),
            Content::Kept(kept) => self.kept.add_kept(record.number, kept),
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
        self.lengths.add(name.len());
        if let Some(times) = self.sample.next() {
            self.prefixes.add(name, times);
        }
        if self.first.len() < ENDS {
            self.first.push(key.clone());
        }
        self.padded += u64::from(is_padded(name));
        self.last[self.keys % ENDS] = Some(key);
        self.keys += 1;
    }

    pub(crate) fn keys(&self) -> u64 {
        self.keys as u64
    }

    /// How many names the prefixes were counted of, where not of all.
    pub(crate) fn sampled(&self) -> Option<u64> {
        (!self.sample.is_whole()).then_some(self.sample.taken())
    }

    /// The first keys, at most three.
    pub(crate) fn first(&self) -> impl Iterator<Item = &str> {
        self.first.iter().map(KeyName::as_str)
    }

    /// The last keys, at most three, in order; without those of [`Stats::first`].
    pub(crate) fn last(&self) -> impl Iterator<Item = &str> {
        let from = self.keys.saturating_sub(ENDS).max(ENDS);
        (from..self.keys).filter_map(|index| self.last[index % ENDS].as_ref()).map(KeyName::as_str)
    }
}

#[cfg(test)]
mod tests;
