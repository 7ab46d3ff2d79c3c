//! Rows of CSV, read back up to the last complete one.

use std::io::BufRead;
use std::str::FromStr;

use super::row::{COLUMNS, MAX_ROW_BYTES, ReadError, StoredRow, begins_as};
use crate::format::csv::{self, Keep, Limits, RowReader};
use crate::format::{FormatError, FormatErrorKind, Position};

/// A key that is not UTF-8 takes four bytes for each of its own, of which an input keeps 64 KiB.
const LIMITS: Limits = Limits { field: 1 << 20, row: MAX_ROW_BYTES };

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Hands every complete row to `each`, in order. Returns where the last one ends, in bytes: what follows, if
/// anything, is torn (a row's end is its `\n`, outside quotes).
///
/// # Errors
/// A row that is complete but cannot be one of ours, and a header that is not ours.
pub(super) fn read_rows(mut input: impl BufRead, each: &mut dyn FnMut(&StoredRow<'_>)) -> Result<u64, ReadError> {
    // An editor may have added one.
    let mark = if input.fill_buf()?.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    input.consume(mark);
    let mut rows = RowReader::new(input, b',', LIMITS);
    let (mut row, mut complete, mut in_header) = (csv::Row::default(), 0, true);
    let no_header = |line| ReadError::Damaged { line, why: "this is not the header of a kvsweep report".to_owned() };
    loop {
        let is_torn = match rows.read(&mut row, Keep::Every) {
            Ok(true) => !row.is_terminated,
            Ok(false) => return Ok(complete),
            Err(FormatError { kind, position: Position { line, .. } }) => match kind {
                FormatErrorKind::Read(error) => return Err(error.into()),
                FormatErrorKind::UnclosedQuote if in_header => return Err(no_header(line)),
                FormatErrorKind::UnclosedQuote => true,
                _ => {
                    let why = format!("a row of more than {MAX_ROW_BYTES} bytes is none of a kvsweep report");
                    return Err(ReadError::Damaged { line, why });
                }
            },
        };
        if is_torn {
            let is_ours =
                !in_header || row.error.is_none() && begins_as(&row.cells().concat(), COLUMNS.concat().as_bytes());
            return if is_ours { Ok(complete) } else { Err(no_header(row.line)) };
        }
        if in_header {
            if row.error.is_some() || !row.cells().iter().copied().eq(COLUMNS.iter().map(|column| column.as_bytes())) {
                return Err(no_header(row.line));
            }
            in_header = false;
        } else {
            let read = row.error.map_or_else(|| stored(&row), |error| Err(error.to_string()));
            each(&read.map_err(|why| ReadError::Damaged { line: row.line, why })?);
        }
        complete = mark as u64 + rows.position();
    }
}

fn stored(row: &csv::Row) -> Result<StoredRow<'_>, String> {
    if row.fields != COLUMNS.len() {
        return Err(format!("not a row of {} columns", COLUMNS.len()));
    }
    let record = text(row, 0)?;
    let record = record.parse().map_err(|_| format!("`{record}` is not a record number"))?;
    Ok(StoredRow {
        http_status: optional(row, 3)?,
        error_code: optional(row, 4)?,
        error: text(row, 5)?.into(),
        attempts: parsed(row, 6)?,
        elapsed_ms: parsed(row, 7)?,
        ..StoredRow::new(record, text(row, 1)?.into(), text(row, 2)?, text(row, 8)?)?
    })
}

fn optional<N: FromStr>(row: &csv::Row, index: usize) -> Result<Option<N>, String> {
    if text(row, index)?.is_empty() { Ok(None) } else { parsed(row, index).map(Some) }
}

fn parsed<N: FromStr>(row: &csv::Row, index: usize) -> Result<N, String> {
    let text = text(row, index)?;
    text.parse().map_err(|_| format!("`{text}` is not a value of the column `{}`", COLUMNS[index]))
}

fn text(row: &csv::Row, index: usize) -> Result<&str, String> {
    let cell = row.cell(index).unwrap_or_default();
    std::str::from_utf8(cell).map_err(|_| format!("the column `{}` is not UTF-8", COLUMNS[index]))
}
