//! Looks for the statuses of a plan that no heading names.
//!
//! A plan whose headings were renamed or lost, or that is read as plain lines, must not become a list of all its keys: those
//! that were kept would be deleted. The evidence is the same for every format: a column or member besides the key of which
//! every value is a status of kvsweep, and one of them `planned` or `kept`. A single column is never evidence: keys may be
//! called so.

use super::detect::{self, DELIMITERS};
use super::report_columns::status_of;
use crate::format::Position;
use crate::format::csv::{BRIEF_BYTES, BRIEF_COLUMNS};
use crate::outcome::Status;

/// How many rows are held back at most until it is known what they are.
const LOOKAHEAD: usize = 10_000;

/// How many rows may be a title and a header, where nothing is known to be one.
pub(super) const TITLES: usize = 3;

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// The column, from 0, of a row that is split at the byte.
    Column(u8, usize),
    Member(String),
}

#[derive(Debug, Default)]
pub(super) struct StatusSearch {
    rows: usize,
    /// Whether the first rows may be something else.
    has_titles: bool,
    candidates: Vec<Candidate>,
    /// Whether the row that was seen last has several cells.
    is_table: bool,
}

/// Where every value is a status so far.
#[derive(Debug)]
struct Candidate {
    slot: Slot,
    /// The first row that was planned or kept.
    planned: Option<Position>,
}

enum Value {
    Status(Status),
    Empty,
}

fn value(text: &[u8]) -> Option<Value> {
    if text.len() > BRIEF_BYTES {
        return None;
    }
    let text = String::from_utf8_lossy(text).to_ascii_lowercase();
    if text.trim().is_empty() { Some(Value::Empty) } else { status_of(&text).map(Value::Status) }
}

/// Whether a value may be one of a column of statuses.
pub(super) fn may_be_status(text: &str) -> bool {
    value(text.as_bytes()).is_some()
}

/// The cells of a text that is no row of its format, split at each delimiter that it contains.
pub(super) fn cells_of(text: &[u8]) -> impl Iterator<Item = (Slot, &[u8])> {
    let is_split = move |delimiter: &u8| text.contains(delimiter);
    DELIMITERS.into_iter().filter(is_split).flat_map(move |delimiter| {
        let cells = detect::cells(text, delimiter).take(BRIEF_COLUMNS).enumerate();
        cells.map(move |(column, cell)| (Slot::Column(delimiter, column), cell))
    })
}

impl StatusSearch {
    /// Nothing says that the first row is data, or a header.
    pub(super) fn allow_titles(&mut self) {
        self.has_titles = true;
    }

    fn titles(&self) -> usize {
        if self.has_titles { TITLES } else { 1 }
    }

    /// Whether no row can change what is known.
    pub(super) fn is_over(&self) -> bool {
        self.rows >= self.titles() && self.candidates.is_empty()
    }

    /// Whether the rows that were seen may turn out to be those of a plan.
    pub(super) fn is_undecided(&self) -> bool {
        let may_begin = self.rows < self.titles() && self.is_table;
        self.rows < LOOKAHEAD && (may_begin || !self.candidates.is_empty())
    }

    /// Takes the cells of a row besides the key.
    pub(super) fn see<'a>(&mut self, position: Position, cells: impl Iterator<Item = (Slot, &'a [u8])>) {
        if self.is_over() {
            return;
        }
        self.rows += 1;
        self.is_table = false;
        let cells = cells.inspect(|_| self.is_table = true);
        let values: Vec<(Slot, Value)> = cells.filter_map(|(slot, cell)| Some((slot, value(cell)?))).collect();
        let is_planned = |value: &Value| matches!(value, Value::Status(Status::Planned | Status::Kept));
        self.candidates.retain_mut(|candidate| {
            let found = values.iter().find(|(slot, _)| *slot == candidate.slot);
            let planned = found.is_some_and(|(_, value)| is_planned(value)).then_some(position);
            candidate.planned = candidate.planned.or(planned);
            found.is_some()
        });
        if self.candidates.is_empty() && self.rows <= self.titles() {
            let statuses = values.into_iter().filter(|(_, value)| matches!(value, Value::Status(_)));
            let candidates =
                statuses.map(|(slot, value)| Candidate { slot, planned: is_planned(&value).then_some(position) });
            self.candidates = candidates.collect();
        }
    }

    /// A column of statuses and its first row that was planned or kept, if the rows are those of a plan; `is_end` if there are
    /// no more.
    pub(super) fn found(&self, is_end: bool) -> Option<(Position, Slot)> {
        let is_decided = is_end || !self.is_undecided();
        let mut candidates = self.candidates.iter().filter(|_| is_decided);
        candidates.find_map(|candidate| Some((candidate.planned?, candidate.slot.clone())))
    }
}
