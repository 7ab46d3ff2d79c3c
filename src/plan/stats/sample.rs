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
    /// The number of the name that is taken of this stretch.
    chosen: u64,
    rng: StdRng,
}

impl Default for Sample {
    fn default() -> Self {
        Self { chosen: 0, rng: StdRng::seed_from_u64(0) }
    }
}

impl Sample {
    /// For how many names the one at `index` stands, which follows the last one asked for; `None` if another one stands for it.
    pub(super) fn stands_for(&mut self, index: u64) -> Option<u64> {
        let (start, length) = if index < ALL { (index, 1) } else { (index - index % STRIDE, STRIDE) };
        if index == start {
            self.chosen = start + self.rng.random_range(0..length);
        }
        (index == self.chosen).then_some(length)
    }
}

const _: () = assert!(ALL.is_multiple_of(STRIDE));

#[cfg(test)]
mod tests {
    use super::*;

    fn times(names: u64, seed: u64) -> Vec<u64> {
        let mut sample = Sample { rng: StdRng::seed_from_u64(seed), ..Sample::default() };
        (0..names).map(|index| sample.stands_for(index).unwrap_or(0)).collect()
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
