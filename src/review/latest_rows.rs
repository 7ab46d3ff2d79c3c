//! Which row of a record is the latest: 16 bytes per record.
//!
//! Within a file the last row of a record does. Between files it is the later one, where both are about the same key;
//! where they are not, the files are about different inputs and each counts for itself.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::record::RecordNumber;

/// Records a chunk, as the journal has it: far-flung numbers cost a few times their rows' size and no more.
const CHUNK: usize = 64;

/// The bits of a [`PackedRow`]: which file (from 1), which row of it, when it was finished, and the key's hash above.
const FILE_BITS: u32 = 12;
const ROW_BITS: u32 = 34;
const TIME_BITS: u32 = 42;

/// How many files can be told apart.
pub(super) const MOST_FILES: usize = (1 << FILE_BITS) - 1;

/// The latest row of a record. Zero is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct PackedRow(u128);

impl PackedRow {
    /// Times beyond the year 2109 are all the same; 40 bits of the hash are kept, so that another key passes for the
    /// same with a chance of 2⁻⁴⁰ a record.
    fn new(file: usize, row: u64, finished_ms: u64, hash: u64) -> Self {
        let row = row.min((1 << ROW_BITS) - 1);
        let time = finished_ms.min((1 << TIME_BITS) - 1);
        let above = (u128::from(hash) << TIME_BITS | u128::from(time)) << ROW_BITS | u128::from(row);
        Self(above << FILE_BITS | (file as u128 + 1))
    }

    fn is_none(self) -> bool {
        self.0 == 0
    }

    fn row(self) -> u128 {
        self.0 & ((1 << (FILE_BITS + ROW_BITS)) - 1)
    }

    fn time(self) -> u128 {
        self.0 >> (FILE_BITS + ROW_BITS) & ((1 << TIME_BITS) - 1)
    }

    fn hash(self) -> u128 {
        self.0 >> (FILE_BITS + ROW_BITS + TIME_BITS)
    }
}

/// The rows that count, by record.
#[derive(Debug, Default)]
pub(super) struct RowIndex {
    chunks: BTreeMap<u64, Box<[PackedRow; CHUNK]>>,
}

impl RowIndex {
    /// Takes the next row of file number `file`. Whether its record had none before.
    pub(super) fn put(&mut self, number: RecordNumber, file: usize, row: u64, finished_ms: u64, hash: u64) -> bool {
        let (chunk, index) = split(number);
        let places = self.chunks.entry(chunk).or_insert_with(|| Box::new([PackedRow::default(); CHUNK]));
        std::mem::replace(&mut places[index], PackedRow::new(file, row, finished_ms, hash)).is_none()
    }

    fn is_latest(&self, number: RecordNumber, file: usize, row: u64) -> bool {
        let (chunk, index) = split(number);
        let place = self.chunks.get(&chunk).map_or(PackedRow::default(), |places| places[index]);
        place.row() == PackedRow::new(file, row, 0, 0).row()
    }

    /// Whether both can be about one input: no record has another key there.
    fn agrees_with(&self, other: &Self) -> bool {
        other.chunks.iter().all(|(chunk, theirs)| {
            self.chunks.get(chunk).is_none_or(|ours| {
                let mut pairs = ours.iter().zip(theirs.iter());
                pairs.all(|(a, b)| a.is_none() || b.is_none() || a.hash() == b.hash())
            })
        })
    }

    fn merge(&mut self, other: Self) {
        for (chunk, theirs) in other.chunks {
            match self.chunks.entry(chunk) {
                Entry::Vacant(vacant) => {
                    vacant.insert(theirs);
                }
                Entry::Occupied(mut ours) => {
                    for (ours, theirs) in ours.get_mut().iter_mut().zip(*theirs) {
                        if !theirs.is_none() && (ours.is_none() || theirs.time() > ours.time()) {
                            *ours = theirs;
                        }
                    }
                }
            }
        }
    }
}

/// The tables of all files: those about one input are one.
#[derive(Debug, Default)]
pub(super) struct LatestRows {
    inputs: Vec<RowIndex>,
    input_of: Vec<usize>,
}

impl LatestRows {
    /// Takes the table of the next file.
    pub(super) fn add(&mut self, table: RowIndex) {
        let known = self.inputs.iter().position(|input| input.agrees_with(&table));
        match known {
            Some(input) => self.inputs[input].merge(table),
            None => self.inputs.push(table),
        }
        self.input_of.push(known.unwrap_or(self.inputs.len() - 1));
    }

