//! Keys by their fingerprints, in a few bytes each, however long they are: a set, and which record of each is the last.
//!
//! A fingerprint is 96 bits of a hash whose key is random for each run: nobody can choose keys that collide, and a second run
//! would not repeat a collision. Two keys with the same fingerprint would be taken for one. With n keys the chance that this
//! happens at all is about n² / 2⁹⁷: one in 10¹⁵ for ten million keys.

use hashbrown::HashTable;
use siphasher::sip128::SipHasher13;

/// How many tables a set has: so many that what one leaves behind when it grows serves the next, and only one is in memory twice.
const SHARDS: usize = 1024;

/// How many sorted lists the last records are in, as a power of two.
const LIST_BITS: u32 = 9;

/// The least room that a list grows by, in entries.
const MIN_GROWTH: usize = 16;

pub(crate) type Fingerprint = [u32; 3];

/// Remembers keys: at most 32 bytes per key from 20,000 keys on, 22 on average.
pub struct KeySet {
    hasher: SipHasher13,
    shards: Vec<HashTable<Fingerprint>>,
}

impl Default for KeySet {
    fn default() -> Self {
        Self::new()
    }
}

impl KeySet {
    /// An empty set with a random key.
    pub fn new() -> Self {
        Self::with_seed(rand::random())
    }

    /// An empty set with a known key, for tests.
    pub fn with_seed(seed: [u8; 16]) -> Self {
        Self { hasher: SipHasher13::new_with_key(&seed), shards: vec![HashTable::new(); SHARDS] }
    }

    /// Adds `key`; `false` if it was there already.
    pub fn insert(&mut self, key: &str) -> bool {
        self.insert_fingerprint(self.fingerprint(key))
    }

    /// What [`KeySet::insert_fingerprint`] takes of `key`.
    pub(crate) fn fingerprint(&self, key: &str) -> Fingerprint {
        fingerprint(self.hasher, key)
    }

    /// As [`KeySet::insert`], of a key of which only the fingerprint is left.
    pub(crate) fn insert_fingerprint(&mut self, print: Fingerprint) -> bool {
        let shard = &mut self.shards[shard(print)];
        let entry = shard.entry(table_hash(&print), |other| *other == print, table_hash);
        match entry {
            hashbrown::hash_table::Entry::Occupied(_) => false,
            hashbrown::hash_table::Entry::Vacant(vacant) => {
                vacant.insert(print);
                true
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(HashTable::len).sum()
    }

    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.shards.iter().map(|shard| size_of_val(shard) + shard.allocation_size()).sum::<usize>()
    }
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeySet").finish_non_exhaustive()
    }
}

fn fingerprint(hasher: SipHasher13, key: &str) -> Fingerprint {
    let hash = hasher.hash(key.as_bytes());
    #[expect(clippy::cast_possible_truncation, reason = "the parts of a hash")]
    [hash.h1 as u32, (hash.h1 >> 32) as u32, hash.h2 as u32]
}

fn table_hash(print: &Fingerprint) -> u64 {
    u64::from(print[0]) << 32 | u64::from(print[1])
}

