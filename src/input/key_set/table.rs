//! The hash table that a set consists of.

use std::mem;

use super::fold;
use super::slots::Slots;

/// A hash table with linear probing whose taken slots are in the order of their hashes: a hash is looked for no
/// further than the first larger one, and a larger table is filled front to back. It grows by small steps and to any
/// size, because doubling would leave it half empty.
#[derive(Default)]
pub(super) struct Table {
    /// Zero is free. A few more than `homes`, so that what is pushed over the last home needs no way round.
    slots: Slots,
    /// How many of the slots a hash can belong to.
    homes: usize,
    used: usize,
}

impl Table {
    /// What is in the slot where `hash` would be, were there no other.
    pub(super) fn at_home(&self, hash: u128) -> u128 {
        self.slots.get(home(hash, self.homes)).copied().unwrap_or(0)
    }

    /// Adds `hash`; `false` if it was there already.
    pub(super) fn insert(&mut self, hash: u128, spare: &mut Slots) -> bool {
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
            self.grow(spare);
        }
    }

    /// How many slots have ever been in use.
    pub(super) fn touched(&self) -> usize {
        self.slots.touched()
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

    fn grow(&mut self, spare: &mut Slots) {
        let old = mem::take(&mut self.slots);
        loop {
            self.homes = larger(self.homes);
            self.slots = Slots::zeroed(slots_for(self.homes), spare);
            if spread(&old, self.homes, &mut self.slots).is_some() {
                break;
            }
            mem::take(&mut self.slots).leave(spare);
        }
        old.leave(spare);
    }
}

/// `None` if the hashes bunch so much that the last ones find no slot.
fn spread(hashes: &[u128], homes: usize, slots: &mut [u128]) -> Option<()> {
    let mut next = 0;
    for &hash in hashes.iter().filter(|&&hash| hash != 0) {
        let slot = home(hash, homes).max(next);
        *slots.get_mut(slot)? = hash;
        next = slot + 1;
    }
    Some(())
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_table_of_any_size_holds_the_bound() {
        // All tables of a large set grow at about the same time, so the worst decides. No need to fill them.
        let mut homes = 1100;
        while homes < 1 << 30 {
            let fewest = homes * 9 / 10;
            homes = larger(homes);
            assert!(slots_for(homes) * 16 <= fewest * 22, "{homes} homes for {fewest} keys");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_finds_what_clusters(hashes in proptest::collection::vec(1_u128..30, 0..60), large in any::<bool>()) {
            // All small hashes belong into the first slot, large ones into the last.
            let (mut table, mut spare) = (Table::default(), Slots::default());
            let mut model = HashSet::new();
            for hash in hashes {
                let hash = if large { u128::MAX - hash } else { hash };
                prop_assert_eq!(table.insert(hash, &mut spare), model.insert(hash));
                let held = || table.slots.iter().filter(|&&held| held != 0);
                prop_assert!(held().is_sorted());
                prop_assert_eq!(held().count(), table.used);
            }
        }
    }
}
