//! What an earlier run of the same job settled, by record number: little more than 8 bytes per row.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::time::SystemTime;

use super::row::StoredRow;
use crate::outcome::{Status, Tally};
use crate::record::RecordNumber;
use crate::record_table::RecordTable;

/// The low bits of a record's word hold the status of its last row, from 1; 0 is for a record without a row. The rest is a hash
/// of its key.
const STATUS: u64 = 0b1111;

const _: () = assert!((Status::ALL.len() as u64) < STATUS);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordState {
    /// To be sent: it has no row, or one that does not settle it.
    Pending,
    Settled,
    /// The journal has another key at this position, so it belongs to another input.
    Mismatch,
}

/// What an earlier run settled. Read by [`ReportFile::read_journal`](super::ReportFile::read_journal).
///
/// Keys are kept as 60-bit hashes under a key that is random per journal: a different key passes for the same with a
/// chance of 2⁻⁶⁰ per record, whoever chose it.
#[derive(Debug, Default)]
pub struct Journal {
    records: RecordTable<u64>,
    hasher: RandomState,
    tally: Tally,
    last: Option<RecordNumber>,
    first_finished_at: Option<SystemTime>,
    requests: VecDeque<SystemTime>,
    attempts: u64,
}

impl Journal {
    /// The latest requests that are remembered: no API limit counts more.
    pub const LATEST_REQUESTS: usize = 1_200;

    /// The state of record `number`, which now holds `key` (for an invalid record, the `key` of its row). Its last row
    /// decides; rows of a dry run do not count.
    pub fn state(&self, number: RecordNumber, key: &str) -> RecordState {
        match self.status(number) {
            None | Some(Status::Planned | Status::Restorable) => RecordState::Pending,
            Some(_) if self.records.get(number) & !STATUS != self.hash(key) => RecordState::Mismatch,
            Some(status) if status.is_settled() => RecordState::Settled,
            Some(_) => RecordState::Pending,
        }
    }

    pub fn status(&self, number: RecordNumber) -> Option<Status> {
        status_in(self.records.get(number))
    }

    pub fn last(&self) -> Option<RecordNumber> {
        self.last
    }

    pub fn tally(&self) -> Tally {
        self.tally
    }

    pub fn settled(&self) -> u64 {
        self.tally.settled().total()
    }

    /// How many records are deleted, or were not there to be.
    pub fn deleted(&self) -> u64 {
        self.tally.get(Status::Deleted) + self.tally.get(Status::Absent)
    }

    pub fn first_finished_at(&self) -> Option<SystemTime> {
        self.first_finished_at
    }

    /// When the latest requests were made, as far as rows tell, in the order of the rows; at most 1,200. Each attempt counts
    /// as a request of its own that was made when its record was settled, because neither which of them shared a bulk call
    /// nor when the earlier ones were made is known.
    pub fn latest_requests(&self) -> impl Iterator<Item = SystemTime> {
        self.requests.iter().copied()
    }

    pub fn memory(&self) -> usize {
        self.records.memory()
    }

    /// The attempts of all rows.
    pub(crate) fn attempts(&self) -> u64 {
        self.attempts
    }

    pub(super) fn add(&mut self, row: &StoredRow<'_>) {
        self.tally.add(row.status);
        let word = self.hash(&row.key) | (row.status as u64 + 1);
        if let Some(before) = status_in(self.records.replace(row.number, word)) {
            self.tally.remove(before);
        }
        self.last = self.last.max(Some(row.number));
        self.attempts += u64::from(row.attempts);
        let at = row.finished_at;
        let made = Self::LATEST_REQUESTS.min(row.attempts as usize);
        self.requests.drain(..(self.requests.len() + made).saturating_sub(Self::LATEST_REQUESTS));
        self.requests.extend(std::iter::repeat_n(at, made));
        self.first_finished_at = Some(self.first_finished_at.map_or(at, |first| first.min(at)));
    }

    /// Takes back that a record has a row.
    pub(super) fn forget(&mut self, number: RecordNumber) {
        self.records.replace(number, 0);
    }

    fn hash(&self, key: &str) -> u64 {
        self.hasher.hash_one(key) & !STATUS
    }
}

