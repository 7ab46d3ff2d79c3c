//! Rows of NDJSON, read back up to the last complete one.

use std::borrow::Cow;
use std::io::BufRead;

use serde::Deserialize;

use super::row::{MAX_ROW_BYTES, ReadError, StoredRow, begins_as};
use crate::format::lines::{Line, LineReader};
use crate::text::json_error;

const BEGINNING: &[u8] = b"{\"record\":";

/// The members of a row. Rows that others wrote may lack the last four.
#[derive(Deserialize)]
struct Members<'a> {
    record: u64,
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    http_status: Option<u16>,
    error_code: Option<u64>,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
    attempts: Option<u32>,
    elapsed_ms: Option<u64>,
    #[serde(borrow)]
    finished_at: Cow<'a, str>,
}

/// Hands every complete row to `each`, in order. Returns where the last one ends, in bytes: what follows, if
/// anything, is torn (a row's end is its `\n`).
///
/// # Errors
/// A line that is complete but cannot be a row of ours, and a file that holds a line's beginning that is not ours.
pub(super) fn read_rows(input: impl BufRead, each: &mut dyn FnMut(&StoredRow<'_>)) -> Result<u64, ReadError> {
    let mut lines = LineReader::new(input, MAX_ROW_BYTES);
    let mut complete = 0;
    loop {
        let line = lines.number() + 1;
        let damaged = |why| ReadError::Damaged { line, why };
        let not_ours = || damaged("this is not a row of a kvsweep report".to_owned());
        match lines.next()? {
            None => return Ok(complete),
            Some(Line::TooLong) => {
                let is_torn = !lines.skip_long_line()?;
                let why = format!("a line of more than {MAX_ROW_BYTES} bytes is none of a kvsweep report");
                return if is_torn && complete > 0 { Ok(complete) } else { Err(damaged(why)) };
            }
            Some(Line::Text { bytes, is_terminated: false }) => {
                return if complete == 0 && !begins_as(bytes, BEGINNING) { Err(not_ours()) } else { Ok(complete) };
            }
            Some(Line::Text { bytes, .. }) if bytes.trim_ascii().is_empty() => {}
            Some(Line::Text { bytes, .. }) => read_row(bytes, each).map_err(damaged)?,
        }
        complete = lines.position();
    }
}

fn read_row(line: &[u8], each: &mut dyn FnMut(&StoredRow<'_>)) -> Result<(), String> {
    let row: Members<'_> =
        serde_json::from_slice(line).map_err(|error| format!("not a row: {}", json_error(&error)))?;
    let plain = StoredRow::new(row.record, row.key, &row.status, &row.finished_at)?;
    each(&StoredRow {
        http_status: row.http_status,
        error_code: row.error_code,
        error: row.error.unwrap_or_default(),
        attempts: row.attempts.unwrap_or(plain.attempts),
        elapsed_ms: row.elapsed_ms.unwrap_or(plain.elapsed_ms),
        ..plain
    });
    Ok(())
}
