//! Which row of a record is the latest: 24 bytes per record.
//!
//! Within a file it is the last row of the record; between files the one that finished later, if both are about the same key.
//! If they are not, the files are about different inputs and each counts for itself.

use std::num::NonZeroU32;

use crate::record::RecordNumber;
use crate::record_table::RecordTable;

/// The most files whose rows can be told apart.
pub(super) const MOST_FILES: usize = u16::MAX as usize;

/// The latest row of each record of a file, or of several about one input.
pub(super) type RowIndex = RecordTable<Option<LatestRow>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LatestRow {
    key_hash: u64,
    finished_ms: u64,
    /// Which row of the file, from 1.
    row: NonZeroU32,
    file: u16,
}

impl LatestRow {
    /// A row of a file, both counted from 0.
    pub(super) fn new(file: usize, row: u64, finished_ms: u64, key_hash: u64) -> Self {
        let (file, row) = id(file, row);
        Self { key_hash, finished_ms, row, file }
    }
}

/// Rows beyond four billion are all the same.
fn id(file: usize, row: u64) -> (u16, NonZeroU32) {
    let row = u32::try_from(row).unwrap_or(u32::MAX);
    (u16::try_from(file).unwrap_or(u16::MAX), NonZeroU32::MIN.saturating_add(row))
}

/// The tables of all files: those about one input are one.
#[derive(Debug, Default)]
pub(super) struct LatestRows {
    inputs: Vec<RowIndex>,
    input_of: Vec<usize>,
}

impl LatestRows {
    /// Adds the rows of the next file, which has the same input as others only if it may have that of each of them, and no record
    /// has another key there.
    pub(super) fn add(&mut self, table: RowIndex, may_be_of: impl Fn(usize) -> bool) {
        let may_belong = |input: usize| {
            let mut files = self.input_of.iter().enumerate().filter(|(_, of)| **of == input);
            files.all(|(file, _)| may_be_of(file))
        };
        let same_key = |(ours, theirs): (LatestRow, LatestRow)| ours.key_hash == theirs.key_hash;
        let agrees = |input: &RowIndex| input.agrees_with(&table, |ours, theirs| ours.zip(theirs).is_none_or(same_key));
        let known = (0..self.inputs.len()).find(|&input| may_belong(input) && agrees(&self.inputs[input]));
        match known {
            Some(input) => self.inputs[input].merge(table, |ours, theirs| match (ours, theirs) {
                (Some(ours), Some(theirs)) if theirs.finished_ms > ours.finished_ms => Some(theirs),
                _ => ours.or(theirs),
            }),
            None => self.inputs.push(table),
        }
        self.input_of.push(known.unwrap_or(self.inputs.len() - 1));
    }

    /// Whether this row, counted from 0 in its file, is the latest of its record.
    pub(super) fn is_latest(&self, number: RecordNumber, file: usize, row: u64) -> bool {
        let latest = self.inputs[self.input_of[file]].get(number);
        latest.is_some_and(|latest| (latest.file, latest.row) == id(file, row))
    }

    pub(super) fn input_of(&self) -> &[usize] {
        &self.input_of
    }

    pub(super) fn inputs(&self) -> usize {
        self.inputs.len()
    }

    #[cfg(test)]
    fn memory(&self) -> usize {
        self.inputs.iter().map(RowIndex::memory).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u64) -> RecordNumber {
        RecordNumber::new(number).unwrap()
    }

    /// A table of rows: record, finished at, hash of the key.
    fn table(file: usize, rows: &[(u64, u64, u64)]) -> RowIndex {
        let mut table = RowIndex::default();
        for (row, &(record, at, hash)) in (0..).zip(rows) {
            table.replace(number(record), Some(LatestRow::new(file, row, at, hash)));
        }
        table
    }

    #[test]
    fn within_a_file_the_last_row_counts_whatever_its_time() {
        let mut latest_rows = LatestRows::default();
        latest_rows.add(table(0, &[(1, 50, 9), (2, 51, 8), (1, 40, 9)]), |_| true);
        assert_eq!(
            [0, 1, 2].map(|row| latest_rows.is_latest(number([1, 2, 1][row]), 0, row as u64)),
            [false, true, true]
        );
        assert!(!latest_rows.is_latest(number(3), 0, 0));
    }

    #[test]
    fn between_files_the_later_row_counts_and_the_first_of_two_alike() {
        let mut latest_rows = LatestRows::default();
        latest_rows.add(table(0, &[(1, 50, 9), (2, 50, 8), (3, 50, 7)]), |_| true);
        latest_rows.add(table(1, &[(1, 60, 9), (2, 40, 8), (3, 50, 7), (4, 1, 6)]), |_| true);
        assert_eq!(latest_rows.inputs(), 1);
        let is_latest = |file, row: u64| latest_rows.is_latest(number(row + 1), file, row);
        assert_eq!([0, 1, 2].map(|row| is_latest(0, row)), [false, true, true]);
        assert_eq!([0, 1, 2, 3].map(|row| is_latest(1, row)), [true, false, false, true]);
    }

    #[test]
    fn another_key_is_another_input() {
        let mut latest_rows = LatestRows::default();
        latest_rows.add(table(0, &[(1, 50, 9)]), |_| true);
        latest_rows.add(table(1, &[(1, 60, 1), (2, 60, 2)]), |_| true);
        // A part of the second one.
        latest_rows.add(table(2, &[(2, 70, 2)]), |_| true);
        assert_eq!(latest_rows.inputs(), 2);
        assert!(latest_rows.is_latest(number(1), 0, 0) && latest_rows.is_latest(number(1), 1, 0));
    }

    #[test]
    fn a_record_costs_at_most_26_bytes_and_far_ones_little() {
        let mut latest_rows = LatestRows::default();
        latest_rows.add(table(0, &(1..=100_000).map(|record| (record, 1, 1)).collect::<Vec<_>>()), |_| true);
        assert!(latest_rows.memory() <= 26 * 100_000, "{}", latest_rows.memory());
        let mut latest_rows = LatestRows::default();
        latest_rows.add(table(0, &[(u64::MAX, 1, 1), (1 << 40, 1, 1)]), |_| true);
        assert!(latest_rows.memory() < 8_192);
        assert!(latest_rows.is_latest(number(u64::MAX), 0, 0));
    }
}
