//! How long names are. A name has at most 512 bytes, so a counter for each length is all of it.

use crate::key::MAX_KEY_BYTES;

/// Counts names by length, in bytes.
#[derive(Debug)]
pub(crate) struct Lengths {
    counts: Box<[u64; MAX_KEY_BYTES + 1]>,
}

impl Default for Lengths {
    fn default() -> Self {
        Self { counts: Box::new([0; MAX_KEY_BYTES + 1]) }
    }
}

impl Lengths {
    /// Counts a name of so many bytes.
    pub(crate) fn add(&mut self, bytes: usize) {
        self.counts[bytes.min(MAX_KEY_BYTES)] += 1;
    }

    /// The shortest, the median (of two in the middle the shorter) and the longest, in bytes; `None` without a name.
    pub(crate) fn summary(&self) -> Option<(usize, usize, usize)> {
        let total: u64 = self.counts.iter().sum();
        let nth = |nth: u64| {
            let mut seen = 0;
            self.counts.iter().position(|count| {
                seen += count;
                seen > nth
            })
        };
        Some((nth(0)?, nth((total - 1) / 2)?, nth(total - 1)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(lengths: &[usize]) -> Option<(usize, usize, usize)> {
        let mut counted = Lengths::default();
        for &length in lengths {
            counted.add(length);
        }
        counted.summary()
    }

    #[test]
    fn the_middle_is_that_of_the_sorted_names() {
        assert_eq!(summary(&[]), None);
        assert_eq!(summary(&[7]), Some((7, 7, 7)));
        assert_eq!(summary(&[512, 1, 30, 30, 4]), Some((1, 30, 512)));
        assert_eq!(summary(&[9, 3, 5, 4]), Some((3, 4, 9)));
    }
}
