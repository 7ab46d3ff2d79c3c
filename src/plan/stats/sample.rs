//! Which names are looked at closely: all of the first, then one of every sixteen, chosen by chance.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// So many names are all taken.
const ALL: u64 = 50_000;

/// Then one of so many is.
const STRIDE: u64 = 16;

/// Chooses names. One of each stretch is taken, at a random place, so that no order of the names can deceive it; always
/// the same ones, so that the same input has the same stats.
#[derive(Debug)]
pub(super) struct Sample {
    seen: u64,
    taken: u64,
    next: u64,
    rng: StdRng,
}

impl Default for Sample {
    fn default() -> Self {
        Self { seen: 0, taken: 0, next: 0, rng: StdRng::seed_from_u64(0) }
    }
}

impl Sample {
    /// For how many names the next one stands; `None` where another one stands for it.
    pub(super) fn next(&mut self) -> Option<u64> {
        let this = self.seen;
        self.seen += 1;
        if this != self.next {
            return None;
        }
        self.taken += 1;
        if self.seen < ALL {
            self.next = self.seen;
            return Some(1);
        }
        let stretch = if this < ALL { ALL } else { this - this % STRIDE + STRIDE };
        self.next = stretch + self.rng.random_range(0..STRIDE);
        Some(if this < ALL { 1 } else { STRIDE })
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether all were.
    pub(super) fn is_whole(&self) -> bool {
        self.taken == self.seen
    }
}

const _: () = assert!(ALL.is_multiple_of(STRIDE));

#[cfg(test)]
mod tests {
    use super::*;

    fn times(names: u64, seed: u64) -> Vec<u64> {
        let mut sample = Sample { rng: StdRng::seed_from_u64(seed), ..Sample::default() };
        (0..names).map(|_| sample.next().unwrap_or(0)).collect()
    }

    #[test]
    fn every_name_counts_as_long_as_they_are_few() {
        assert!(times(ALL, 0).iter().all(|&times| times == 1));
    }

    #[test]
    fn of_many_each_stretch_has_one_that_stands_for_it() {
        let times = times(ALL + 1_000 * STRIDE, 0);
        let (all, rest) = times.split_at(ALL.try_into().unwrap());
        assert!(all.iter().all(|&times| times == 1));
        let mut places = vec![0; usize::try_from(STRIDE).unwrap()];
        for stretch in rest.chunks_exact(STRIDE.try_into().unwrap()) {
            assert_eq!(stretch.iter().sum::<u64>(), STRIDE);
            places[stretch.iter().position(|&times| times > 0).unwrap()] += 1;
        }
        assert!(places.iter().all(|&times| times > 30), "any place may be the one: {places:?}");
    }

    #[test]
    fn wherever_the_first_of_a_stretch_is_taken_the_next_one_follows() {
        for seed in 0..64 {
            let sampled = times(ALL + 3 * STRIDE, seed).into_iter().skip(ALL.try_into().unwrap());
            assert_eq!(sampled.sum::<u64>(), 3 * STRIDE, "seed {seed}");
        }
    }
}
