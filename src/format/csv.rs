//! CSV, read strictly: a row that could be read in two ways is reported as broken, never guessed.
//!
//! Other readers prefer any reading to none. Unlike the `csv` crate, [`RowReader`] also tells a row that ended from one that was
//! cut off, knows the position of every row, and never keeps more than its [`Limits`].

use std::fmt;
use std::io::BufRead;
use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr3};

use super::{FormatError, FormatErrorKind, Position};

/// What is kept of a row, in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// A longer field is a [`RowError::TooLong`]; it is skipped in constant memory.
    pub(crate) field: usize,
    /// More of the cells that are kept is a [`FormatErrorKind::RowTooLong`].
    pub(crate) row: usize,
}

pub(crate) struct RowReader<R> {
    bytes: R,
    delimiter: u8,
    limits: Limits,
    position: u64,
    /// The line that is being read, from 1.
    line: u64,
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
    /// These columns, and short cells of the first ones.
    Brief([usize; 3]),
}

/// What [`Keep::Brief`] keeps besides: so many columns, and at most so many bytes of each cell.
pub(crate) const BRIEF_COLUMNS: usize = 256;
pub(crate) const BRIEF_BYTES: usize = 64;

impl Keep {
    fn wants(self, column: usize) -> bool {
        match self {
            Self::Every => true,
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

/// What was read of a field.
#[derive(Default)]
struct Field {
    /// Whether it began with a quote, and whether that is still open.
    is_quoted: bool,
    is_open: bool,
    /// Bytes of content; how many of them stand outside quotes, and whether the last of those is a carriage return.
    content: usize,
    bare: usize,
    ends_in_return: bool,
    /// How many others there are.
    returns: usize,
}

impl Field {
    /// Whether a quote that comes next opens the field, or is the second of two that stand for one.
    fn takes_quote(&self) -> bool {
        !self.is_open && self.bare == 0
    }

    /// Adds text that has no carriage return but its last byte.
    fn add_bare(&mut self, text: &[u8]) {
        if let Some(last) = text.last() {
            self.bare += text.len();
            self.returns += usize::from(self.ends_in_return);
            self.ends_in_return = *last == b'\r';
        }
    }
}

impl<R: BufRead> RowReader<R> {
    pub(crate) fn new(bytes: R, delimiter: u8, limits: Limits) -> Self {
        Self { bytes, delimiter, limits, position: 0, line: 1 }
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
    pub(crate) fn read(&mut self, row: &mut Row, keep: Keep) -> Result<bool, FormatError> {
        loop {
            row.line = self.line;
            row.fields = 0;
            row.is_terminated = true;
            row.error = None;
            row.text.clear();
            row.cells.clear();
            while !self.field(row, keep)? {
                if row.text.len() + row.cells.len() * size_of::<Cell>() > self.limits.row {
                    return Err(error_at(row.line, FormatErrorKind::RowTooLong));
                }
            }
            row.last_line = self.line;
            self.line += 1;
            if row.fields > 0 || !row.is_terminated {
                return Ok(row.fields > 0);
            }
        }
    }

    /// Reads a field. Whether it ends the row, as the end of the input does; a blank row has none.
    fn field(&mut self, row: &mut Row, keep: Keep) -> Result<bool, FormatError> {
        let (opened, start, column) = (self.line, row.text.len(), row.fields);
        let (is_kept, limit) = (keep.wants(column), self.limits.field);
        let mut field = Field::default();
        let ends_row = loop {
            let chunk = self.bytes.fill_buf().map_err(|error| error_at(self.line, FormatErrorKind::Read(error)))?;
            let (text, taken, end) = match chunk.first() {
                None if field.is_open => return Err(error_at(opened, FormatErrorKind::UnclosedQuote)),
                None => {
                    row.is_terminated = false;
                    break true;
                }
                Some(b'"') if field.takes_quote() => {
                    let text = if field.is_quoted { &chunk[..1] } else { &[] };
                    (field.is_quoted, field.is_open) = (true, true);
                    (text, 1, None)
                }
                Some(_) if field.is_open => {
                    let closing = memchr(b'"', chunk);
                    field.is_open = closing.is_none();
                    let text = &chunk[..closing.unwrap_or(chunk.len())];
                    self.line += memchr_iter(b'\n', text).count() as u64;
                    (text, text.len() + usize::from(closing.is_some()), None)
                }
                Some(_) => {
                    let stop = memchr3(self.delimiter, b'\n', b'\r', chunk);
                    let (end, kept) = match stop {
                        Some(stop) if chunk[stop] == b'\r' => (None, stop + 1),
                        Some(stop) => (Some(stop), stop),
                        None => (None, chunk.len()),
                    };
                    field.add_bare(&chunk[..kept]);
                    (&chunk[..kept], kept + usize::from(end.is_some()), end.map(|end| chunk[end] == b'\n'))
                }
            };
            field.content += text.len();
            // One more for a `\r` that turns out to end the row.
            if is_kept && field.content <= limit + 1 {
                row.text.extend_from_slice(text);
            }
            self.consume(taken);
            if let Some(ends_row) = end {
                break ends_row;
            }
        };
        if ends_row && field.ends_in_return {
            (field.content, field.bare, field.ends_in_return) = (field.content - 1, field.bare - 1, false);
            row.text.truncate(start + field.content);
        }
        if ends_row && column == 0 && field.content == 0 && !field.is_quoted {
            return Ok(true);
        }
        row.fields += 1;
        if field.content > limit {
            row.fail(RowError::TooLong { column: row.fields, limit });
            row.text.truncate(start);
        } else if keep.drops(column, field.content) {
            row.text.truncate(start);
        } else if is_kept {
            row.cells.push(Cell { column, text: start..row.text.len() });
        }
        if field.is_quoted && field.bare > 0 {
            row.fail(RowError::Quote { column: row.fields });
        } else if field.returns > 0 || field.ends_in_return {
            row.fail(RowError::Return { column: row.fields });
        }
        Ok(ends_row)
    }
}

fn error_at(line: u64, kind: FormatErrorKind) -> FormatError {
    FormatError { position: Position::line(line), kind }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    #[test]
    fn a_row_is_read_in_constant_memory() {
        let input = format!("a,b\n\"{}\",x{}\nc,d\n", "\"\",".repeat(3_000_000), ",".repeat(1_000_000));
        let mut reader = RowReader::new(input.as_bytes(), b',', Limits { field: 64 * 1024, row: 1024 * 1024 });
        let mut row = Row::default();
        assert!(reader.read(&mut row, Keep::Every).unwrap());
        assert_eq!(row.cells(), [b"a", b"b"]);
        assert!(reader.read(&mut row, Keep::Brief([0, 0, 1])).unwrap());
        assert_eq!((row.fields, row.error), (1_000_002, Some(RowError::TooLong { column: 1, limit: 64 * 1024 })));
        assert_eq!((row.cell(0), row.cell(1)), (None, Some(b"x".as_slice())));
        assert!(row.memory() < 300_000, "{}", row.memory());
        assert!(reader.read(&mut row, Keep::Brief([0, 0, 0])).unwrap());
        assert_eq!((row.cell(0), row.fields, row.line), (Some(b"c".as_slice()), 2, 3));
        assert!(!reader.read(&mut row, Keep::Brief([0, 0, 0])).unwrap());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// What is not reported as broken is what the `csv` crate reads.
        #[test]
        fn a_row_that_is_not_broken_is_read_as_everybody_reads_it(
            pieces in proptest::collection::vec(
                select(vec!["\"", "\"\"", "\"a\"", ",", ",", "\n", "\n", "\r\n", "\r", "a", "b c", " ", "é", "\"x\ny\""]), 0..30,
            ),
            at_once in 1_usize..20,
        ) {
            let input = pieces.concat();
            let bytes = BufReader::with_capacity(at_once, input.as_bytes());
            let mut reader = RowReader::new(bytes, b',', Limits { field: 1024, row: 64 * 1024 });
            let mut theirs = ::csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(input.as_bytes());
            let mut theirs = theirs.byte_records();
            let mut row = Row::default();
            loop {
                match reader.read(&mut row, Keep::Every) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        prop_assert!(matches!(error.kind, FormatErrorKind::UnclosedQuote), "{}", input);
                        return Ok(());
                    }
                }
                // After a broken row nobody knows where the next one begins.
                if row.error.is_some() {
                    return Ok(());
                }
                let record = theirs.next().unwrap().unwrap();
                prop_assert_eq!(row.cells(), record.iter().collect::<Vec<_>>(), "{:?}", input);
            }
            prop_assert!(theirs.next().is_none(), "{:?}", input);
        }
    }
}
