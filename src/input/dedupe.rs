//! Marks the keys that an earlier record named.

use std::collections::VecDeque;
use std::iter::Fuse;

use super::key_set::{KeyHash, KeySet};
use crate::record::{Content, Record};

/// How many records are taken at a time from what never keeps us waiting.
const AHEAD: usize = 64;

/// How soon the next record is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supply {
    /// At once, as from a file: records are taken a few dozen at a time.
    Prompt,
    /// Perhaps much later, as from a pipe: every record is passed on before the next is asked for.
    Slow,
}

/// Turns each [`Content::Key`] that is in `seen` already into a [`Content::Duplicate`] and adds the others to it.
/// Numbers and everything else stay as they are.
pub fn dedupe<E>(
    records: impl Iterator<Item = Result<Record, E>>,
    seen: KeySet,
    supply: Supply,
) -> impl Iterator<Item = Result<Record, E>> {
    let most = match supply {
        Supply::Prompt => AHEAD,
        Supply::Slow => 1,
    };
    Deduped { records: records.fuse(), seen, most, ahead: VecDeque::with_capacity(most) }
}

struct Deduped<I, E> {
    records: Fuse<I>,
    seen: KeySet,
    most: usize,
    /// Records that were read, each with the hash of its key if it has one.
    ahead: VecDeque<(Result<Record, E>, Option<KeyHash>)>,
}

impl<I: Iterator<Item = Result<Record, E>>, E> Deduped<I, E> {
    fn read_ahead(&mut self) {
        for record in self.records.by_ref().take(self.most) {
            let hash = match &record {
                Ok(Record { content: Content::Key(key), .. }) => Some(self.seen.hash(key.as_str())),
                _ => None,
            };
            self.ahead.push_back((record, hash));
        }
        if self.ahead.len() > 1 {
            self.seen.touch(self.ahead.iter().filter_map(|(_, hash)| *hash));
        }
    }
}

impl<I: Iterator<Item = Result<Record, E>>, E> Iterator for Deduped<I, E> {
    type Item = Result<Record, E>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ahead.is_empty() {
            self.read_ahead();
        }
        let (record, hash) = self.ahead.pop_front()?;
        let is_new = hash.is_none_or(|hash| self.seen.insert(hash));
        Some(record.map(|record| match record.content {
            Content::Key(key) if !is_new => Record { content: Content::Duplicate(key), ..record },
            content => Record { content, ..record },
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::key::KeyName;
    use crate::record::RecordNumber;

    fn record(number: u64) -> Record {
        let key = KeyName::new(format!("key {}", number % 700)).unwrap();
        Record { number: RecordNumber::new(number).unwrap(), content: Content::Key(key) }
    }

    #[test]
    fn only_from_a_prompt_supply_is_more_taken_than_is_asked_for() {
        for (supply, most) in [(Supply::Prompt, AHEAD as u64), (Supply::Slow, 1)] {
            let taken = Cell::new(0);
            let records = (1..=1000).map(|number| {
                taken.set(number);
                Ok::<_, ()>(record(number))
            });
            for (number, item) in (1..).zip(dedupe(records, KeySet::new(), supply)) {
                let item = item.unwrap();
                assert_eq!(item.number.get(), number);
                assert_eq!(matches!(item.content, Content::Duplicate(_)), number > 700, "{number}");
                assert!((number..number + most).contains(&taken.get()), "{supply:?}: {} for {number}", taken.get());
            }
        }
    }

    #[test]
    fn an_error_comes_after_all_that_was_read_before_it() {
        for supply in [Supply::Prompt, Supply::Slow] {
            let records = (1..=100).map(|number| Ok(record(number))).chain([Err("the disk is gone")]);
            let items: Vec<_> = dedupe(records, KeySet::new(), supply).collect();
            assert_eq!(items.iter().position(Result::is_err), Some(100), "{supply:?}");
        }
    }
}
