//! Formats: one reader and one writer of each, for inputs, reports, listings and backups alike.
//!
//! - [`open`], [`compression`]: bytes to text, and back.
//! - [`csv`], [`csv_writer`]: rows, read strictly.
//! - [`lines`]: lines of bounded length, of plain keys or of NDJSON.
//! - [`json_array`]: the elements of one JSON array, streamed.
//!
//! Nothing here knows a key, a record or a row of a report.

pub(crate) mod compression;
pub(crate) mod csv;
pub(crate) mod csv_writer;
pub(crate) mod json_array;
pub(crate) mod lines;
pub(crate) mod open;

use std::fmt;
use std::io::{self, BufRead, BufReader};

pub(crate) const READ_BYTES: usize = 128 * 1024;

pub(crate) type Bytes = Box<dyn BufRead + Send>;

/// What a format reads from. Its buffer stands in front, so that a line costs no call into the boxes behind it.
pub(crate) type Buffered = BufReader<Bytes>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: u64,
    /// In characters from 1, where a line holds more than one record.
    pub column: Option<u64>,
}

impl Position {
    pub(crate) fn line(line: u64) -> Self {
        Self { line, column: None }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        match self.column {
            Some(column) => write!(f, " column {column}"),
            None => Ok(()),
        }
    }
}

/// Why nothing more can be read, and where.
#[derive(Debug)]
pub(crate) struct FormatError {
    pub(crate) position: Position,
    pub(crate) kind: FormatErrorKind,
}

#[derive(Debug)]
pub(crate) enum FormatErrorKind {
    Read(io::Error),
    /// The quote that opens here is never closed, so nobody knows where the rows after it begin.
    UnclosedQuote,
    RowTooLong,
    /// The JSON document is something else than an array; holds what.
    NotAnArray(&'static str),
    /// The JSON is broken; holds how.
    Syntax(String),
}
