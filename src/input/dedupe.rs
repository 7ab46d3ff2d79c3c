//! Marks the keys that an earlier record named.

use std::cmp::Ordering;
use std::mem;

use crate::key_index::KeySet;
use crate::record::{Content, Record};

/// How many records are read again at a time.
const AT_ONCE: usize = 32;

/// What is read once more, unmarked.
pub type Reread<E> = Box<dyn Iterator<Item = Result<Record, E>> + Send>;

/// The way to read once more what has been read, as files can be.
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
/// At the first that is not, the input is read from its beginning once more, and from then on every key is remembered
/// in a [`KeySet`]. What cannot be read again is remembered from the first key on.
pub struct Dedupe<E> {
    /// `Some` as long as the keys are in order.
    ordered: Option<(Order, Again<E>)>,
    seen: KeySet,
}

/// Keys could not be marked.
pub struct Unmarked<E> {
    /// The place of the first of them.
    pub from: usize,
    /// Why.
    pub error: E,
}

impl<E> Dedupe<E> {
    /// For records that come once, or that can be had `again`.
    pub fn new(again: Option<Again<E>>) -> Self {
        Self { ordered: again.map(|again| (Order::default(), again)), seen: KeySet::new() }
    }

    /// Marks the next records.
    ///
    /// # Errors
    /// [`Again::changed`], or what kept the input from being read again: of the record where it was needed, and of all
    /// later ones, nothing can be said.
    pub fn mark(&mut self, records: &mut [Record]) -> Result<(), Unmarked<E>> {
        let in_order = self.ordered.as_mut().map_or(0, |(order, _)| order.follow(records));
        let rest = &mut records[in_order..];
        if rest.is_empty() {
            return Ok(());
        }
        if let Some((order, again)) = self.ordered.take() {
            self.remember(&order, again).map_err(|error| Unmarked { from: in_order, error })?;
        }
        self.look_up(rest);
        Ok(())
    }

    /// Reads the keys that were in order once more.
    fn remember(&mut self, order: &Order, again: Again<E>) -> Result<(), E> {
        let mut records = (again.records)();
        let mut read = Order::default();
        let mut some = Vec::with_capacity(AT_ONCE);
        while read.keys < order.keys {
            // No more than are missing, so that none is beyond the last.
            let missing = usize::try_from(order.keys - read.keys).unwrap_or(usize::MAX);
            some.clear();
            for record in records.by_ref().take(missing.min(AT_ONCE)) {
                some.push(record?);
            }
            if some.is_empty() || read.follow(&mut some) < some.len() {
                return Err(again.changed);
            }
            self.look_up(&mut some);
        }
        if read == *order { Ok(()) } else { Err(again.changed) }
    }

    /// Marks these by what is remembered.
    fn look_up(&mut self, records: &mut [Record]) {
        for record in records {
            if unmarked(record).is_some_and(|key| !self.seen.insert(key)) {
                repeats(record);
            }
        }
    }
}

/// The key of a record, unless it is marked already.
fn unmarked(record: &Record) -> Option<&str> {
    match &record.content {
        Content::Key(key) => Some(key.as_str()),
        _ => None,
    }
}