    /// Whether this row, counted from 0 in its file, is the latest of its record.
    pub(super) fn is_latest(&self, number: RecordNumber, file: usize, row: u64) -> bool {
        self.inputs[self.input_of[file]].is_latest(number, file, row)
    }

    /// Which input each file is about.
    pub(super) fn input_of(&self) -> &[usize] {
        &self.input_of
    }

    /// How many inputs there are.
    pub(super) fn inputs(&self) -> usize {
        self.inputs.len()
    }

    /// The memory that the records take, in bytes.
    #[cfg(test)]
    fn memory(&self) -> usize {
        self.inputs.iter().map(|input| input.chunks.len() * (size_of::<[PackedRow; CHUNK]>() + 64)).sum()
    }
}

fn split(number: RecordNumber) -> (u64, usize) {
    let index = number.get() - 1;
    #[expect(clippy::cast_possible_truncation, reason = "a remainder below CHUNK")]
    let within = (index % CHUNK as u64) as usize;
    (index / CHUNK as u64, within)
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
            table.put(number(record), file, row, at, hash);
        }
        table
    }

    #[test]
    fn every_part_of_a_place_is_read_back() {
        let place = PackedRow::new(MOST_FILES - 1, (1 << 34) - 1, (1 << 42) - 1, u64::MAX);
        assert_eq!((place.time(), place.hash()), ((1 << 42) - 1, (1 << 40) - 1));
        let place = PackedRow::new(0, 0, 0, 0);
        assert!(!place.is_none());
        let place = PackedRow::new(6, 5, 4, 3);
        assert_eq!((place.row(), place.time(), place.hash()), (5 << 12 | 7, 4, 3));
    }

    #[test]
    fn within_a_file_the_last_row_counts_whatever_its_time() {
        let mut latest_rows = LatestRows::default();
        latest_rows.add(table(0, &[(1, 50, 9), (2, 51, 8), (1, 40, 9)]));
        assert_eq!(
            [0, 1, 2].map(|row| latest_rows.is_latest(number([1, 2, 1][row]), 0, row as u64)),
            [false, true, true]
        );
        assert!(!latest_rows.is_latest(number(3), 0, 0));
    }

    #[test]
    fn between_files_the_later_row_counts_and_the_first_of_two_alike() {
        let mut latest_rows = LatestRows::default();
        latest_rows.add(table(0, &[(1, 50, 9), (2, 50, 8), (3, 50, 7)]));
        latest_rows.add(table(1, &[(1, 60, 9), (2, 40, 8), (3, 50, 7), (4, 1, 6)]));
        assert_eq!(latest_rows.inputs(), 1);
        let is_latest = |file, row: u64| latest_rows.is_latest(number(row + 1), file, row);
        assert_eq!([0, 1, 2].map(|row| is_latest(0, row)), [false, true, true]);
        assert_eq!([0, 1, 2, 3].map(|row| is_latest(1, row)), [true, false, false, true]);
    }

    #[test]
    fn another_key_is_another_input() {
        let mut latest_rows = LatestRows::default();
        latest_rows.add(table(0, &[(1, 50, 9)]));
        latest_rows.add(table(1, &[(1, 60, 1), (2, 60, 2)]));
        // A part of the second one.
        latest_rows.add(table(2, &[(2, 70, 2)]));
        assert_eq!(latest_rows.inputs(), 2);
        assert!(latest_rows.is_latest(number(1), 0, 0) && latest_rows.is_latest(number(1), 1, 0));
    }

    #[test]
    fn a_record_costs_at_most_eighteen_bytes_and_far_ones_little() {
        let mut latest_rows = LatestRows::default();
        latest_rows.add(table(0, &(1..=100_000).map(|record| (record, 1, 1)).collect::<Vec<_>>()));
        assert!(latest_rows.memory() <= 18 * 100_000, "{}", latest_rows.memory());
        let mut latest_rows = LatestRows::default();
        latest_rows.add(table(0, &[(u64::MAX, 1, 1), (1 << 40, 1, 1)]));
        assert!(latest_rows.memory() < 4_096);
        assert!(latest_rows.is_latest(number(u64::MAX), 0, 0));
    }
}
