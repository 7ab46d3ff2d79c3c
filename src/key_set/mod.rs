//! Keys by their fingerprints, in a few bytes each, however long they are: a set, and which record of each is the last.

mod last;
mod slots;
mod table;

use std::hint::black_box;
use std::num::NonZeroU128;

use siphasher::sip128::SipHasher13;

pub use last::LastRecords;
use table::{Growth, Table};

/// Parts, a power of two. While one grows, it alone is in memory twice.
const PART_BITS: u32 = 9;

/// Remembers keys by a 128-bit keyed hash: 16 bytes a key over the load of the table, at most 24 on average from
/// 100,000 keys on, and at most 32 from 20,000 on or where more were expected.
///
/// Two different keys with the same hash would be taken for one, and the second reported `duplicate` without being
/// deleted. With n keys the chance that this happens at all is about n² / 2¹²⁹: for 10⁹ keys one in 7 × 10²⁰. The hash
/// is keyed at random for each run, so nobody can choose keys that collide, and a second run would not repeat it.
///
/// Nearly all the time of an insertion is the wait for memory: a hash may belong anywhere. Whoever has several keys at
/// hand therefore calls [`KeySet::touch`] for them before the insertions, so that these waits overlap.
pub struct KeySet {
    hasher: SipHasher13,
    tables: Vec<Table>,
    growth: Growth,
    len: usize,
}

/// A key as a [`KeySet`] knows it. Means nothing to another set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyHash(NonZeroU128);

impl KeyHash {
    fn part(self) -> usize {
        fold(self.0.get() & ((1 << PART_BITS) - 1))
    }
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
        Self {
            hasher: SipHasher13::new_with_key(&seed),
            tables: (0..1 << PART_BITS).map(|_| Table::default()).collect(),
            growth: Growth::default(),
            len: 0,
        }
    }

    /// What the set keeps of `key`.
    pub fn hash(&self, key: &str) -> KeyHash {
        // Zero marks a free slot.
        KeyHash(NonZeroU128::new(self.hasher.hash(key.as_bytes()).as_u128()).unwrap_or(NonZeroU128::MIN))
    }

    /// Looks at where `hashes` belong, which brings that into the processor's cache, several at a time.
    pub fn touch(&self, hashes: impl Iterator<Item = KeyHash>) {
        // The sum is of no use but keeps the compiler from leaving out the looks.
        black_box(hashes.fold(0, |sum, hash| sum ^ self.tables[hash.part()].at_home(hash.0.get())));
    }

    /// Says how many keys the set may come to hold, as far as is known by now: it grows in fewer steps up to there, and
    /// takes no more than 32 bytes a key if there are fewer.
    pub fn expect(&mut self, keys: u64) {
        self.growth.expect(usize::try_from(keys >> PART_BITS).unwrap_or(usize::MAX));
    }

    /// Adds a key of this set's [`KeySet::hash`]; `false` if it was there already.
    pub fn insert(&mut self, hash: KeyHash) -> bool {
        let is_new = self.tables[hash.part()].insert(hash.0.get(), &mut self.growth);
        self.len += usize::from(is_new);
        is_new
    }

    /// How many keys are in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no key is in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that it takes.
    pub fn memory(&self) -> usize {
        let slots = self.tables.iter().map(Table::touched).sum::<usize>() + self.growth.spare.touched();
        size_of::<Self>() + self.tables.capacity() * size_of::<Table>() + slots * size_of::<u128>()
    }
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeySet").field("len", &self.len).finish_non_exhaustive()
    }
}

/// A position that is known to be small.
fn fold(position: u128) -> usize {
    position as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn insert(set: &mut KeySet, key: &str) -> bool {
        let hash = set.hash(key);
        set.touch([hash].into_iter());
        set.insert(hash)
    }

    /// Bytes a key, of a set of that many.
    fn share(set: &KeySet) -> usize {
        set.memory().div_ceil(set.len())
    }

    fn fill(set: &mut KeySet, keys: usize, mut look: impl FnMut(&KeySet)) {
        for number in 0..keys {
            assert!(insert(set, &number.to_string()));
            if number % 100 == 99 {
                look(set);
            }
        }
        assert!((0..keys).step_by(77).all(|number| !insert(set, &number.to_string())));
        assert_eq!(set.len(), keys);
    }

    #[test]
    fn a_key_takes_few_bytes_at_every_size() {
        fill(&mut KeySet::with_seed(*b"0123456789abcdef"), 1_200_000, |set| match set.len() {
            100_000.. => assert!(share(set) <= 24, "{} of {}", share(set), set.len()),
            20_000.. => assert!(share(set) <= 32, "{} of {}", share(set), set.len()),
            _ => {}
        });
    }

    #[test]
    fn a_set_that_knows_its_size_ends_with_less_and_no_guess_makes_it_large() {
        for (expected, most) in [(1_000_000, 21), (970_000, 23), (1_030_000, 22), (2_000_000, 32), (u64::MAX, 32)] {
            let mut set = KeySet::with_seed(*b"0123456789abcdef");
            set.expect(expected);
            fill(&mut set, 1_000_000, |set| assert!(set.len() < 20_000 || share(set) <= 32, "{}", share(set)));
            assert!(share(&set) <= most, "{} of {expected}", share(&set));
        }
    }

    #[test]
    fn two_sets_have_two_keys() {
        assert_ne!(KeySet::new().hash("key"), KeySet::new().hash("key"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_answers_as_a_hash_set(keys in proptest::collection::vec("[a-c]{0,4}", 0..400)) {
            let mut set = KeySet::new();
            let mut model = HashSet::new();
            for key in &keys {
                prop_assert_eq!(insert(&mut set, key), model.insert(key));
            }
            prop_assert_eq!(set.len(), model.len());
        }
    }
}
