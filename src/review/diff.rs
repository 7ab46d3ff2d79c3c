//! A dry run's report compared with what was done: 8 bytes a planned key. Keys are compared, not positions, because a
//! plan that became the input is counted anew.

use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;

use super::cut;
use super::reports::{Reports, ReviewError};
use crate::outcome::{Status, Tally};

/// The low bits of a planned key's word say what became of it; the rest is a hash of the key.
const FATE: u64 = 0b1111;

/// Keys that are kept as examples.
const SAMPLES: usize = 10;

/// What was planned against what was done.
#[derive(Debug, Default)]
pub struct Diff {
    /// Keys that were planned.
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
    pub fn of(plan: &Path, reports: &Reports) -> Result<Self, ReviewError> {
        let plan = Reports::open(vec![plan.to_owned()])?;
        let hasher = RandomState::new();
        let mut fates = Fates::default();
        plan.rows(|_, row, counts| {
            if counts && row.status == Status::Planned {
                fates.words.push(hasher.hash_one(&*row.key) & !FATE);
            }
        })?;
        if fates.words.is_empty() {
            let path = plan.files().first().map(|file| file.path.clone()).unwrap_or_default();
            return Err(ReviewError::NoPlan { path });
        }
        fates.words.sort_unstable();
        fates.words.dedup();
        let mut diff = Self { planned: fates.words.len() as u64, ..Self::default() };
        reports.rows(|_, row, counts| {
            // A duplicate's first record tells what became of the key.
            if !counts || matches!(row.status, Status::Duplicate | Status::Planned) {
                return;
            }
            let known = fates.settle(hasher.hash_one(&*row.key), row.status);
            if !known && !matches!(row.status, Status::Invalid | Status::Kept) {
                diff.unplanned.add(row.status);
                if diff.unplanned_keys.len() < SAMPLES {
                    diff.unplanned_keys.push(cut(&row.key).to_owned());
                }
            }
        })?;
        for &word in &fates.words {
            match fate(word) {
                Some(status) => diff.done.add(status),
                None => diff.not_done += 1,
            }
        }
        if diff.planned_not_gone() > 0 {
            plan.rows(|_, row, counts| {
                let wanted = counts && row.status == Status::Planned && diff.not_gone_keys.len() < SAMPLES;
                if wanted && !fates.of(hasher.hash_one(&*row.key)).is_some_and(is_gone) {
                    diff.not_gone_keys.push(cut(&row.key).to_owned());
                }
            })?;
        }
        Ok(diff)
    }

    /// Planned keys that are neither deleted nor absent.
    pub fn planned_not_gone(&self) -> u64 {
        self.planned - self.done.get(Status::Deleted) - self.done.get(Status::Absent)
    }

    /// Whether something else was done than what was planned.
    pub fn differs(&self) -> bool {
        self.planned_not_gone() > 0 || self.unplanned.total() > 0
    }
}

fn is_gone(status: Status) -> bool {
    matches!(status, Status::Deleted | Status::Absent)
}

/// What became of every planned key, sorted by hash.
#[derive(Debug, Default)]
struct Fates {
    words: Vec<u64>,
}

impl Fates {
    fn find(&self, hash: u64) -> Option<usize> {
        self.words.binary_search_by_key(&(hash & !FATE), |word| word & !FATE).ok()
    }

    fn of(&self, hash: u64) -> Option<Status> {
        self.find(hash).and_then(|index| fate(self.words[index]))
    }

    /// Takes what became of a key; of a key with several records, that it is gone says more than anything else. Whether
    /// it was planned.
    fn settle(&mut self, hash: u64, status: Status) -> bool {
        let Some(index) = self.find(hash) else { return false };
        if !fate(self.words[index]).is_some_and(is_gone) {
            self.words[index] = self.words[index] & !FATE | (status as u64 + 1);
        }
        true
    }
}

fn fate(word: u64) -> Option<Status> {
    Status::ALL.into_iter().find(|&status| status as u64 + 1 == word & FATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_fits_beside_the_hash() {
        for status in Status::ALL {
            let mut fates = Fates { words: vec![0, !FATE] };
            assert!(fates.settle(u64::MAX, status));
            assert_eq!((fates.of(u64::MAX), fates.of(0), fates.of(16)), (Some(status), None, None));
        }
    }

    #[test]
    fn gone_is_gone() {
        let mut fates = Fates { words: vec![8] };
        for (status, then) in
            [(Status::Failed, Status::Failed), (Status::Deleted, Status::Deleted), (Status::Invalid, Status::Deleted)]
        {
            fates.settle(8, status);
            assert_eq!(fates.of(8), Some(then));
        }
    }
}
