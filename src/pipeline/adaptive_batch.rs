//! How many keys are looked for with one request: as many as the API takes, until their values are too much for it.

use std::num::NonZeroU32;

use crate::api::MAX_GET_KEYS;

/// So many good answers after a refusal, and one key more is looked for with a request.
const GROWS_AFTER: u32 = 8;

#[derive(Debug, Clone, Copy)]
pub(crate) struct AdaptiveBatchSize {
    pub(crate) most: NonZeroU32,
    /// Good answers since that last changed.
    pub(crate) good: u32,
}

impl Default for AdaptiveBatchSize {
    fn default() -> Self {
        Self { most: Self::MOST, good: 0 }
    }
}

impl AdaptiveBatchSize {
    #[expect(clippy::cast_possible_truncation, reason = "a hundred")]
    const MOST: NonZeroU32 = NonZeroU32::new(MAX_GET_KEYS as u32).unwrap();

    /// A request for so many keys was refused as a whole; those to come are probably like them.
    pub(crate) fn refused(&mut self, keys: usize) {
        if let Some(half) = u32::try_from(keys / 2).ok().and_then(NonZeroU32::new) {
            *self = Self { most: self.most.min(half), good: 0 };
        }
    }

    pub(crate) fn answered(&mut self) {
        self.good += 1;
        if self.good >= GROWS_AFTER {
            *self = Self { most: self.most.saturating_add(1).min(Self::MOST), good: 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_halves_it_and_good_answers_let_it_grow_again() {
        let mut batch = AdaptiveBatchSize::default();
        batch.refused(100);
        assert_eq!(batch.most.get(), 50);
        let answered = |batch: &mut AdaptiveBatchSize, times: u32| (0..times).for_each(|_| batch.answered());
        answered(&mut batch, GROWS_AFTER - 1);
        assert_eq!(batch.most.get(), 50);
        answered(&mut batch, 1 + 3 * GROWS_AFTER);
        assert_eq!(batch.most.get(), 54);
        batch.refused(80);
        batch.refused(1);
        assert_eq!(batch.most.get(), 40, "a request for one key cannot be halved");
        answered(&mut batch, 1_000 * GROWS_AFTER);
        assert_eq!(batch.most, AdaptiveBatchSize::MOST);
    }
}