/// Its key was named before.
fn repeats(record: &mut Record) {
    let content = mem::replace(&mut record.content, Content::Settled);
    record.content = if let Content::Key(key) = content { Content::Duplicate(key) } else { content };
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
    /// Marks those at the front that follow in order; how many they are.
    fn follow(&mut self, records: &mut [Record]) -> usize {
        let all = records.len();
        // The last key stays where it is: to copy each would take longer than to compare it.
        let mut last: Option<usize> = None;
        let falls = |place: &usize| {
            let Some(key) = unmarked(&records[*place]) else { return false };
            let ordering = key.cmp(last.and_then(|last| unmarked(&records[last])).unwrap_or(&self.last));
            match ordering {
                Ordering::Greater => {
                    last = Some(*place);
                    self.keys += 1;
                }
                Ordering::Equal => repeats(&mut records[*place]),
                Ordering::Less => {}
            }
            ordering == Ordering::Less
        };
        let in_order = (0..all).find(falls).unwrap_or(all);
        if let Some(key) = last.and_then(|last| unmarked(&records[last])) {
            key.clone_into(&mut self.last);
        }
        in_order
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::key::KeyName;
    use crate::record::RecordNumber;

    fn record(number: u64, name: &str) -> Record {
        let key = KeyName::new(name).unwrap();
        Record { number: RecordNumber::new(number).unwrap(), content: Content::Key(key) }
    }

    fn records(names: &[String]) -> Vec<Record> {
        (1..).zip(names).map(|(number, name)| record(number, name)).collect()
    }

    /// With what is read from `second` once more.
    fn again(second: Vec<Result<Record, &'static str>>) -> Dedupe<&'static str> {
        let records = Box::new(move || -> Reread<_> { Box::new(second.into_iter()) });
        Dedupe::new(Some(Again { records, changed: "changed" }))
    }

    fn names(range: impl Iterator<Item = u64>) -> Vec<String> {
        range.map(|number| format!("key {number:04}")).collect()
    }

    /// The numbers of the duplicates, if `records` come so many at a time; or the number of the first record of which
    /// nothing could be said, and why.
    fn duplicates<E>(dedupe: &mut Dedupe<E>, mut records: Vec<Record>, most: usize) -> Result<Vec<u64>, (u64, E)> {
        let mut duplicates = Vec::new();
        for batch in records.chunks_mut(most) {
            let marked = dedupe.mark(batch);
            let known = marked.as_ref().map_or_else(|unmarked| unmarked.from, |()| batch.len());
            let found = batch[..known].iter().filter(|record| matches!(record.content, Content::Duplicate(_)));
            duplicates.extend(found.map(|record| record.number.get()));
            marked.map_err(|unmarked| (batch[unmarked.from].number.get(), unmarked.error))?;
        }
        Ok(duplicates)
    }

    #[test]
    fn keys_in_order_are_neither_remembered_nor_read_again() {
        let mut names = names(0..1000);
        names.insert(500, names[499].clone());
        let unread = Again { records: Box::new(|| panic!("it is in order")), changed: () };
        let mut dedupe = Dedupe::new(Some(unread));
        assert_eq!(duplicates(&mut dedupe, records(&names), 64), Ok(vec![501]));
        assert_eq!(dedupe.seen.len(), 0);
    }

    #[test]
    fn an_input_that_is_another_when_it_is_read_again_is_an_error_at_the_record_that_was_not_in_order() {
        let names = names((0..200).chain([7, 201]));
        let whole = |names: &[String]| records(names).into_iter().map(Ok).collect::<Vec<_>>();
        let mut swapped = names.clone();
        swapped.swap(20, 21);
        let mut renamed = names.clone();
        renamed[199] = "key 0199a".to_owned();
        let mut broken = whole(&names);
        broken[50] = Err("the disk is gone");
        let second = [
            (whole(&names[..100]), "changed"),
            (whole(&swapped), "changed"),
            (whole(&renamed), "changed"),
            (broken, "the disk is gone"),
        ];
        for (second, error) in second {
            assert_eq!(duplicates(&mut again(second), records(&names), 64), Err((201, error)));
        }
    }

    proptest! {
        #[test]
        fn it_answers_as_a_hash_set_whatever_the_order(
            mut names in proptest::collection::vec("[a-c]{1,3}", 0..300),
            sorted in 0_usize..300,
            is_read_once in any::<bool>(),
            most in 1_usize..70,
        ) {
            let sorted = sorted.min(names.len());
            names[..sorted].sort();
            let second = records(&names).into_iter().map(Ok).collect();
            let mut dedupe = if is_read_once { Dedupe::new(None) } else { again(second) };
            let mut model = HashSet::new();
            let repeated = (1..).zip(&names).filter(|(_, name)| !model.insert(*name));
            let expected = repeated.map(|(number, _)| number).collect();
            prop_assert_eq!(duplicates(&mut dedupe, records(&names), most), Ok(expected));
        }
    }
}
