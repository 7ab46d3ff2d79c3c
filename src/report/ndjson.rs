//! Rows as NDJSON: encoding them, and reading a report back up to its last complete row.

use std::borrow::Cow;
use std::io::{self, BufRead, Read as _};

use serde::{Deserialize, Serialize};

use super::reader::StoredRow;
use super::scan::{JournalRow, MAX_ROW_BYTES, ScanError, begins_as};

/// How every row of ours begins.
const BEGINNING: &[u8] = b"{\"record\":";

/// Appends `value` as one line.
pub(super) fn line(value: &impl Serialize, out: &mut Vec<u8>) {
    // Fails only where the value or the writer can; a row and a vector never do.
    let written = serde_json::to_writer(&mut *out, value);
    debug_assert!(written.is_ok(), "{written:?}");
    out.push(b'\n');
}

/// The members of a row that the journal needs.
#[derive(Deserialize)]
struct Members<'a> {
    record: u64,
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    /// Rows that others wrote may have none.
    attempts: Option<u32>,
    #[serde(borrow)]
    finished_at: Cow<'a, str>,
}

/// All members of a row.
#[derive(Deserialize)]
struct AllMembers<'a> {
    record: u64,
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    http_status: Option<u16>,
    error_code: Option<u64>,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
    attempts: u32,
    elapsed_ms: u64,
    #[serde(borrow)]
    finished_at: Cow<'a, str>,
}

/// Hands every complete row to `each`, in order. Returns where the last one ends, in bytes: what follows, if
/// anything, is torn (a row's end is its `\n`).
///
/// # Errors
/// A line that is complete but cannot be a row of ours, and a file that holds a line's beginning that is not ours.
pub(super) fn scan(input: impl BufRead, mut each: impl FnMut(JournalRow<'_>)) -> Result<u64, ScanError> {
    scan_lines(input, |line| {
        let row: Members<'_> = serde_json::from_slice(line).map_err(|error| format!("not a row: {error}"))?;
        let attempts = row.attempts.unwrap_or(1);
        JournalRow::new(row.record, &row.key, &row.status, attempts, &row.finished_at).map(&mut each)
    })
}

/// The same with every member of a row.
pub(super) fn scan_whole(input: impl BufRead, mut each: impl FnMut(&StoredRow<'_>)) -> Result<u64, ScanError> {
    scan_lines(input, |line| {
        let row: AllMembers<'_> = serde_json::from_slice(line).map_err(|error| format!("not a row: {error}"))?;
        let entry = JournalRow::new(row.record, &row.key, &row.status, row.attempts, &row.finished_at)?;
        each(&StoredRow {
            number: entry.number,
            key: entry.key.into(),
            status: entry.status,
            http_status: row.http_status,
            error_code: row.error_code,
            error: row.error.unwrap_or_default(),
            attempts: row.attempts,
            elapsed_ms: row.elapsed_ms,
            finished_at: entry.finished_at,
        });
        Ok(())
    })
}

fn scan_lines(mut input: impl BufRead, mut each: impl FnMut(&[u8]) -> Result<(), String>) -> Result<u64, ScanError> {
    let mut line = Vec::new();
    let (mut number, mut complete) = (0, 0);
    loop {
        line.clear();
        number += 1;
        let damaged = |why: String| ScanError::Damaged { line: number, why };
        let read = input.by_ref().take(MAX_ROW_BYTES as u64).read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            let overlong = read == MAX_ROW_BYTES;
            if overlong && has_line_end(&mut input)? {
                let why = format!("a line of more than {MAX_ROW_BYTES} bytes is none of a kvsweep report");
                return Err(damaged(why));
            }
            if complete == 0 && (overlong || !begins_as(&line, BEGINNING)) {
                return Err(damaged("this is not a row of a kvsweep report".to_owned()));
            }
            return Ok(complete);
        }
        if !line.trim_ascii().is_empty() {
            each(&line).map_err(damaged)?;
        }
        complete += read as u64;
    }
}

/// Whether a line end is still to come.
fn has_line_end(input: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let available = input.fill_buf()?;
        if available.is_empty() || memchr::memchr(b'\n', available).is_some() {
            return Ok(!available.is_empty());
        }
        let length = available.len();
        input.consume(length);
    }
}
