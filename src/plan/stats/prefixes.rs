//! The biggest prefixes of a stream of names, in bounded memory and with a bounded error.
//!
//! Lossy counting (Manku and Motwani, "Approximate Frequency Counts over Data Streams", VLDB 2002) of prefixes that end after
//! separators. All counts are exact until there are more prefixes than are kept. Then the smaller half is forgotten, and a
//! prefix that comes back says by how much its count may be too low. A prefix is never counted less, nor forgotten earlier,
//! than a longer one: all that is known of a name's prefixes is a tree.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use serde::Serialize;

/// The most prefixes that are known at once.
const CAPACITY: usize = 16_384;

/// How much of a name is looked at, in bytes.
const MAX_BYTES: usize = 96;

/// The most prefixes of a name.
const MAX_DEPTH: usize = 8;

/// Counts names under each of their prefixes, of which a name has eight at most, in its first 96 bytes.
///
/// With `n` names, no count is too low by more than about `n` / 1,024, and no prefix of more names than that is missing;
/// [`Prefixes::error`] is the exact bound. Takes 3 MB at most.
#[derive(Debug)]
pub(crate) struct Prefixes {
    counts: HashMap<Box<str>, Count>,
    total: u64,
    error: u64,
    capacity: usize,
}

#[derive(Debug)]
struct Count {
    names: u64,
    /// At most so many more came before the prefix was known.
    error: u64,
}

/// A prefix, and the biggest that begin with it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Prefix {
    /// The whole prefix, exactly, with the separator at its end.
    #[serde(rename = "prefix")]
    pub name: String,
    /// At least so many names begin with it.
    pub keys: u64,
    /// At most so many more do; 0 where the count is exact.
    pub error: u64,
    /// Which part of all names these keys are, to six digits.
    share: f64,
    /// Longer ones, by count.
    pub longer: Vec<Prefix>,
}

impl Prefix {
    /// The largest error of its count and theirs that begin with it.
    pub(crate) fn largest_error(&self) -> u64 {
        self.longer.iter().map(Self::largest_error).fold(self.error, u64::max)
    }
}

impl Default for Prefixes {
    fn default() -> Self {
        Self { counts: HashMap::new(), total: 0, error: 0, capacity: CAPACITY }
    }
}

impl Prefixes {
    /// How many names were counted.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Every prefix of more names than this is known, and no count is too low by more; 0 where all are exact.
    pub(crate) fn error(&self) -> u64 {
        self.error
    }

    /// Counts a name, as if it had come `times`.
    pub(crate) fn add(&mut self, name: &str, times: u64) {
        self.total += times;
        for prefix in prefixes(name) {
            match self.counts.get_mut(prefix) {
                Some(count) => count.names += times,
                None => drop(self.counts.insert(prefix.into(), Count { names: times, error: self.error })),
            }
        }
        if self.counts.len() > self.capacity {
            self.forget();
        }
    }

    /// Forgets the half of the prefixes that may have come least.
    fn forget(&mut self) {
        let most = |count: &Count| count.names + count.error;
        let mut sorted: Vec<u64> = self.counts.values().map(most).collect();
        let middle = sorted.len() / 2;
        self.error = *sorted.select_nth_unstable(middle).1;
        self.counts.retain(|_, count| most(count) > self.error);
    }

    /// The biggest prefixes: at most `rows` in all, each of at least two names and of `least` (0 to 1) of all. One that
    /// only leads to a longer one, with every name, is left out.
    pub(crate) fn biggest(&self, rows: usize, least: f64) -> Vec<Prefix> {
        let fewest = (self.total as f64 * least).max(2.0);
        let mut chosen: Vec<(&str, &Count)> = self.counts.iter().map(|(name, count)| (&**name, count)).collect();
        let leading_on = chosen.iter().filter_map(|&(longer, count)| {
            let shorter = above(longer).next()?;
            (self.counts.get(shorter)?.names == count.names).then_some(shorter)
        });
        let leading_on: HashSet<&str> = leading_on.collect();
        chosen.retain(|(name, count)| count.names as f64 >= fewest && !leading_on.contains(name));
        // One that is longer counts no more, and comes after it.
        chosen.sort_unstable_by_key(|(name, count)| (Reverse(count.names), *name));
        chosen.truncate(rows);
        self.branches("", &chosen)
    }

    /// The prefixes among `chosen`, and theirs, whose next shorter one there is `root`.
    fn branches(&self, root: &str, chosen: &[(&str, &Count)]) -> Vec<Prefix> {
        let is_chosen = |shorter: &&str| chosen.iter().any(|(name, _)| name == shorter);
        let of_root = chosen.iter().filter(|(name, _)| above(name).find(is_chosen).unwrap_or_default() == root);
        let branch = |(name, count): &(&str, &Count)| Prefix {
            name: (*name).to_owned(),
            keys: count.names,
            error: count.error,
            share: (count.names as f64 / self.total as f64 * 1e6).round() / 1e6,
            longer: self.branches(name, chosen),
        };
        of_root.map(branch).collect()
    }
}

/// The prefixes of a prefix, the longest first.
fn above(prefix: &str) -> impl Iterator<Item = &str> {
    prefixes(prefix).rev().skip(1)
}

/// The prefixes of a name, the shortest first: up to each of its first separators, of which any number together are one.
fn prefixes(name: &str) -> impl DoubleEndedIterator<Item = &str> {
    let mut ends: Vec<usize> = Vec::with_capacity(MAX_DEPTH);
    for (index, _) in name.bytes().take(MAX_BYTES).enumerate().filter(|(_, byte)| b":/.-".contains(byte)) {
        if ends.last() == Some(&index) {
            ends.pop();
        } else if ends.len() == MAX_DEPTH {
            break;
        }
        ends.push(index + 1);
    }
    ends.into_iter().map(|end| &name[..end])
}

#[cfg(test)]
mod tests;
