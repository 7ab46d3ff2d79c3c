//! CSV, read strictly: a row that could be read in two ways is reported as broken, never guessed.
//!
//! `csv-core` prefers any reading to none, so the raw bytes of each field are compared with what it made of them. Unlike the
//! `csv` crate, [`RowReader`] tells a row that ended from one that was cut off, knows the position of every row, and never keeps
//! more than its [`Limits`].

use std::fmt;
use std::io::{self, BufRead};
use std::ops::Range;

use csv_core::{ReadFieldResult, ReaderBuilder, Terminator};
use memchr::{memchr, memchr_iter, memchr2, memchr3};

/// The longest row that is split without the automaton, in bytes: all of its cells together stay below any limit on a row.
const MAX_PLAIN_ROW: usize = 16 * 1024;

/// What is kept of a row, in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// A longer field is a [`RowError::TooLong`]; it is skipped in constant memory.
    pub(crate) field: usize,
    /// More of the cells that are kept is a [`CsvError::RowTooLong`].
    pub(crate) row: usize,
}

/// Why no more rows can be read. Lines are from 1.
#[derive(Debug)]
pub(crate) enum CsvError {
    Read {
        line: u64,
        error: io::Error,
    },
    /// The quote that opens on this line is never closed, so nobody knows where the rows after it begin.
    UnclosedQuote {
        line: u64,
    },
    RowTooLong {
        line: u64,
    },
}

pub(crate) struct RowReader<R> {
    bytes: R,
    delimiter: u8,
    limits: Limits,
    position: u64,
    /// Ends a record at `\n` alone: it would take a bare `\r` for an end as well, and cut a key there.
    core: Box<csv_core::Reader>,
    out: Box<[u8]>,
}

/// A row; the memory is used again for the next.
#[derive(Default)]
pub(crate) struct Row {
    /// Where it begins, from 1.
    pub(crate) line: u64,
    pub(crate) last_line: u64,
    pub(crate) fields: usize,
    /// Whether it ends in a line feed: a last row without one may have been cut off.
    pub(crate) is_terminated: bool,
    /// The first thing that is wrong with it.
    pub(crate) error: Option<RowError>,
    text: Vec<u8>,
    cells: Vec<Cell>,
}

struct Cell {
    column: usize,
    text: Range<usize>,
}

/// Why a row cannot be used. Columns are from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowError {
    TooLong { column: usize, limit: usize },
    Quote { column: usize },
    Return { column: usize },
}

impl RowError {
    pub(crate) fn rule(&self) -> String {
        self.about("a field")
    }

    fn about(&self, field: &str) -> String {
        match self {
            Self::TooLong { limit, .. } => format!("{field} is longer than {} KiB", limit / 1024),
            Self::Quote { .. } => {
                format!("the quotes of {field} are broken; a quote inside a quoted field has to be doubled")
            }
            Self::Return { .. } => {
                format!("{field} contains a carriage return outside quotes; lines must end in LF or CRLF")
            }
        }
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::TooLong { column, .. } | Self::Quote { column } | Self::Return { column }) = self;
        f.write_str(&self.about(&format!("field {column}")))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Every,
    Some([usize; 3]),
    /// These, and short cells of the first columns.
    Brief([usize; 3]),
}

/// What [`Keep::Brief`] keeps besides: so many columns, and at most so many bytes of each cell.
pub(crate) const BRIEF_COLUMNS: usize = 256;
pub(crate) const BRIEF_BYTES: usize = 64;

impl Keep {
    fn wants(self, column: usize) -> bool {
        match self {
            Self::Every => true,
            Self::Some(columns) => columns.contains(&column),
            Self::Brief(columns) => column < BRIEF_COLUMNS || columns.contains(&column),
        }
    }

    /// Whether a cell of a column that is wanted is too long for it.
    fn drops(self, column: usize, bytes: usize) -> bool {
        matches!(self, Self::Brief(columns) if bytes > BRIEF_BYTES && !columns.contains(&column))
    }
}

impl Row {
    /// The cell of a column from 0, if it is there, was kept, and is not too long.
    pub(crate) fn cell(&self, column: usize) -> Option<&[u8]> {
        // In its place if every cell was kept.
        let in_place = self.cells.get(column).filter(|cell| cell.column == column);
        let cell = in_place.or_else(|| self.cells.iter().find(|cell| cell.column == column))?;
        self.text.get(cell.text.clone())
    }

