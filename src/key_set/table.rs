//! The hash table that a set consists of.

use std::mem;

use super::fold;
use super::slots::Slots;

/// Slots that stand in one line of the processor's cache: a hash may be in any of them.
const LINE: usize = 4;

/// How many slots of a hundred homes' may be taken: beyond that the runs of taken slots become long.
const LOAD: usize = 85;

/// A hash table with linear probing, line by line. Hashes belong into lines in their order, so a larger table is filled
/// front to back. It grows by small steps and to any size, because doubling would leave it half empty.
#[derive(Default)]
pub(super) struct Table {
    /// Zero is free. A few lines more than `homes`, so that what is pushed over the last home needs no way round.
    slots: Slots,
    /// How many of the lines a hash can belong to.
    homes: usize,
    used: usize,
}

/// What the tables of a set share when they grow.
#[derive(Default)]
pub(super) struct Growth {
    /// Room that one has left for the next.
    pub(super) spare: Slots,
    /// The homes that each is expected to need.
    wanted: usize,
}

impl Growth {
    /// A table is expected to hold about so many hashes.
    pub(super) fn expect(&mut self, hashes: usize) {
        // As full as it may be, but for three in a hundred: one of a set's tables has that many more than the average.
        self.wanted = hashes.saturating_mul(103) / (LOAD * LINE);
    }
}

impl Table {
    /// What is in the first slot where `hash` may be.
    pub(super) fn at_home(&self, hash: u128) -> u128 {
        self.slots.get(home(hash, self.homes)).copied().unwrap_or(0)
    }

    /// Adds `hash`; `false` if it was there already.
    pub(super) fn insert(&mut self, hash: u128, growth: &mut Growth) -> bool {
        loop {
            let is_full = self.is_full();
            match place(&mut self.slots, home(hash, self.homes), hash) {
                Some(held) if *held == hash => return false,
                Some(free) if !is_full => {
                    *free = hash;
                    self.used += 1;
                    return true;
                }
                _ => self.grow(growth),
            }
        }
    }

    /// How many slots have ever been in use.
    pub(super) fn touched(&self) -> usize {
        self.slots.touched()
    }

    fn is_full(&self) -> bool {
        (self.used + 1) * 100 > self.homes * LINE * LOAD
    }

    fn grow(&mut self, Growth { spare, wanted }: &mut Growth) {
        let old = mem::take(&mut self.slots);
        loop {
            self.homes = larger(self.homes, *wanted);
            self.slots = Slots::zeroed(slots_for(self.homes), spare);
            if spread(&old, self.homes, &mut self.slots).is_some() {
                break;
            }
            mem::take(&mut self.slots).leave(spare);
        }
        old.leave(spare);
    }
}

/// The slot from `home` on that holds `hash`, or else the free one where it would be put.
fn place(slots: &mut [u128], home: usize, hash: u128) -> Option<&mut u128> {
    slots[home..].iter_mut().find(|held| **held == 0 || **held == hash)
}

/// `None` if the hashes bunch so much that one finds no slot.
fn spread(hashes: &[u128], homes: usize, slots: &mut [u128]) -> Option<()> {
    for &hash in hashes.iter().filter(|&&hash| hash != 0) {
        *place(slots, home(hash, homes), hash)? = hash;
    }
    Some(())
}

/// The size after `homes`. To what is `wanted` it takes few steps, and even ones, of three fifths at most.
fn larger(homes: usize, wanted: usize) -> usize {
    let step = homes + (homes * 18 / 100).max(1);
    let most = homes + homes * 3 / 5;
    if wanted <= homes + homes / 20 {
        step
    } else if wanted <= most {
        wanted
    } else if wanted <= most + most * 3 / 5 {
        homes.saturating_mul(wanted).isqrt().max(step)
    } else {
        most.max(step)
    }
}

/// The chance that this is too few falls steeply with every line more than homes.
fn slots_for(homes: usize) -> usize {
    (homes + (homes / 16 + 1).min(8)) * LINE
}

/// The first slot that `hash` may be in: Lemire's fast range, which keeps the order.
fn home(hash: u128, homes: usize) -> usize {
    fold(((hash >> 64) * homes as u128) >> 64) * LINE
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_table_of_any_size_holds_the_bound() {
        for wanted in 0..300 {
            assert!((0..100).all(|homes| larger(homes, wanted) > homes), "{wanted}");
        }
        // All tables of a large set grow at about the same time, so the worst decides. No need to fill them.
        let bytes = |homes, wanted| slots_for(larger(homes, wanted)) * 16 * 100 / (homes * LINE * LOAD);
        let mut homes = 300;
        while homes < 1 << 28 {
            assert!(bytes(homes, 0) < 24, "{homes}");
            for percent in [101, 104, 105, 130, 160, 161, 200, 256, 257, 10_000] {
                assert!(bytes(homes, homes * percent / 100) < 32, "{homes} {percent}");
            }
            homes = larger(homes, 0);
        }
    }

    #[test]
    fn a_size_that_is_wanted_is_reached_in_few_steps_and_not_passed() {
        for (wanted, steps) in [(1060, 1), (1600, 1), (1610, 2), (2560, 2), (2570, 3), (16_000, 6), (1_000_000, 15)] {
            let sizes: Vec<_> = std::iter::successors(Some(1000), |&homes| Some(larger(homes, wanted)))
                .take_while(|&homes| homes < wanted)
                .collect();
            assert_eq!((sizes.len(), larger(sizes[sizes.len() - 1], wanted)), (steps, wanted), "{sizes:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_finds_what_clusters(hashes in proptest::collection::vec(1_u128..30, 0..60), large in any::<bool>()) {
            // All small hashes belong into the first line, large ones into the last.
            let (mut table, mut growth) = (Table::default(), Growth::default());
            let mut model = HashSet::new();
            for hash in hashes {
                let hash = if large { u128::MAX - hash } else { hash };
                prop_assert_eq!(table.insert(hash, &mut growth), model.insert(hash));
                prop_assert_eq!(table.slots.iter().filter(|&&held| held != 0).count(), table.used);
            }
        }
    }
}
