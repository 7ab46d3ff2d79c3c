//! Splits bytes into CSV rows, with the line of each row and the first thing that is wrong with it.
//!
//! `csv-core` prefers any reading to none. So the raw bytes of each field are held against what it made of them.

use std::fmt;
use std::io::BufRead;
use std::ops::Range;

use csv_core::{ReadFieldResult, ReaderBuilder, Terminator};
use memchr::{memchr, memchr_iter, memchr2, memchr3};

use super::super::error::{InputErrorAt, InputErrorKind};
use super::super::open::Buffered;
use super::super::parsed_key::MAX_TEXT;
use super::header::Layout;

/// What is kept of the first row, where every cell matters, in bytes.
const MAX_FIRST_ROW: usize = 1024 * 1024;

/// The longest row that is taken without the automaton, in bytes: even all of its cells are fewer than a first row may
/// have.
const MAX_PLAIN_ROW: usize = 16 * 1024;

pub(super) struct RowReader {
    bytes: Buffered,
    delimiter: u8,
    /// Ends a record at `\n` alone: it would take a bare `\r` for an end as well, and cut a key there.
    core: Box<csv_core::Reader>,
    out: Box<[u8]>,
}

/// A row; the memory is used again for the next.
#[derive(Default)]
pub(super) struct Row {
    /// Where it begins, from 1.
    pub(super) line: u64,
    /// Where it ends.
    pub(super) last_line: u64,
    pub(super) fields: usize,
    /// The first thing that is wrong with it.
    pub(super) flaw: Option<RowError>,
    text: Vec<u8>,
    cells: Vec<Cell>,
}

struct Cell {
    column: usize,
    text: Range<usize>,
}

/// What makes a row nothing to act on. Columns are from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowError {
    TooLong { column: usize },
    Quote { column: usize },
    Return { column: usize },
}

impl RowError {
    /// What is wrong, without the field.
    pub(super) fn rule(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "a field is longer than 64 KiB",
            Self::Quote { .. } => "the quotes of a field are broken; a quote inside a quoted field has to be doubled",
            Self::Return { .. } => "a field holds a carriage return outside quotes; lines have to end in LF or CRLF",
        }
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { column } => write!(f, "field {column} is longer than 64 KiB"),
            Self::Quote { column } => {
                write!(f, "the quotes of field {column} are broken; a quote inside a quoted field has to be doubled")
            }
            Self::Return { column } => {
                write!(f, "field {column} holds a carriage return outside quotes; lines have to end in LF or CRLF")
            }
        }
    }
}

/// Which cells of a row are kept.
#[derive(Clone, Copy)]
pub(super) enum Keep {
    Every,
    Some([usize; 3]),
}

impl Keep {
    pub(super) fn of(layout: Layout) -> Self {
        let Layout { key, status, finished_at, .. } = layout;
        Self::Some([key, status.unwrap_or(key), finished_at.unwrap_or(key)])
    }

    fn wants(self, column: usize) -> bool {
        match self {
            Self::Every => true,
            Self::Some(columns) => columns.contains(&column),
        }
    }
}

impl Row {
    /// The cell of a column from 0, if it is there, was kept, and is not too long.
    pub(super) fn cell(&self, column: usize) -> Option<&[u8]> {
        let cell = self.cells.iter().find(|cell| cell.column == column)?;
        self.text.get(cell.text.clone())
    }

    /// Every cell that was kept.
    pub(super) fn cells(&self) -> Vec<&[u8]> {
        self.cells.iter().filter_map(|cell| self.text.get(cell.text.clone())).collect()
    }

    /// Bytes that it holds on to.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.text.capacity() + self.cells.capacity() * size_of::<Cell>()
    }

    fn note(&mut self, flaw: RowError) {
        self.flaw.get_or_insert(flaw);
    }
}

/// What was seen of one field.
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

/// What ended a field.
#[derive(PartialEq, Eq)]
enum End {
    Delimiter,
    Row,
    BlankRow,
}