    pub(crate) fn cells(&self) -> Vec<&[u8]> {
        self.cells.iter().filter_map(|cell| self.text.get(cell.text.clone())).collect()
    }

    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.text.capacity() + self.cells.capacity() * size_of::<Cell>()
    }

    fn fail(&mut self, error: RowError) {
        self.error.get_or_insert(error);
    }
}

#[derive(Default)]
struct Seen {
    quoted: bool,
    /// Raw bytes, without what ended the field, and the last two of them.
    raw: usize,
    tail: [u8; 2],
    /// Bytes of content, and quotes in it (in a quoted field) or carriage returns (in any other).
    content: usize,
    quotes: usize,
    returns: usize,
}

impl Seen {
    fn raw(&mut self, bytes: &[u8]) {
        match *bytes {
            [] => {}
            [last] => self.tail = [self.tail[1], last],
            [.., before, last] => self.tail = [before, last],
        }
        self.raw += bytes.len();
    }

    fn content(&mut self, bytes: &[u8]) {
        self.content += bytes.len();
        if self.quoted {
            self.quotes += memchr_iter(b'"', bytes).count();
        } else {
            self.returns += memchr_iter(b'\r', bytes).count();
        }
    }

    /// Gives back the `\r` before the `\n` that ended the row. The field was not inside quotes there, so it is the
    /// last byte of the content too.
    fn take_return(&mut self) -> bool {
        if self.raw == 0 || self.tail[1] != b'\r' {
            return false;
        }
        self.raw -= 1;
        self.content -= 1;
        self.returns = self.returns.saturating_sub(1);
        self.tail = [0, self.tail[0]];
        true
    }

    /// A sound quoted field is its content, once more each quote in it, and the two around it.
    fn is_broken(&self) -> bool {
        self.quoted && (self.raw != self.content + self.quotes + 2 || self.tail[1] != b'"')
    }
}

#[derive(PartialEq, Eq)]
enum End {
    Delimiter,
    Row,
    BlankRow,
}

impl<R: BufRead> RowReader<R> {
    pub(crate) fn new(bytes: R, delimiter: u8, limits: Limits) -> Self {
        let mut core = ReaderBuilder::new().delimiter(delimiter).terminator(Terminator::Any(b'\n')).build();
        // csv-core would drop a byte order mark, which is part of the first key by now, before its first byte.
        core.read_field(b"\n", &mut [0]);
        core.set_line(1);
        Self { bytes, delimiter, limits, position: 0, core: Box::new(core), out: vec![0; 4096].into_boxed_slice() }
    }

