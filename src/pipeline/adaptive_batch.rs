//! How many keys are looked for with one request: as many as the API takes, until their values are too much for it.

use std::num::NonZeroU32;

use crate::api::MAX_GET_KEYS;

/// So many good answers after a refusal, and one key more is looked for with a request.
const GROWS_AFTER: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct AdaptiveBatchSize {
    /// The most keys, times [`GROWS_AFTER`]: each success adds one.
    parts: usize,
}

impl Default for AdaptiveBatchSize {
    fn default() -> Self {
        Self { parts: MAX_GET_KEYS * GROWS_AFTER }
    }
}

impl AdaptiveBatchSize {
    pub(crate) fn most(self) -> NonZeroU32 {
        u32::try_from(self.parts / GROWS_AFTER).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
    }

    /// A request for so many keys was refused as a whole; those to come are probably like them.
    pub(crate) fn refused(&mut self, keys: usize) {
        if keys > 1 {
            self.parts = self.parts.min(keys / 2 * GROWS_AFTER);
        }
    }

    pub(crate) fn answered(&mut self) {
        self.parts = (self.parts + 1).min(MAX_GET_KEYS * GROWS_AFTER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_halves_it_and_good_answers_let_it_grow_again() {
        let mut batch = AdaptiveBatchSize::default();
        batch.refused(100);
        assert_eq!(batch.most().get(), 50);
        let answered = |batch: &mut AdaptiveBatchSize, times: usize| (0..times).for_each(|_| batch.answered());
        answered(&mut batch, GROWS_AFTER - 1);
        assert_eq!(batch.most().get(), 50);
        answered(&mut batch, 1 + 3 * GROWS_AFTER);
        assert_eq!(batch.most().get(), 54);
        batch.refused(80);
        batch.refused(1);
        assert_eq!(batch.most().get(), 40, "a request for one key cannot be halved");
        answered(&mut batch, 1_000 * GROWS_AFTER);
        assert_eq!(batch, AdaptiveBatchSize::default());
    }
}