impl RowReader {
    pub(super) fn new(bytes: Buffered, delimiter: u8) -> Self {
        let mut core = ReaderBuilder::new().delimiter(delimiter).terminator(Terminator::Any(b'\n')).build();
        // A byte order mark is taken off elsewhere: from its second byte on, the reader leaves them alone.
        core.read_field(b"\n", &mut [0]);
        core.set_line(1);
        Self { bytes, delimiter, core: Box::new(core), out: vec![0; 4096].into_boxed_slice() }
    }

    /// Reads the next row that is not blank; `false` at the end.
    pub(super) fn read(&mut self, row: &mut Row, keep: Keep) -> Result<bool, InputErrorAt> {
        loop {
            if !self.skip_blank_lines()? {
                return Ok(false);
            }
            row.line = self.core.line();
            row.fields = 0;
            row.flaw = None;
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
                if row.text.len() + row.cells.len() * size_of::<Cell>() > MAX_FIRST_ROW {
                    return Err(InputErrorAt::at_line(row.line, InputErrorKind::FirstRowTooLong));
                }
            };
            if end == End::Row {
                row.last_line = self.core.line() - 1;
                return Ok(true);
            }
        }
    }

    /// `false` at the end of the file.
    fn skip_blank_lines(&mut self) -> Result<bool, InputErrorAt> {
        loop {
            let line = self.core.line();
            let chunk =
                self.bytes.fill_buf().map_err(|error| InputErrorAt::at_line(line, InputErrorKind::Read(error)))?;
            match chunk.first() {
                None => return Ok(false),
                Some(b'\n') => {
                    self.bytes.consume(1);
                    self.core.set_line(line + 1);
                }
                Some(_) => return Ok(true),
            }
        }
    }

    /// Takes a row that needs no automaton, as nearly all do: one in the buffer whole, in which nothing but delimiters has
    /// a meaning. `false` for any other, which is left where it is.
    fn plain_row(&mut self, row: &mut Row, keep: Keep) -> Result<bool, InputErrorAt> {
        let chunk =
            self.bytes.fill_buf().map_err(|error| InputErrorAt::at_line(row.line, InputErrorKind::Read(error)))?;
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
        let mut start = 0;
        for end in memchr_iter(self.delimiter, rest).map(|place| first + place).chain([line.len()]) {
            if keep.wants(row.fields) {
                let text = row.text.len();
                row.text.extend_from_slice(&line[start..end]);
                row.cells.push(Cell { column: row.fields, text: text..row.text.len() });
            }
            row.fields += 1;
            start = end + 1;
        }
        self.bytes.consume(end + 1);
        self.core.set_line(row.line + 1);
        Ok(true)
    }

    fn field(&mut self, row: &mut Row, keep: Keep) -> Result<End, InputErrorAt> {
        let opened = self.core.line();
        let start = row.text.len();
        let kept = keep.wants(row.fields);
        let mut seen = Seen::default();
        let ends_row = loop {
            let line = self.core.line();
            let chunk =
                self.bytes.fill_buf().map_err(|error| InputErrorAt::at_line(line, InputErrorKind::Read(error)))?;
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
            if kept && seen.content <= MAX_TEXT + 1 {
                row.text.extend_from_slice(out);
            }
            if at_end {
                if ended.is_none() {
                    return Err(InputErrorAt::at_line(opened, InputErrorKind::UnclosedQuote));
                }
            } else {
                seen.raw(&chunk[..took - usize::from(ended.is_some())]);
                self.bytes.consume(took);
            }
            if let Some(record_end) = ended {
                break record_end;
            }
        };
        if ends_row && seen.take_return() && kept && seen.content <= MAX_TEXT {
            row.text.pop();
        }
        if ends_row && row.fields == 0 && seen.raw == 0 {
            return Ok(End::BlankRow);
        }
        row.fields += 1;
        let column = row.fields;
        if seen.content > MAX_TEXT {
            row.text.truncate(start);
            row.note(RowError::TooLong { column });
        } else if kept {
            row.cells.push(Cell { column: column - 1, text: start..row.text.len() });
        }
        if seen.is_broken() {
            row.note(RowError::Quote { column });
        }
        if seen.returns > 0 {
            row.note(RowError::Return { column });
        }
        Ok(if ends_row { End::Row } else { End::Delimiter })
    }
}
