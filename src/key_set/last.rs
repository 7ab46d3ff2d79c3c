//! Which record of each key is the last one, in at most 32 bytes a key.

use siphasher::sip128::SipHasher13;

use super::PART_BITS;

/// The least room that a part grows by, in entries.
const MIN_GROWTH: usize = 16;

/// Remembers for each key the greatest number it was added with.
///
/// Keys are known by the same 128-bit keyed hash as in a [`KeySet`](super::KeySet), with the same chance that two pass for
/// one: about n² / 2¹²⁹. An entry takes 24 bytes. Of the 512 parts each has room for an eighth more than it holds, and is
/// sorted, and freed of numbers that are not the greatest, before it grows.
pub struct LastRecords {
    hasher: SipHasher13,
    parts: Vec<Vec<Entry>>,
}

/// The hash, high half first, and the number; without padding.
type Entry = [u64; 3];

impl Default for LastRecords {
    fn default() -> Self {
        Self::with_seed(rand::random())
    }
}

impl LastRecords {
    /// Empty, with a known key, for tests.
    fn with_seed(seed: [u8; 16]) -> Self {
        Self { hasher: SipHasher13::new_with_key(&seed), parts: vec![Vec::new(); 1 << PART_BITS] }
    }

    /// Adds a record of `key`. Numbers are not added in order only if that is all the same.
    pub fn add(&mut self, key: &str, number: u64) {
        let [high, low] = self.hash(key);
        let part = &mut self.parts[index(high)];
        if part.len() == part.capacity() {
            compact(part);
            // After the removal of many there is room.
            if part.len() + part.len() / 8 + 1 > part.capacity() {
                part.reserve_exact(part.len() / 8 + MIN_GROWTH);
            }
        }
        part.push([high, low, number]);
    }

    /// Ends the adding; how many keys there are.
    pub fn finish(&mut self) -> u64 {
        self.parts.iter_mut().for_each(compact);
        self.parts.iter().map(|part| part.len() as u64).sum()
    }

    /// The greatest number of `key`, once they are [finished](LastRecords::finish).
    pub fn last(&self, key: &str) -> Option<u64> {
        let [high, low] = self.hash(key);
        let part = &self.parts[index(high)];
        let found = part.binary_search_by(|entry| entry[..2].cmp(&[high, low]));
        found.ok().map(|index| part[index][2])
    }

    /// Bytes that it takes.
    pub fn memory(&self) -> usize {
        let entries = self.parts.iter().map(Vec::capacity).sum::<usize>();
        self.parts.capacity() * size_of::<Vec<Entry>>() + entries * size_of::<Entry>()
    }

    fn hash(&self, key: &str) -> [u64; 2] {
        let hash = self.hasher.hash(key.as_bytes());
        [hash.h1, hash.h2]
    }
}

/// Sorts, and keeps of each hash the entry with the greatest number. Most of it is sorted already, which takes little time.
fn compact(part: &mut Vec<Entry>) {
    #[expect(clippy::stable_sort_primitive, reason = "an unstable sort makes no use of what is sorted already")]
    part.sort();
    part.dedup_by(|later, kept| {
        let is_same = later[..2] == kept[..2];
        if is_same {
            kept[2] = later[2];
        }
        is_same
    });
}

fn index(high: u64) -> usize {
    (high >> (u64::BITS - PART_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_takes_at_most_32_bytes_whether_it_repeats_or_not() {
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
    }

    proptest! {
        #[test]
        fn it_answers_as_a_hash_map(keys in prop::collection::vec("[a-c]{0,3}", 0..400)) {
            let (mut records, mut model) = (LastRecords::default(), HashMap::new());
            for (number, key) in keys.iter().enumerate() {
                records.add(key, number as u64);
                model.insert(key.clone(), number as u64);
            }
            prop_assert_eq!(records.finish(), model.len() as u64);
            for (key, number) in &model {
                prop_assert_eq!(records.last(key), Some(*number));
            }
            prop_assert_eq!(records.last("d"), None);
        }
    }
}
