//! Rows as CSV: encoding them, and reading a report back up to its last complete row.

use std::fmt::Display;
use std::io::{BufRead, Write as _};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator, Writer, WriterBuilder};
use memchr::{memchr_iter, memchr2};

use super::reader::StoredRow;
use super::row::{COLUMNS, Row};
use super::scan::{JournalRow, MAX_ROW_BYTES, ScanError, begins_as};

/// Writes fields and rows, each row ended by `\n`.
#[derive(Debug)]
pub(super) struct CsvEncoder {
    core: Writer,
}

impl CsvEncoder {
    pub(super) fn new() -> Self {
        Self { core: WriterBuilder::new().terminator(Terminator::Any(b'\n')).build() }
    }

    /// Only a key and an error can hold what needs quotes; all else is written as it is.
    pub(super) fn row(&mut self, row: &Row<'_>, out: &mut Vec<u8>) {
        number(Some(row.record), out);
        self.text(row.key, out);
        self.delimiter(out);
        out.extend_from_slice(row.status.as_str().as_bytes());
        out.push(b',');
        number(row.http_status, out);
        number(row.error_code, out);
        if let Some(error) = &row.error {
            self.text(error, out);
            self.delimiter(out);
        } else {
            out.push(b',');
        }
        number(Some(row.attempts), out);
        number(Some(row.elapsed_ms), out);
        // A `Vec` takes whatever is written to it.
        let _ = write!(out, "{}", row.finished_at);
        out.push(b'\n');
    }

    pub(super) fn fields(&mut self, fields: &[&str], out: &mut Vec<u8>) {
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                self.delimiter(out);
            }
            self.text(field, out);
        }
        self.terminator(out);
    }

    fn text(&mut self, field: &str, out: &mut Vec<u8>) {
        // Every byte may be a quote, which is doubled, and one opens the field.
        with_room(out, 2 * field.len() + 1, |room| self.core.field(field.as_bytes(), room).2);
    }

    fn delimiter(&mut self, out: &mut Vec<u8>) {
        with_room(out, 2, |room| self.core.delimiter(room).1);
    }

    fn terminator(&mut self, out: &mut Vec<u8>) {
        with_room(out, 4, |room| self.core.terminator(room).1);
    }
}

fn number(value: Option<impl Display>, out: &mut Vec<u8>) {
    if let Some(value) = value {
        // A `Vec` takes whatever is written to it.
        let _ = write!(out, "{value}");
    }
    out.push(b',');
}

/// Lets `write` fill up to `most` bytes at the end of `out`; it says how many it took.
fn with_room(out: &mut Vec<u8>, most: usize, write: impl FnOnce(&mut [u8]) -> usize) {
    let start = out.len();
    out.resize(start + most, 0);
    let written = write(&mut out[start..]);
    out.truncate(start + written);
}

/// Hands every complete row to `each`, in order. Returns where the last one ends, in bytes: what follows, if
/// anything, is torn (a row's end is its `\n`, outside quotes).
///
/// # Errors
/// A row that is complete but cannot be one of ours, and a header that is not ours.
pub(super) fn scan(input: impl BufRead, mut each: impl FnMut(JournalRow<'_>)) -> Result<u64, ScanError> {
    scan_fields(input, |fields| journal_row(fields).map(&mut each))
}

/// The same with every column of a row.
pub(super) fn scan_whole(input: impl BufRead, mut each: impl FnMut(&StoredRow<'_>)) -> Result<u64, ScanError> {
    scan_fields(input, |fields| whole(fields).map(|row| each(&row)))
}

fn scan_fields(
    mut input: impl BufRead,
    mut each: impl FnMut(&Fields<'_>) -> Result<(), String>,
) -> Result<u64, ScanError> {
    let mut rows = RowReader::new();
    let mut complete = 0;
    let mut in_header = true;
    loop {
        let line = rows.core.line();
        let damaged = |why: String| ScanError::Damaged { line, why };
        let no_header = || damaged("this is not the header of a kvsweep report".to_owned());
        let Some(fields) = rows.next(&mut input)? else {
            return if in_header && !rows.may_be_torn_header() { Err(no_header()) } else { Ok(complete) };
        };
        if in_header {
            if !fields.iter().eq(COLUMNS.iter().map(|column| column.as_bytes())) {
                return Err(no_header());
            }
            in_header = false;
        } else {
            each(&fields).map_err(damaged)?;
        }
        complete = rows.consumed;
    }
}

fn whole<'a>(fields: &Fields<'a>) -> Result<StoredRow<'a>, String> {
    fn optional<N: std::str::FromStr>(fields: &Fields<'_>, index: usize) -> Result<Option<N>, String> {
        if fields.get(index).is_empty() { Ok(None) } else { parsed(fields, index).map(Some) }
    }
    let entry = journal_row(fields)?;
    Ok(StoredRow {
        number: entry.number,
        key: entry.key.into(),
        status: entry.status,
        http_status: optional(fields, 3)?,
        error_code: optional(fields, 4)?,
        error: text(fields, 5)?.into(),
        attempts: entry.attempts,
        elapsed_ms: parsed(fields, 7)?,
        finished_at: entry.finished_at,
    })
}

fn parsed<N: std::str::FromStr>(fields: &Fields<'_>, index: usize) -> Result<N, String> {
    let text = text(fields, index)?;
    text.parse().map_err(|_| format!("the column `{}` holds `{text}`", COLUMNS[index]))
}

fn text<'a>(fields: &Fields<'a>, index: usize) -> Result<&'a str, String> {
    std::str::from_utf8(fields.get(index)).map_err(|_| format!("the column `{}` is not UTF-8", COLUMNS[index]))
}