fn status_in(word: u64) -> Option<Status> {
    let index = usize::try_from(word & STATUS).ok()?.checked_sub(1)?;
    Status::ALL.get(index).copied()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::super::encode::tests::noon;
    use super::*;

    fn number(number: u64) -> RecordNumber {
        RecordNumber::new(number).unwrap()
    }

    fn row(record: u64, key: &str, status: Status, attempts: u32, finished_at: SystemTime) -> StoredRow<'_> {
        let (key, error) = (key.into(), "".into());
        let (number, http_status, error_code, elapsed_ms) = (number(record), None, None, 0);
        StoredRow { number, key, status, http_status, error_code, error, attempts, elapsed_ms, finished_at }
    }

    fn journal(rows: &[(u64, &str, Status)]) -> Journal {
        let mut journal = Journal::default();
        for &(record, key, status) in rows {
            journal.add(&row(record, key, status, 1, noon()));
        }
        journal
    }

    #[test]
    fn only_settled_states_settle() {
        for status in Status::ALL {
            let journal = journal(&[(1, "a", status)]);
            let verdict = if status.is_settled() { RecordState::Settled } else { RecordState::Pending };
            assert_eq!(journal.state(number(1), "a"), verdict, "{status}");
            assert_eq!(journal.settled(), u64::from(status.is_settled()), "{status}");
            assert_eq!((journal.status(number(1)), journal.status(number(2))), (Some(status), None));
            assert_eq!(journal.state(number(2), "a"), RecordState::Pending, "{status}");
        }
    }

    #[test]
    fn another_key_is_noticed_unless_only_a_dry_run_saw_it() {
        for status in Status::ALL {
            let journal = journal(&[(5, "a", status)]);
            let dry = matches!(status, Status::Planned | Status::Restorable);
            let verdict = if dry { RecordState::Pending } else { RecordState::Mismatch };
            for other in ["b", "", "a ", "A", "a\0"] {
                assert_eq!(journal.state(number(5), other), verdict, "{status} {other:?}");
            }
        }
    }

    #[test]
    fn the_last_row_of_a_record_wins() {
        let again = journal(&[(1, "a", Status::Failed), (2, "b", Status::Deleted), (1, "a", Status::Deleted)]);
        assert_eq!((again.tally().total(), again.settled()), (2, 2));
        assert_eq!(again.state(number(1), "a"), RecordState::Settled);

        let undone = journal(&[(1, "a", Status::Deleted), (1, "a", Status::Unknown)]);
        assert_eq!((undone.tally().total(), undone.settled()), (1, 0));
        assert_eq!(undone.state(number(1), "a"), RecordState::Pending);
    }

    #[test]
    fn the_age_is_that_of_the_oldest_row() {
        let mut journal = Journal::default();
        assert_eq!(journal.first_finished_at(), None);
        let at = |second| UNIX_EPOCH + Duration::from_secs(second);
        for second in [20, 10, 30, 25] {
            let entry = row(second, "k", Status::Absent, 1, at(second));
            journal.add(&entry);
        }
        assert_eq!(journal.first_finished_at(), Some(at(10)));
    }

    #[test]
    fn every_attempt_of_the_latest_rows_is_a_request() {
        let mut journal = Journal::default();
        let at = |second| UNIX_EPOCH + Duration::from_secs(second);
        let mut add = |second, attempts| -> Vec<u64> {
            let finished_at = at(second);
            journal.add(&row(1, "k", Status::Deleted, attempts, finished_at));
            journal.latest_requests().map(|moment| moment.duration_since(UNIX_EPOCH).unwrap().as_secs()).collect()
        };
        add(1, 1);
        add(2, 0);
        assert_eq!(add(3, 2), [1, 3, 3]);
        let requests = add(4, 1_198);
        assert_eq!((requests.len(), &requests[..3]), (1_200, &[3, 3, 4][..]));
        assert!(add(5, u32::MAX) == [5; 1_200]);
        assert_eq!(journal.attempts(), 1 + 2 + 1_198 + u64::from(u32::MAX), "all of them count");
    }

    #[test]
    fn a_row_costs_at_most_sixteen_bytes() {
        let mut journal = Journal::default();
        for record in 1..=100_000 {
            journal.add(&row(record, "k", Status::Deleted, 1, noon()));
        }
        assert!(journal.memory() <= 16 * 100_000, "{} bytes", journal.memory());
        assert_eq!(journal.settled(), 100_000);
    }

    #[test]
    fn hostile_record_numbers_cost_little() {
        let far = [1, u64::MAX, u64::MAX - 1, 1 << 40, (1 << 40) + 64];
        let journal = journal(&far.map(|record| (record, "k", Status::Deleted)));
        assert!(journal.memory() < 4096, "{} bytes", journal.memory());
        for record in far {
            assert_eq!(journal.state(number(record), "k"), RecordState::Settled);
        }
        assert_eq!(journal.state(number(u64::MAX - 2), "k"), RecordState::Pending);
    }
}