/// A table doubles when it is full, and is half empty then. The last shard gets twice as many keys as the first, so that they
/// double one after the other and not all at the same size of the set.
fn shard(print: Fingerprint) -> usize {
    let fraction = f64::from(print[2]) / (f64::from(u32::MAX) + 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to below SHARDS")]
    let shard = ((1.0 + fraction).log2() * SHARDS as f64) as usize;
    shard.min(SHARDS - 1)
}

/// Remembers for each key the greatest number it was added with, in at most 32 bytes per key.
///
/// An entry takes 20 bytes. Each list has room for an eighth more than it holds, and is sorted, and freed of numbers that are
/// not the greatest, before it grows.
pub(crate) struct LastRecords {
    hasher: SipHasher13,
    lists: Vec<Vec<Entry>>,
}

/// The number in two halves, so that there is no padding.
type Entry = (Fingerprint, [u32; 2]);

impl Default for LastRecords {
    fn default() -> Self {
        Self::with_seed(rand::random())
    }
}

impl LastRecords {
    fn with_seed(seed: [u8; 16]) -> Self {
        Self { hasher: SipHasher13::new_with_key(&seed), lists: vec![Vec::new(); 1 << LIST_BITS] }
    }

    pub(crate) fn add(&mut self, key: &str, number: u64) {
        let print = fingerprint(self.hasher, key);
        let list = &mut self.lists[list_of(print)];
        if list.len() == list.capacity() {
            compact(list);
            // After the removal of many there is room.
            if list.len() + list.len() / 8 + 1 > list.capacity() {
                list.reserve_exact(list.len() / 8 + MIN_GROWTH);
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "the halves of a number")]
        list.push((print, [(number >> 32) as u32, number as u32]));
    }

    /// Ends the adding; how many keys there are.
    pub(crate) fn finish(&mut self) -> u64 {
        self.lists.iter_mut().for_each(compact);
        self.lists.iter().map(|list| list.len() as u64).sum()
    }

    /// The greatest number of `key`, once they are [finished](LastRecords::finish).
    pub(crate) fn last(&self, key: &str) -> Option<u64> {
        let print = fingerprint(self.hasher, key);
        let list = &self.lists[list_of(print)];
        let found = list.binary_search_by_key(&print, |entry| entry.0).ok()?;
        let [high, low] = list[found].1;
        Some(u64::from(high) << 32 | u64::from(low))
    }

    #[cfg(test)]
    fn memory(&self) -> usize {
        let entries = self.lists.iter().map(Vec::capacity).sum::<usize>();
        self.lists.capacity() * size_of::<Vec<Entry>>() + entries * size_of::<Entry>()
    }
}

/// Sorts, and keeps of each key the entry with the greatest number. Most of it is sorted already, which takes little time.
fn compact(list: &mut Vec<Entry>) {
    #[expect(clippy::stable_sort_primitive, reason = "an unstable sort makes no use of what is sorted already")]
    list.sort();
    list.dedup_by(|later, kept| {
        let is_same = later.0 == kept.0;
        if is_same {
            kept.1 = later.1;
        }
        is_same
    });
}

fn list_of(print: Fingerprint) -> usize {
    (print[2] >> (u32::BITS - LIST_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_takes_few_bytes_at_every_size() {
        let mut set = KeySet::with_seed(*b"0123456789abcdef");
        let mut most = 0;
        for number in 1..=1_200_000_usize {
            assert!(set.insert(&number.to_string()));
            if number >= 20_000 && number % 1_000 == 0 {
                most = most.max(set.memory().div_ceil(number));
            }
        }
        assert!(most <= 24, "{most} bytes per key");
        assert!((1..=1_200_000).step_by(77).all(|number: usize| !set.insert(&number.to_string())));
    }

    #[test]
    fn keys_are_the_same_only_if_all_96_bits_are() {
        let mut set = KeySet::with_seed(*b"0123456789abcdef");
        let prints: Vec<_> = (0..64).map(|number: u32| set.fingerprint(&number.to_string())).collect();
        let bit = |bit: usize| {
            prints.iter().fold(0_u64, |bits, print| bits << 1 | u64::from(print[bit / 32] >> (bit % 32) & 1))
        };
        let bits: HashSet<_> = (0..96).map(bit).chain([0, u64::MAX]).collect();
        assert_eq!(bits.len(), 96 + 2, "none is constant or the same as another");
        let all = [[1, 2, 3], [0, 2, 3], [1, 0, 3], [1, 2, 0]];
        assert!(all.iter().all(|print| set.insert_fingerprint(*print)));
        let mut list: Vec<Entry> = all.iter().map(|print| (*print, [0, 1])).collect();
        compact(&mut list);
        assert_eq!(list.len(), all.len());
    }

    #[test]
    fn two_sets_have_two_keys() {
        let [one, other] = [KeySet::new(), KeySet::new()].map(|set| fingerprint(set.hasher, "key"));
        assert_ne!(one, other);
    }

    #[test]
    fn a_last_record_takes_at_most_32_bytes_whether_its_key_repeats_or_not() {
        for times in [1, 2] {
            let mut records = LastRecords::with_seed(*b"0123456789abcdef");
            for number in 0..200_000_u64 * times {
                records.add(&(number % 200_000).to_string(), number + 1);
                let keys = (number + 1).min(200_000);
                assert!(keys < 50_000 || records.memory() as u64 <= 32 * keys, "{} of {keys}", records.memory());
            }
            assert_eq!(records.finish(), 200_000);
            assert!(records.memory() <= 32 * 200_000, "{}", records.memory());
            assert_eq!(records.last("7"), Some(8 + 200_000 * (times - 1)));
            assert_eq!(records.last("200000"), None);
        }
        let mut records = LastRecords::default();
        records.add("a", u64::MAX);
        records.finish();
        assert_eq!(records.last("a"), Some(u64::MAX));
    }

    proptest! {
        #[test]
        fn they_answer_as_a_hash_set_and_a_hash_map(keys in prop::collection::vec("[a-c]{0,4}", 0..400)) {
            let (mut set, mut model) = (KeySet::new(), HashSet::new());
            let (mut records, mut last) = (LastRecords::default(), HashMap::new());
            for (number, key) in keys.iter().enumerate() {
                prop_assert_eq!(set.insert(key), model.insert(key));
                records.add(key, number as u64);
                last.insert(key.clone(), number as u64);
            }
            prop_assert_eq!(records.finish(), last.len() as u64);
            for (key, number) in &last {
                prop_assert_eq!(records.last(key), Some(*number));
            }
            prop_assert_eq!(records.last("d"), None);
        }
    }
}