fn journal_row<'a>(fields: &Fields<'a>) -> Result<JournalRow<'a>, String> {
    if fields.count != COLUMNS.len() {
        return Err(format!("not a row of {} columns", COLUMNS.len()));
    }
    let text = |index: usize| text(fields, index);
    let record = text(0)?;
    let number = record.parse().map_err(|_| format!("`{record}` is not a record number"))?;
    JournalRow::new(number, text(1)?, text(2)?, parsed(fields, 6)?, text(COLUMNS.len() - 1)?)
}

/// `csv-core` with buffers; unlike the `csv` crate's reader it tells a row that ended from one that was cut off.
struct RowReader {
    core: Reader,
    fields: Vec<u8>,
    /// One more than the columns, so that a longer row is noticed.
    ends: [usize; COLUMNS.len() + 1],
    filled: usize,
    overlong: bool,
    consumed: u64,
}

/// The fields of one row, as they were before they were quoted.
struct Fields<'a> {
    bytes: &'a [u8],
    ends: &'a [usize],
    /// Bytes from the end of a field to the next one: a row that was cut at its delimiters still holds them.
    gap: usize,
    /// How many the row has, which may be more than were kept.
    count: usize,
}

impl<'a> Fields<'a> {
    /// The field at `index`; empty where the row has fewer. The last one loses the `\r` of a line end that an editor
    /// changed.
    fn get(&self, index: usize) -> &'a [u8] {
        let Some(&end) = self.ends.get(index) else { return &[] };
        let start = if index == 0 { 0 } else { self.ends[index - 1] + self.gap };
        let field = &self.bytes[start..end];
        if index + 1 == self.count { field.strip_suffix(b"\r").unwrap_or(field) } else { field }
    }

    fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        (0..self.count).map(|index| self.get(index))
    }
}

impl RowReader {
    fn new() -> Self {
        Self {
            // `\r` ends nothing: our rows end with `\n` alone, and a `\r` is the last byte of a cut `\r\n` as well.
            core: ReaderBuilder::new().terminator(Terminator::Any(b'\n')).build(),
            fields: vec![0; 64 << 10],
            ends: [0; COLUMNS.len() + 1],
            filled: 0,
            overlong: false,
            consumed: 0,
        }
    }

    /// The next complete row; `None` at the end of the input, complete or torn.
    fn next(&mut self, input: &mut impl BufRead) -> Result<Option<Fields<'_>>, ScanError> {
        // The first row is the core's, which knows of byte order marks.
        if self.consumed > 0
            && let Some(count) = self.plain_row(input)?
        {
            let ends = if count <= self.ends.len() { &self.ends[..count] } else { &[] };
            return Ok(Some(Fields { bytes: &self.fields[..self.filled], ends, gap: 1, count }));
        }
        let line = self.core.line();
        (self.filled, self.overlong) = (0, false);
        let (mut kept_ends, mut count) = (0, 0);
        loop {
            let available = input.fill_buf()?;
            // The core is never told of the end: it would take a torn row for a complete one.
            if available.is_empty() {
                return Ok(None);
            }
            let (result, read, written, ended) =
                self.core.read_record(available, &mut self.fields[self.filled..], &mut self.ends[kept_ends..]);
            input.consume(read);
            self.consumed += read as u64;
            self.filled += written;
            kept_ends += ended;
            count += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.fields.len() < MAX_ROW_BYTES => {
                    self.fields.resize(self.fields.len() * 2, 0);
                }
                // Only its end is looked for now.
                ReadRecordResult::OutputFull => (self.overlong, self.filled) = (true, 0),
                ReadRecordResult::OutputEndsFull => kept_ends = 0,
                ReadRecordResult::Record if self.overlong => {
                    let why = format!("a row of more than {MAX_ROW_BYTES} bytes is none of a kvsweep report");
                    return Err(ScanError::Damaged { line, why });
                }
                ReadRecordResult::Record => {
                    let ends = if count == kept_ends { &self.ends[..count] } else { &[] };
                    return Ok(Some(Fields { bytes: &self.fields[..self.filled], ends, gap: 0, count }));
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    /// Cuts a row at its delimiters and says into how many fields, without the automaton: one that is in the buffer
    /// whole and holds no quotes, as nearly all do. Any other is left where it is.
    fn plain_row(&mut self, input: &mut impl BufRead) -> Result<Option<usize>, ScanError> {
        let available = input.fill_buf()?;
        let end = match memchr2(b'\n', b'"', available) {
            Some(end) if end > 0 && available[end] == b'\n' && end <= self.fields.len() => end,
            _ => return Ok(None),
        };
        self.fields[..end].copy_from_slice(&available[..end]);
        self.filled = end;
        let mut count = 0;
        for end in memchr_iter(b',', &available[..end]).chain([end]) {
            if let Some(kept) = self.ends.get_mut(count) {
                *kept = end;
            }
            count += 1;
        }
        input.consume(end + 1);
        self.consumed += end as u64 + 1;
        self.core.set_line(self.core.line() + 1);
        Ok(Some(count))
    }

    /// Whether all that was read, without a single row, may be what is left of our header.
    fn may_be_torn_header(&self) -> bool {
        !self.overlong && begins_as(&self.fields[..self.filled], COLUMNS.concat().as_bytes())
    }
}
