//! Marks the keys that an earlier record named.

use std::cmp::Ordering;
use std::mem;

use crate::key_index::{Fingerprint, KeySet};
use crate::record::{Content, Record};

/// Fingerprints per piece of the list of keys in order. The list is in pieces because a vector that grows is in memory twice.
const PIECE: usize = 64 * 1024;

/// Turns each [`Content::Key`] that an earlier record holds into a [`Content::Duplicate`]. Numbers and everything else
/// stay as they are.
///
/// Keys that come in the order of their bytes, as the API lists them, need no lookup: each is greater than all
/// before. At the first that is not, the fingerprints of those before go into a [`KeySet`], as all later ones do.
#[derive(Default)]
pub(crate) struct Dedupe {
    in_order: InOrder,
    seen: KeySet,
}

/// Keys of which each is greater than the one before: 12 bytes per key.
#[derive(Default)]
struct InOrder {
    is_over: bool,
    last: String,
    prints: Vec<Vec<Fingerprint>>,
}

impl Dedupe {
    pub(crate) fn mark(&mut self, records: &mut [Record]) {
        for record in records {
            if let Content::Key(key) = &record.content
                && !self.is_new(key.as_str())
            {
                let content = mem::replace(&mut record.content, Content::Settled);
                record.content = if let Content::Key(key) = content { Content::Duplicate(key) } else { content };
            }
        }
    }

    fn is_new(&mut self, key: &str) -> bool {
        if self.in_order.is_over {
            return self.seen.insert(key);
        }
        // No key is empty, so the first is greater.
        match key.cmp(&self.in_order.last) {
            Ordering::Greater => {
                self.in_order.push(key, self.seen.fingerprint(key));
                true
            }
            Ordering::Equal => false,
            Ordering::Less => {
                let before = mem::take(&mut self.in_order).prints;
                self.in_order.is_over = true;
                // Each piece is freed before the next is put into the set.
                for print in before.into_iter().flatten() {
                    self.seen.insert_fingerprint(print);
                }
                self.seen.insert(key)
            }
        }
    }
}

impl InOrder {
    fn push(&mut self, key: &str, print: Fingerprint) {
        self.last.clear();
        self.last.push_str(key);
        match self.prints.last_mut() {
            Some(piece) if piece.len() < PIECE => piece.push(print),
            // The first one grows, so that a short input takes little.
            None => self.prints.push(vec![print]),
            Some(_) => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push(print);
                self.prints.push(piece);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::key::KeyName;
    use crate::record::RecordNumber;

    /// The numbers of the duplicates, if records come so many at a time.
    fn duplicates(dedupe: &mut Dedupe, names: &[String], most: usize) -> Vec<u64> {
        let record = |(number, name): (u64, &String)| {
            let key = KeyName::new(name.as_str()).unwrap();
            Record { number: RecordNumber::new(number).unwrap(), content: Content::Key(key) }
        };
        let mut records: Vec<Record> = (1..).zip(names).map(record).collect();
        records.chunks_mut(most).for_each(|batch| dedupe.mark(batch));
        let found = records.iter().filter(|record| matches!(record.content, Content::Duplicate(_)));
        found.map(|record| record.number.get()).collect()
    }

    fn names(range: impl Iterator<Item = u64>) -> Vec<String> {
        range.map(|number| format!("key {number:06}")).collect()
    }

    #[test]
    fn keys_in_order_are_not_looked_up_until_one_is_not() {
        let mut names = names(0..200_000);
        names.insert(500, names[499].clone());
        let mut dedupe = Dedupe::default();
        assert_eq!(duplicates(&mut dedupe, &names, 64), [501]);
        assert_eq!(dedupe.seen.len(), 0);
        let pieces = dedupe.in_order.prints.iter().map(Vec::capacity).sum::<usize>();
        assert!(pieces * size_of::<Fingerprint>() <= 16 * 200_000, "{pieces}");
        assert_eq!(duplicates(&mut dedupe, &["key 000007".to_owned(), "key 200000".to_owned()], 64), [1]);
        assert_eq!(dedupe.seen.len(), 200_001);
    }

    proptest! {
        #[test]
        fn it_answers_as_a_hash_set_whatever_the_order(
            mut names in proptest::collection::vec("[a-c]{1,3}", 0..300),
            sorted in 0_usize..300,
            most in 1_usize..70,
        ) {
            let sorted = sorted.min(names.len());
            names[..sorted].sort();
            let mut model = HashSet::new();
            let repeated = (1..).zip(&names).filter(|(_, name)| !model.insert(*name));
            let expected: Vec<u64> = repeated.map(|(number, _)| number).collect();
            prop_assert_eq!(duplicates(&mut Dedupe::default(), &names, most), expected);
        }
    }
}
