//! Keys by their fingerprints, in a few bytes each, however long they are: a set, and which record of each is the last.
//!
//! A fingerprint is 96 bits of a hash whose key is random for each run, 90 where a number is kept with it: nobody can choose keys
//! that collide, and a second run would not repeat a collision. Two keys with the same fingerprint would be taken for one. With n
//! keys the chance that this happens at all is about n² / 2⁹⁷, or n² / 2⁹¹: one in 10¹³ at most for ten million keys.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use siphasher::sip128::SipHasher13;

/// How many tables a set has: so many that what one leaves behind when it grows serves the next, and only one is in memory twice.
const SHARDS: usize = 1024;

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
        let is_new = matches!(entry, Entry::Vacant(_));
        entry.or_insert(print);
        is_new
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

/// Remembers for each key the greatest number that it was added with: at most 32 bytes per key from 50,000 keys on.
pub(crate) struct LastRecords {
    hasher: SipHasher13,
    /// Entries of 80 bits of the fingerprint and the number; ten more bits are in the choice of the shard.
    shards: Vec<HashTable<u128>>,
}

/// For up to 2⁴⁸ records, which no disk holds.
const NUMBER_BITS: u32 = 48;

impl Default for LastRecords {
    fn default() -> Self {
        Self::with_seed(rand::random())
    }
}

impl LastRecords {
    fn with_seed(seed: [u8; 16]) -> Self {
        Self { hasher: SipHasher13::new_with_key(&seed), shards: vec![HashTable::new(); SHARDS] }
    }

    /// Its shard, and an entry without a number.
    fn place(&self, key: &str) -> (usize, u128) {
        let print = fingerprint(self.hasher, key);
        let rest = u128::from(print[2]) << NUMBER_BITS & u128::from(u64::MAX);
        (shard(print), u128::from(table_hash(&print)) << u64::BITS | rest)
    }

    pub(crate) fn add(&mut self, key: &str, number: u64) {
        debug_assert!(number >> NUMBER_BITS == 0, "the number would be taken for another key");
        let (shard, print) = self.place(key);
        let entry = print | u128::from(number);
        self.shards[shard]
            .entry(hash_of(&entry), |other| is_of(*other, print), hash_of)
            .and_modify(|last| *last = entry.max(*last))
            .or_insert(entry);
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> u64 {
        self.shards.iter().map(|shard| shard.len() as u64).sum()
    }

    /// The greatest number of `key`.
    pub(crate) fn last(&self, key: &str) -> Option<u64> {
        let (shard, print) = self.place(key);
        let entry = self.shards[shard].find(hash_of(&print), |other| is_of(*other, print))?;
        u64::try_from(entry ^ print).ok()
    }

    #[cfg(test)]
    fn memory(&self) -> usize {
        self.shards.iter().map(|shard| size_of_val(shard) + shard.allocation_size()).sum()
    }
}

/// As [`table_hash`], of an entry of [`LastRecords`].
fn hash_of(entry: &u128) -> u64 {
    (entry >> u64::BITS) as u64
}

fn is_of(entry: u128, print: u128) -> bool {
    (entry ^ print) >> NUMBER_BITS == 0
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
            assert_eq!(records.len(), 200_000);
            assert_eq!(records.last("7"), Some(8 + 200_000 * (times - 1)));
            assert_eq!(records.last("200000"), None);
        }
        let mut records = LastRecords::default();
        let most = (1 << NUMBER_BITS) - 1;
        records.add("a", most);
        records.add("a", 1);
        assert_eq!(records.last("a"), Some(most));
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
            prop_assert_eq!(records.len(), last.len() as u64);
            for (key, number) in &last {
                prop_assert_eq!(records.last(key), Some(*number));
            }
            prop_assert_eq!(records.last("d"), None);
        }
    }
}
