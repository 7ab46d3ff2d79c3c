//! Recognises the columns of a report, or the members of its rows, however their names are written.

use std::time::SystemTime;

use super::detect::{cells, heading};
use crate::outcome::Status;

/// The first five are those whose values are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Key,
    KeyName,
    Name,
    Status,
    FinishedAt,
    /// One that reports have, and lists of keys hardly ever.
    OfReport,
    Other,
}

impl Field {
    pub(super) fn of(name: &[u8]) -> Self {
        match heading(name).as_str() {
            "key" => Self::Key,
            "key_name" => Self::KeyName,
            "name" => Self::Name,
            "status" => Self::Status,
            "finished_at" => Self::FinishedAt,
            "record" | "http_status" | "error_code" | "elapsed_ms" => Self::OfReport,
            _ => Self::Other,
        }
    }

    pub(super) fn is_key(self) -> bool {
        matches!(self, Self::Key | Self::KeyName | Self::Name)
    }

    fn is_of_report(self) -> bool {
        matches!(self, Self::FinishedAt | Self::OfReport)
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) has_key: bool,
    pub(super) has_named_key: bool,
    pub(super) has_status: bool,
    of_report: usize,
}

impl Fields {
    pub(super) fn of(fields: impl IntoIterator<Item = Field>) -> Self {
        let mut all = Self::default();
        fields.into_iter().for_each(|field| all.add(field));
        all
    }

    pub(super) fn add(&mut self, field: Field) {
        self.has_key |= field == Field::Key;
        self.has_named_key |= field.is_key();
        self.has_status |= field == Field::Status;
        self.of_report += usize::from(field.is_of_report());
    }

    /// Whether the status of a row decides what becomes of it.
    pub(super) fn decide(self) -> bool {
        self.has_status && (self.has_named_key || self.of_report > 0)
    }

    /// Whether this is a report that lost its status: then nothing says which of its keys are to be deleted.
    pub(super) fn lost_status(self) -> bool {
        !self.has_status && (self.of_report > 1 || self.has_key && self.of_report > 0)
    }
}

/// Whether these are the headings of a report.
pub(super) fn is_header(cells: &[&[u8]]) -> bool {
    let fields = Fields::of(cells.iter().map(|cell| Field::of(cell)));
    fields.has_key && fields.has_status || fields.of_report > 1
}

/// Whether a row without a header may be one of a report: a cell besides the key is a status of ours.
pub(super) fn is_row(cells: &[&[u8]]) -> bool {
    cells.len() > 1 && cells.iter().any(|cell| is_status(cell))
}

/// Whether a line is certainly a row of a report: it has a status, and its time or its number.
pub(super) fn is_certainly_row(cells: &[&[u8]]) -> bool {
    let is_number = |cell: &&[u8]| !cell.is_empty() && cell.iter().all(u8::is_ascii_digit);
    let is_time = |cell: &&[u8]| time_of(&String::from_utf8_lossy(cell)).is_some();
    is_row(cells) && (cells.first().is_some_and(is_number) || cells.iter().any(is_time))
}

/// As [`is_certainly_row`], of a line in which only the delimiter is unknown.
pub(super) fn is_row_by(line: &[u8], delimiters: impl IntoIterator<Item = u8>) -> bool {
    delimiters.into_iter().any(|delimiter| is_certainly_row(&cells(line, delimiter).collect::<Vec<_>>()))
}

fn is_status(cell: &[u8]) -> bool {
    // No status is longer.
    cell.len() < 64 && status_of(&String::from_utf8_lossy(cell).to_ascii_lowercase()).is_some()
}

pub(super) fn status_of(word: &str) -> Option<Status> {
    word.trim().parse().ok()
}

pub(super) fn time_of(text: &str) -> Option<SystemTime> {
    if text.len() > 40 { None } else { humantime::parse_rfc3339(text.trim()).ok() }
}
