//! A set of keys in about 20 bytes each, however long they are.

mod slots;
mod table;

use std::hint::black_box;
use std::num::NonZeroU128;

use siphasher::sip128::SipHasher13;

use slots::Slots;
use table::Table;

/// Parts, a power of two. While one grows, it alone is in memory twice.
const PART_BITS: u32 = 10;

/// Remembers keys by a 128-bit keyed hash: 16 bytes a key over the load of the table, at most 22 on average from
/// 100,000 keys on (32 from 10,000).
///
/// Two different keys with the same hash would be taken for one, and the second reported `duplicate` without being
/// deleted. With n keys the chance that this happens at all is about n² / 2¹²⁹: for 10⁹ keys one in 7 × 10²⁰. The hash
/// is keyed at random for each run, so nobody can choose keys that collide, and a second run would not repeat it.
///
/// Nearly all the time of an insertion is the wait for memory: the slot of a hash may be anywhere. Whoever has several
/// keys at hand therefore calls [`KeySet::touch`] for them before the insertions, so that these waits overlap.
pub struct KeySet {
    hasher: SipHasher13,
    tables: Vec<Table>,
    /// Room that one of them has left for the next.
    spare: Slots,
    len: usize,
    touched: usize,
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
            spare: Slots::default(),
            len: 0,
            touched: 0,
        }
    }

    /// What the set keeps of `key`.
    pub fn hash(&self, key: &str) -> KeyHash {
        // Zero marks a free slot.
        KeyHash(NonZeroU128::new(self.hasher.hash(key.as_bytes()).as_u128()).unwrap_or(NonZeroU128::MIN))
    }

    /// Looks at the slots where `hashes` belong, which brings them into the processor's cache, several at a time.
    pub fn touch(&self, hashes: impl Iterator<Item = KeyHash>) {
        // The sum is of no use but keeps the compiler from leaving out the looks.
        black_box(hashes.fold(0, |sum, hash| sum ^ self.tables[hash.part()].at_home(hash.0.get())));
    }

    /// Adds a key of this set's [`KeySet::hash`]; `false` if it was there already.
    pub fn insert(&mut self, hash: KeyHash) -> bool {
        let table = &mut self.tables[hash.part()];
        let before = table.touched();
        let is_new = table.insert(hash.0.get(), &mut self.spare);
        self.touched = self.touched - before + table.touched();
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
        size_of::<Self>()
            + self.tables.capacity() * size_of::<Table>()
            + (self.touched + self.spare.touched()) * size_of::<u128>()
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

    fn hold_the_bound(set: &KeySet) {
        let (memory, len) = (set.memory(), set.len());
        if len >= 100_000 {
            assert!(memory <= len * 22, "{memory} bytes for {len} keys");
        } else if len >= 10_000 {
            assert!(memory <= len * 32, "{memory} bytes for {len} keys");
        }
    }

    #[test]
    fn a_key_takes_few_bytes_at_every_size() {
        let mut set = KeySet::with_seed(*b"0123456789abcdef");
        for number in 0_usize..1_200_000 {
            assert!(insert(&mut set, &number.to_string()));
            hold_the_bound(&set);
        }
        assert!((0..1_200_000).step_by(77).all(|number: usize| !insert(&mut set, &number.to_string())));
        assert_eq!(set.len(), 1_200_000);
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
