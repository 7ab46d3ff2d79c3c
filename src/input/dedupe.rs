//! Marks the keys that an earlier record named.

use std::cmp::Ordering;
use std::collections::VecDeque;

use super::key_set::{KeyHash, KeySet};
use super::source::Meter;
use crate::record::{Content, Record};

/// How many records are taken at a time from what never keeps us waiting.
const AHEAD: usize = 32;

/// How soon the next record is there.
pub enum Supply<E> {
    /// At once, as from files, which can be read again and whose meter tells how far they are: records are taken a few
    /// dozen at a time, and as long as the keys are in order none is remembered.
    Prompt(Again<E>, Meter),
    /// Perhaps much later, as from a pipe: every record is passed on before the next is asked for.
    Slow,
}

/// What is read once more.
pub type Reread<E> = Box<dyn Iterator<Item = Result<Record, E>>>;

/// The way to read once more what has been read.
pub struct Again<E> {
    /// The same records from the first on.
    pub records: Box<dyn FnOnce() -> Reread<E> + Send>,
    /// What is to be said if they are not the same.
    pub changed: E,
}

/// Turns each [`Content::Key`] that an earlier record holds into a [`Content::Duplicate`]. Numbers and everything else
/// stay as they are.
///
/// Keys that come in the order of their bytes, as the API lists them, need no memory: each is greater than all before.
/// At the first that is not, what is [`Supply::Prompt`] is read from its beginning once more, and from then on every key
/// is remembered in a [`KeySet`].
pub fn dedupe<E>(
    records: impl Iterator<Item = Result<Record, E>>,
    supply: Supply<E>,
) -> impl Iterator<Item = Result<Record, E>> {
    let (most, ordered, meter) = match supply {
        Supply::Prompt(again, meter) => (AHEAD, Some((Order::default(), again)), meter),
        Supply::Slow => (1, None, Meter::default()),
    };
    Deduped {
        records: Some(records),
        ordered,
        seen: KeySet::new(),
        meter,
        most,
        ahead: VecDeque::with_capacity(most),
        hashes: VecDeque::with_capacity(most),
        error: None,
    }
}

struct Deduped<I, E> {
    /// `None` once nothing more is to be had.
    records: Option<I>,
    /// `Some` as long as the keys are in order.
    ordered: Option<(Order, Again<E>)>,
    seen: KeySet,
    /// Tells how many keys there will be.
    meter: Meter,
    most: usize,
    /// Records that were read.
    ahead: VecDeque<Record>,
    /// The hashes of their keys.
    hashes: VecDeque<KeyHash>,
    /// What ended the reading, to be told after them.
    error: Option<E>,
}

impl<I: Iterator<Item = Result<Record, E>>, E> Deduped<I, E> {
    fn read(&mut self) -> Option<Result<Record, E>> {
        let record = self.records.as_mut()?.next();
        if record.is_none() {
            self.records = None;
        }
        record
    }

    fn read_ahead(&mut self) {
        while self.ahead.len() < self.most {
            match self.read() {
                Some(Ok(record)) => {
                    if let Content::Key(key) = &record.content {
                        self.hashes.push_back(self.seen.hash(key.as_str()));
                    }
                    self.ahead.push_back(record);
                }
                Some(Err(error)) => {
                    (self.error, self.records) = (Some(error), None);
                    break;
                }
                None => break,
            }
        }
        self.seen.expect(self.meter.project(self.seen.len() as u64));
        if self.hashes.len() > 1 {
            self.seen.touch(self.hashes.iter().copied());
        }
    }

    /// Whether the key of `record` is new, if it has one. Those before are in order or in the set.
    fn is_new(&mut self, record: &Record) -> Result<bool, E> {
        let Content::Key(key) = &record.content else { return Ok(true) };
        if let Some((order, _)) = &mut self.ordered {
            match order.follow(key.as_str()) {
                Ordering::Greater => return Ok(true),
                Ordering::Equal => return Ok(false),
                Ordering::Less => {}
            }
        }
        if let Some((order, again)) = self.ordered.take() {
            self.seen.expect(self.meter.project(order.keys));
            order.remember(again, &mut self.seen)?;
        }
        Ok(self.seen.insert(self.seen.hash(key.as_str())))
    }
}

impl<I: Iterator<Item = Result<Record, E>>, E> Iterator for Deduped<I, E> {
    type Item = Result<Record, E>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ordered.is_some() {
            let told = self.read()?.and_then(|record| Ok(told(self.is_new(&record)?, record)));
            if told.is_err() {
                self.records = None;
            }
            return Some(told);
        }
        if self.ahead.is_empty() {
            self.read_ahead();
        }
        let Some(record) = self.ahead.pop_front() else { return self.error.take().map(Err) };
        let hash = if let Content::Key(_) = record.content { self.hashes.pop_front() } else { None };
        Some(Ok(told(hash.is_none_or(|hash| self.seen.insert(hash)), record)))
    }
}

fn told(is_new: bool, record: Record) -> Record {
    match record {
        Record { content: Content::Key(key), number } if !is_new => Record { content: Content::Duplicate(key), number },
        record => record,
    }
}

/// Keys of which none is less than the one before.
#[derive(Debug, Default, PartialEq, Eq)]
struct Order {
    /// No key is empty, so the first is greater.
    last: String,
    /// How many different ones.
    keys: u64,
}

