//! A set of keys in about 20 bytes each, however long they are.

use std::hint::black_box;

use siphasher::sip128::SipHasher13;

use super::slots::Slots;

/// Shards, a power of two. While one grows, it alone is in memory twice.
const SHARD_BITS: u32 = 10;

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
    shards: Vec<Shard>,
    len: usize,
    slots: usize,
}

/// A key as a [`KeySet`] knows it. Means nothing to another set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyHash(u128);

impl KeyHash {
    fn shard(self) -> usize {
        fold(self.0 & ((1 << SHARD_BITS) - 1))
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
            shards: (0..1 << SHARD_BITS).map(|_| Shard::default()).collect(),
            len: 0,
            slots: 0,
        }
    }

    /// What the set keeps of `key`.
    pub fn hash(&self, key: &str) -> KeyHash {
        // Zero marks a free slot.
        KeyHash(self.hasher.hash(key.as_bytes()).as_u128().max(1))
    }

    /// Looks at the slots where `hashes` belong, which brings them into the processor's cache, several at a time.
    pub fn touch(&self, hashes: impl Iterator<Item = KeyHash>) {
        // The sum is of no use but keeps the compiler from leaving out the looks.
        black_box(hashes.fold(0, |sum, hash| sum ^ self.shards[hash.shard()].at_home(hash.0)));
    }

    /// Adds a key of this set's [`KeySet::hash`]; `false` if it was there already.
    pub fn insert(&mut self, hash: KeyHash) -> bool {
        let shard = &mut self.shards[hash.shard()];
        let before = shard.slots.len();
        let is_new = shard.insert(hash.0);
        self.slots += shard.slots.len() - before;
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
        size_of::<Self>() + self.shards.capacity() * size_of::<Shard>() + self.slots * size_of::<u128>()
    }
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeySet").field("len", &self.len).finish_non_exhaustive()
    }
}

/// A hash table with linear probing whose taken slots are in the order of their hashes: a hash is looked for no
/// further than the first larger one, and a larger table is filled front to back. It grows by small steps and to any
/// size, because doubling would leave it half empty.
#[derive(Default)]
struct Shard {
    /// Zero is free. A few more than `homes`, so that what is pushed over the last home needs no way round.
    slots: Slots,
    /// How many of the slots a hash can belong to.
    homes: usize,
    used: usize,
}

impl Shard {
    fn at_home(&self, hash: u128) -> u128 {
        self.slots.get(home(hash, self.homes)).copied().unwrap_or(0)
    }

    fn insert(&mut self, hash: u128) -> bool {
        loop {
            let home = home(hash, self.homes);
            let place = self.slots[home..].iter().position(|&held| held == 0 || held >= hash);
            if let Some(place) = place {
                let slot = home + place;
                if self.slots[slot] == hash {
                    return false;
                }
                if !self.is_full() && self.put(slot, hash) {
                    return true;
                }
            }
            self.grow();
        }
    }

    /// Nine tenths: beyond that the runs of taken slots become long.
    fn is_full(&self) -> bool {
        (self.used + 1) * 10 > self.homes * 9
    }

    /// Makes room by moving what follows, up to the next free slot; `false` if there is none.
    fn put(&mut self, slot: usize, hash: u128) -> bool {
        let Some(run) = self.slots[slot..].iter().position(|&held| held == 0) else {
            return false;
        };
        self.slots.copy_within(slot..slot + run, slot + 1);
        self.slots[slot] = hash;
        self.used += 1;
        true
    }

    fn grow(&mut self) {
        let mut homes = self.homes;
        loop {
            homes = larger(homes);
            if let Some(slots) = self.spread_over(homes) {
                (self.slots, self.homes) = (slots, homes);
                return;
            }
        }
    }

    /// `None` if the hashes bunch so much that the last ones find no slot.
    fn spread_over(&self, homes: usize) -> Option<Slots> {
        let mut slots = Slots::zeroed(slots_for(homes));
        let mut next = 0;
        for &hash in self.slots.iter().filter(|&&hash| hash != 0) {
            let slot = home(hash, homes).max(next);
            *slots.get_mut(slot)? = hash;
            next = slot + 1;
        }
        Some(slots)
    }
}

/// The size after `homes`.
fn larger(homes: usize) -> usize {
    homes + (homes * 18 / 100).max(4)
}

/// The chance that this is too few falls with e^(-k/5) for k more slots than homes.
fn slots_for(homes: usize) -> usize {
    homes + (homes / 16 + 2).min(32)
}

/// The first slot that `hash` may be in: Lemire's fast range, which keeps the order.
fn home(hash: u128, homes: usize) -> usize {
    fold(((hash >> 64) * homes as u128) >> 64)
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

    #[test]
    fn a_key_takes_few_bytes_at_every_size() {
        let mut set = KeySet::with_seed(*b"0123456789abcdef");
        for number in 0_usize..1_200_000 {
            assert!(insert(&mut set, &number.to_string()));
            let (memory, len) = (set.memory(), set.len());
            if len >= 100_000 {
                assert!(memory <= len * 22, "{memory} bytes for {len} keys");
            } else if len >= 10_000 {
                assert!(memory <= len * 32, "{memory} bytes for {len} keys");
            }
        }
        assert!((0..1_200_000).step_by(77).all(|number: usize| !insert(&mut set, &number.to_string())));
        assert_eq!(set.len(), 1_200_000);
    }

    #[test]
    fn a_table_of_any_size_holds_the_bound() {
        // All shards of a large set grow at about the same time, so the worst table decides. No need to fill them.
        let mut homes = 1100;
        while homes < 1 << 30 {
            let fewest = homes * 9 / 10;
            homes = larger(homes);
            assert!(slots_for(homes) * 16 <= fewest * 22, "{homes} homes for {fewest} keys");
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

        #[test]
        fn a_shard_finds_what_clusters(hashes in proptest::collection::vec(1_u128..30, 0..60), large in any::<bool>()) {
            // All small hashes belong into the first slot, large ones into the last.
            let mut shard = Shard::default();
            let mut model = HashSet::new();
            for hash in hashes {
                let hash = if large { u128::MAX - hash } else { hash };
                prop_assert_eq!(shard.insert(hash), model.insert(hash));
                let held = || shard.slots.iter().filter(|&&held| held != 0);
                prop_assert!(held().is_sorted());
                prop_assert_eq!(held().count(), shard.used);
            }
        }
    }
}