    /// How many bytes were taken: after a row, where it ends.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    fn consume(&mut self, bytes: usize) {
        self.bytes.consume(bytes);
        self.position += bytes as u64;
    }

    /// Reads the next row that is not blank; `false` at the end.
    pub(crate) fn read(&mut self, row: &mut Row, keep: Keep) -> Result<bool, CsvError> {
        loop {
            if !self.skip_blank_lines()? {
                return Ok(false);
            }
            row.line = self.core.line();
            row.fields = 0;
            row.is_terminated = true;
            row.error = None;
            row.text.clear();
            row.cells.clear();
            if self.plain_row(row, keep)? {
                row.last_line = row.line;
                return Ok(true);
            }
            let end = loop {
                let end = self.field(row, keep)?;
                if end != End::Delimiter {
                    break end;
                }
                if row.text.len() + row.cells.len() * size_of::<Cell>() > self.limits.row {
                    return Err(CsvError::RowTooLong { line: row.line });
                }
            };
            if end == End::Row {
                row.last_line = self.core.line() - 1;
                return Ok(true);
            }
        }
    }

    /// `false` at the end of the file.
    fn skip_blank_lines(&mut self) -> Result<bool, CsvError> {
        loop {
            let line = self.core.line();
            let chunk = self.bytes.fill_buf().map_err(|error| CsvError::Read { line, error })?;
            match chunk.first() {
                None => return Ok(false),
                Some(b'\n') => {
                    self.consume(1);
                    self.core.set_line(line + 1);
                }
                Some(_) => return Ok(true),
            }
        }
    }

    /// Takes a row that needs no automaton, as nearly all do: one in the buffer whole, in which nothing but delimiters has
    /// a meaning. `false` for any other, which is left where it is.
    fn plain_row(&mut self, row: &mut Row, keep: Keep) -> Result<bool, CsvError> {
        let chunk = self.bytes.fill_buf().map_err(|error| CsvError::Read { line: row.line, error })?;
        let Some(end) = memchr(b'\n', chunk) else { return Ok(false) };
        let line = chunk[..end].strip_suffix(b"\r").unwrap_or(&chunk[..end]);
        if line.is_empty() || line.len() > MAX_PLAIN_ROW {
            return Ok(false);
        }
        let first = memchr3(self.delimiter, b'"', b'\r', line).unwrap_or(line.len());
        let rest = &line[first..];
        if memchr2(b'"', b'\r', rest).is_some() {
            return Ok(false);
        }
        let (mut start, whole) = (0, keep == Keep::Every);
        if whole {
            row.text.extend_from_slice(line);
        }
        for end in memchr_iter(self.delimiter, rest).map(|place| first + place).chain([line.len()]) {
            if whole {
                row.cells.push(Cell { column: row.fields, text: start..end });
            } else if keep.wants(row.fields) && !keep.drops(row.fields, end - start) {
                let text = row.text.len();
                row.text.extend_from_slice(&line[start..end]);
                row.cells.push(Cell { column: row.fields, text: text..row.text.len() });
            }
            row.fields += 1;
            start = end + 1;
        }
        self.consume(end + 1);
        self.core.set_line(row.line + 1);
        Ok(true)
    }

    fn field(&mut self, row: &mut Row, keep: Keep) -> Result<End, CsvError> {
        let opened = self.core.line();
        let start = row.text.len();
        let kept = keep.wants(row.fields);
        let mut seen = Seen::default();
        let ends_row = loop {
            let line = self.core.line();
            let chunk = self.bytes.fill_buf().map_err(|error| CsvError::Read { line, error })?;
            // A last row without a line end gets one, which also shows whether a quote is still open.
            let at_end = chunk.is_empty();
            let chunk = if at_end { b"\n" } else { chunk };
            if seen.raw == 0 {
                seen.quoted = chunk[0] == b'"';
            }
            let (result, took, wrote) = self.core.read_field(chunk, &mut self.out);
            let ended = match result {
                ReadFieldResult::Field { record_end } => Some(record_end),
                ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull | ReadFieldResult::End => None,
            };
            let out = &self.out[..wrote];
            seen.content(out);
            // One more for a `\r` that turns out to end the row.
            if kept && seen.content <= self.limits.field + 1 {
                row.text.extend_from_slice(out);
            }
            if at_end {
                row.is_terminated = false;
                if ended.is_none() {
                    return Err(CsvError::UnclosedQuote { line: opened });
                }
            } else {
                seen.raw(&chunk[..took - usize::from(ended.is_some())]);
                self.consume(took);
            }
            if let Some(record_end) = ended {
                break record_end;
            }
        };
        if ends_row && seen.take_return() && kept && seen.content <= self.limits.field {
            row.text.pop();
        }
        if ends_row && row.fields == 0 && seen.raw == 0 {
            return Ok(End::BlankRow);
        }
        row.fields += 1;
        let column = row.fields;
        if seen.content > self.limits.field {
            row.text.truncate(start);
            row.fail(RowError::TooLong { column, limit: self.limits.field });
        } else if keep.drops(column - 1, seen.content) {
            row.text.truncate(start);
        } else if kept {
            row.cells.push(Cell { column: column - 1, text: start..row.text.len() });
        }
        if seen.is_broken() {
            row.fail(RowError::Quote { column });
        }
        if seen.returns > 0 {
            row.fail(RowError::Return { column });
        }
        Ok(if ends_row { End::Row } else { End::Delimiter })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_in_constant_memory() {
        let input = format!("a,b\n\"{}\",x{}\nc,d\n", "\"\",".repeat(3_000_000), ",".repeat(1_000_000));
        let mut reader = RowReader::new(input.as_bytes(), b',', Limits { field: 64 * 1024, row: 1024 * 1024 });
        let mut row = Row::default();
        assert!(reader.read(&mut row, Keep::Every).unwrap());
        assert_eq!(row.cells(), [b"a", b"b"]);
        assert!(reader.read(&mut row, Keep::Some([0, 0, 1])).unwrap());
        assert_eq!((row.fields, row.error), (1_000_002, Some(RowError::TooLong { column: 1, limit: 64 * 1024 })));
        assert_eq!((row.cell(0), row.cell(1)), (None, Some(b"x".as_slice())));
        assert!(row.memory() < 300_000, "{}", row.memory());
        assert!(reader.read(&mut row, Keep::Some([0, 0, 0])).unwrap());
        assert_eq!((row.cell(0), row.fields, row.line), (Some(b"c".as_slice()), 2, 3));
        assert!(!reader.read(&mut row, Keep::Some([0, 0, 0])).unwrap());
    }
}