impl Order {
    /// How `key` stands to the last one. It becomes the last if it is greater.
    fn follow(&mut self, key: &str) -> Ordering {
        let order = key.cmp(&self.last);
        if order == Ordering::Greater {
            self.last.clear();
            self.last.push_str(key);
            self.keys += 1;
        }
        order
    }

    /// Puts all of them into `set`.
    fn remember<E>(&self, again: Again<E>, set: &mut KeySet) -> Result<(), E> {
        let mut read = Self::default();
        let mut hashes = Vec::with_capacity(AHEAD);
        for record in (again.records)() {
            let Content::Key(key) = record?.content else { continue };
            match read.follow(key.as_str()) {
                Ordering::Less => return Err(again.changed),
                Ordering::Equal => continue,
                Ordering::Greater => hashes.push(set.hash(key.as_str())),
            }
            if hashes.len() == AHEAD || read.keys == self.keys {
                set.touch(hashes.iter().copied());
                hashes.drain(..).for_each(|hash| {
                    set.insert(hash);
                });
            }
            if read.keys == self.keys {
                break;
            }
        }
        if read == *self { Ok(()) } else { Err(again.changed) }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::key::KeyName;
    use crate::record::RecordNumber;

    fn record(number: u64, name: &str) -> Record {
        let key = KeyName::new(name).unwrap();
        Record { number: RecordNumber::new(number).unwrap(), content: Content::Key(key) }
    }

    fn records(names: &[String]) -> Vec<Result<Record, &'static str>> {
        (1..).zip(names).map(|(number, name)| Ok(record(number, name))).collect()
    }

    /// What is read from `second` once more.
    fn prompt(second: Vec<Result<Record, &'static str>>) -> Supply<&'static str> {
        let records = Box::new(move || -> Reread<_> { Box::new(second.into_iter()) });
        Supply::Prompt(Again { records, changed: "changed" }, Meter::default())
    }

    fn unread() -> Supply<&'static str> {
        let again = Again { records: Box::new(|| panic!("it is in order")), changed: "changed" };
        Supply::Prompt(again, Meter::default())
    }

    fn names(range: impl Iterator<Item = u64>) -> Vec<String> {
        range.map(|number| format!("key {number:04}")).collect()
    }

    #[test]
    fn only_from_a_prompt_supply_is_more_taken_than_is_asked_for() {
        let names = names((1..=1000).map(|number| number % 700));
        for (supply, most) in [(prompt(records(&names)), AHEAD as u64), (Supply::Slow, 1)] {
            let taken = Cell::new(0);
            let taking = records(&names).into_iter().inspect(|_| taken.set(taken.get() + 1));
            for (number, item) in (1..).zip(dedupe(taking, supply)) {
                let item = item.unwrap();
                assert_eq!(item.number.get(), number);
                assert_eq!(matches!(item.content, Content::Duplicate(_)), number > 700, "{number}");
                assert!((number..number + most).contains(&taken.get()), "{} for {number}", taken.get());
            }
        }
    }

    #[test]
    fn an_error_comes_after_all_that_was_read_before_it() {
        for order in [1, 2] {
            let names = names((1..=100).map(|number| number % (100 * order)));
            for supply in [prompt(records(&names)), Supply::Slow] {
                let records = records(&names).into_iter().chain([Err("the disk is gone")]);
                let items: Vec<_> = dedupe(records, supply).collect();
                assert_eq!(items.iter().position(Result::is_err), Some(100));
            }
        }
    }

    #[test]
    fn keys_in_order_are_neither_remembered_nor_read_again() {
        let mut names = names(0..1000);
        names.insert(500, names[499].clone());
        let items = dedupe(records(&names).into_iter(), unread());
        let duplicates = items.filter(|item| matches!(item.as_ref().unwrap().content, Content::Duplicate(_)));
        assert_eq!(duplicates.map(|item| item.unwrap().number.get()).collect::<Vec<_>>(), [501]);
    }

    #[test]
    fn an_input_that_is_another_when_it_is_read_again_is_an_error_and_the_last_item() {
        let names = names((0..200).chain([7, 201]));
        let mut swapped = names.clone();
        swapped.swap(20, 21);
        let mut renamed = names.clone();
        renamed[199] = "key 0199a".to_owned();
        let mut broken = records(&names);
        broken[50] = Err("the disk is gone");
        let second = [
            (records(&names[..100]), "changed"),
            (records(&swapped), "changed"),
            (records(&renamed), "changed"),
            (broken, "the disk is gone"),
        ];
        for (second, error) in second {
            let items: Vec<_> = dedupe(records(&names).into_iter(), prompt(second)).collect();
            assert_eq!(items.len(), 201, "{error}");
            assert!(items[..200].iter().all(Result::is_ok));
            assert_eq!(items[200].as_ref().unwrap_err(), &error);
        }
    }

    proptest! {
        #[test]
        fn it_answers_as_a_hash_set_whatever_the_order(
            mut names in proptest::collection::vec("[a-c]{1,3}", 0..300), sorted in 0_usize..300, slow in any::<bool>(),
        ) {
            let sorted = sorted.min(names.len());
            names[..sorted].sort();
            let supply = if slow { Supply::Slow } else { prompt(records(&names)) };
            let mut model = HashSet::new();
            for (item, name) in dedupe(records(&names).into_iter(), supply).zip(&names) {
                let key = KeyName::new(name.as_str()).unwrap();
                let content = if model.insert(name) { Content::Key(key) } else { Content::Duplicate(key) };
                prop_assert_eq!(item.unwrap().content, content);
            }
        }
    }
}
