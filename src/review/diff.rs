//! A dry run's report compared with what was done: 8 bytes a planned key. Keys are compared, not positions, because a
//! plan that became the input is numbered from 1 again.

use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;

use super::reports::{Reports, ReviewError};
use crate::outcome::{Status, Tally};
use crate::text::truncated;

/// The low bits of a planned key's word say what became of it; the rest is a hash of the key.
const STATUS_BITS: u64 = 0b1111;

const SAMPLES: usize = 10;

#[derive(Debug, Default)]
pub(crate) struct Diff {
    pub planned: u64,
    /// Of these, what became of those with a row.
    pub done: Tally,
    /// Planned keys without a row.
    pub not_done: u64,
    /// The first planned keys that are not gone.
    pub not_gone_keys: Vec<String>,
    /// Keys that were sent without having been planned.
    pub unplanned: Tally,
    /// The first of these.
    pub unplanned_keys: Vec<String>,
}

impl Diff {
    /// Compares `plan` with `reports`.
    ///
    /// # Errors
    /// [`ReviewError::NoPlan`] where `plan` has no row of a dry run, and what keeps a file from being read.
    pub(crate) fn of(plan: &Path, reports: &Reports) -> Result<Self, ReviewError> {
        let plan = Reports::open(vec![plan.to_owned()])?;
        let hasher = RandomState::new();
        let mut planned_keys = PlannedKeys::default();
        plan.rows(|_, row, is_latest| {
            if is_latest && row.status == Status::Planned {
                planned_keys.words.push(hasher.hash_one(&*row.key) & !STATUS_BITS);
            }
        })?;
        if planned_keys.words.is_empty() {
            let path = plan.files().first().map(|file| file.path.clone()).unwrap_or_default();
            return Err(ReviewError::NoPlan { path });
        }
        planned_keys.words.sort_unstable();
        planned_keys.words.dedup();
        let mut diff = Self { planned: planned_keys.words.len() as u64, ..Self::default() };
        reports.rows(|_, row, is_latest| {
            // A duplicate's first record tells what became of the key.
            if !is_latest || matches!(row.status, Status::Duplicate | Status::Planned) {
                return;
            }
            let known = planned_keys.settle(hasher.hash_one(&*row.key), row.status);
            if !known && !matches!(row.status, Status::Invalid | Status::Kept) {
                diff.unplanned.add(row.status);
                if diff.unplanned_keys.len() < SAMPLES {
                    diff.unplanned_keys.push(truncated(&row.key).into_owned());
                }
            }
        })?;
        for &word in &planned_keys.words {
            match status_of(word) {
                Some(status) => diff.done.add(status),
                None => diff.not_done += 1,
            }
        }
        if diff.planned_not_gone() > 0 {
            plan.rows(|_, row, is_latest| {
                let wanted = is_latest && row.status == Status::Planned && diff.not_gone_keys.len() < SAMPLES;
                if wanted && !planned_keys.of(hasher.hash_one(&*row.key)).is_some_and(is_gone) {
                    diff.not_gone_keys.push(truncated(&row.key).into_owned());
                }
            })?;
        }
        Ok(diff)
    }

    /// Planned keys that are neither deleted nor absent.
    pub(crate) fn planned_not_gone(&self) -> u64 {
        self.planned - self.done.get(Status::Deleted) - self.done.get(Status::Absent)
    }

    pub(crate) fn differs(&self) -> bool {
        self.planned_not_gone() > 0 || self.unplanned.total() > 0
    }
}

fn is_gone(status: Status) -> bool {
    matches!(status, Status::Deleted | Status::Absent)
}

#[derive(Debug, Default)]
struct PlannedKeys {
    words: Vec<u64>,
}

impl PlannedKeys {
    fn find(&self, hash: u64) -> Option<usize> {
        self.words.binary_search_by_key(&(hash & !STATUS_BITS), |word| word & !STATUS_BITS).ok()
    }

    fn of(&self, hash: u64) -> Option<Status> {
        self.find(hash).and_then(|index| status_of(self.words[index]))
    }

    /// Takes what became of a key; of a key with several records, that it is gone says more than anything else. Whether
    /// it was planned.
    fn settle(&mut self, hash: u64, status: Status) -> bool {
        let Some(index) = self.find(hash) else { return false };
        if !status_of(self.words[index]).is_some_and(is_gone) {
            self.words[index] = self.words[index] & !STATUS_BITS | (status as u64 + 1);
        }
        true
    }
}

fn status_of(word: u64) -> Option<Status> {
    Status::ALL.into_iter().find(|&status| status as u64 + 1 == word & STATUS_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_fits_beside_the_hash() {
        for status in Status::ALL {
            let mut planned_keys = PlannedKeys { words: vec![0, !STATUS_BITS] };
            assert!(planned_keys.settle(u64::MAX, status));
            assert_eq!(
                (planned_keys.of(u64::MAX), planned_keys.of(0), planned_keys.of(16)),
                (Some(status), None, None)
            );
        }
    }

    #[test]
    fn gone_is_gone() {
        let mut planned_keys = PlannedKeys { words: vec![8] };
        for (status, then) in
            [(Status::Failed, Status::Failed), (Status::Deleted, Status::Deleted), (Status::Invalid, Status::Deleted)]
        {
            planned_keys.settle(8, status);
            assert_eq!(planned_keys.of(8), Some(then));
        }
    }
}
