//! CSV: rows to keys. A row that could be read in two ways is a bad record, never a guess: half a key is another key.

mod header;
#[cfg(test)]
mod tests;

use header::{FirstRow, Layout};

use super::dry_run_report::{ReportRows, RowUse};
use super::error::{InputError, InputErrorKind};
use super::options::{Column, Header};
use super::parsed_key::{MAX_TEXT, escape_non_utf8, invalid_by_rule, parse_key};
use super::status_search::{Slot, StatusSearch, TITLES, cells_of};
use crate::format::csv::{BRIEF_COLUMNS, Keep, Limits, Row, RowReader};
use crate::format::{Buffered, Position};
use crate::record::Content;
use crate::terminal::{Escaped, shortened_key};

/// What is kept of the first row, where every cell matters, is at most 1 MiB.
const LIMITS: Limits = Limits { field: MAX_TEXT, row: 1024 * 1024 };

pub(super) struct Csv {
    rows: RowReader<Buffered>,
    row: Row,
    options: CsvOptions,
    /// Known after the first row.
    layout: Option<Layout>,
    /// The heading of the key column.
    heading: Option<String>,
    /// The first row, if it is taken as a key although nobody says so, and how many rows were read since.
    unheaded: Option<Unheaded>,
}

struct Unheaded {
    line: u64,
    cell: String,
    rows_after: usize,
}

pub(super) struct CsvOptions {
    pub(super) column: Option<Column>,
    pub(super) header: Header,
    pub(super) delimiter: u8,
    pub(super) warns: bool,
}

impl Csv {
    pub(super) fn new(reader: Buffered, options: CsvOptions) -> Result<Self, InputError> {
        if matches!(options.delimiter, b'"' | b'\r' | b'\n') {
            return Err(InputErrorKind::Delimiter(char::from(options.delimiter)).into());
        }
        if let (Some(Column::Name(name)), Header::None) = (&options.column, options.header) {
            return Err(InputErrorKind::NameWithoutHeader(name.clone()).into());
        }
        Ok(Self {
            rows: RowReader::new(reader, options.delimiter, LIMITS),
            row: Row::default(),
            options,
            layout: None,
            heading: None,
            unheaded: None,
        })
    }

    /// Which column holds the keys, known after the first row.
    pub(super) fn describe(&self) -> String {
        let column = self.layout.map_or(1, |layout| layout.key + 1);
        match &self.heading {
            Some(heading) => format!("csv, column {column}: {heading}"),
            None => format!("csv, column {column}, no header"),
        }
    }

    /// Whether the rows that were read may be titles.
    pub(super) fn may_be_titles(&self) -> bool {
        self.unheaded.as_ref().is_some_and(|first| first.rows_after + 1 < TITLES)
    }

    /// A title stands above its table: the first row has one cell, and the next has more, or one after it is a header.
    fn check_title(&mut self, input: &str) -> Result<(), InputError> {
        let Some(first) = &mut self.unheaded else { return Ok(()) };
        first.rows_after += 1;
        if self.row.fields > 1 && (first.rows_after == 1 || header::names_columns(&self.row)) {
            let kind = InputErrorKind::Uneven(self.row.fields, first.line);
            return Err(InputError::at(Position::line(self.row.line), kind));
        }
        if first.rows_after == TITLES {
            self.take_first_row_as_key(input);
        }
        Ok(())
    }

    fn take_first_row_as_key(&mut self, input: &str) {
        if let (Some(first), true) = (self.unheaded.take(), self.options.warns) {
            tracing::warn!(
                "{}: the first row ({}) is taken as a key, not as a header\nhint: pass --column 1 and remove the row if it is a \
                 header, or --no-header to confirm that it is a key",
                Escaped(input),
                shortened_key(&first.cell)
            );
        }
    }

    pub(super) fn next(&mut self, input: &str, report: &mut ReportRows) -> Result<Option<Content>, InputError> {
        loop {
            let layout = match self.layout {
                Some(layout) => {
                    if !self.rows.read(&mut self.row, Keep::Brief(layout.columns()))? {
                        self.take_first_row_as_key(input);
                        return Ok(None);
                    }
                    self.check_title(input)?;
                    layout
                }
                None => match self.begin(report)? {
                    Some((layout, FirstRow::Data)) => layout,
                    Some((_, FirstRow::Header)) => continue,
                    None => return Ok(None),
                },
            };
            if let Some(content) = self.content(layout, report)? {
                return Ok(Some(content));
            }
        }
    }

    fn begin(&mut self, report: &mut ReportRows) -> Result<Option<(Layout, FirstRow)>, InputError> {
        if !self.rows.read(&mut self.row, Keep::Every)? {
            return Ok(None);
        }
        let CsvOptions { column, header, delimiter, .. } = &self.options;
        let header = *header;
        let (layout, first) = header::arrange(&self.row, column.as_ref(), header, *delimiter)
            .map_err(|kind| InputError::at(Position::line(self.row.line), kind))?;
        self.layout = Some(layout);
        if first == FirstRow::Header {
            self.heading = self.row.cell(layout.key).map(escape_non_utf8);
        }
        if first == FirstRow::Data {
            report.search.allow_titles();
        }
        if let (FirstRow::Data, Header::Auto) = (first, header) {
            let row = self.row.cell(layout.key).map(escape_non_utf8).unwrap_or_default();
            self.unheaded = Some(Unheaded { line: self.row.line, cell: row, rows_after: 0 });
        }
        Ok(Some((layout, first)))
    }

    /// What the row holds; `None` for a row of a report that is to be skipped.
    fn content(&self, layout: Layout, report: &mut ReportRows) -> Result<Option<Content>, InputError> {
        let row = &self.row;
        let position = Position::line(row.line);
        let key = row.cell(layout.key);
        let shown = || key.map(escape_non_utf8).unwrap_or_default();
        if let Some(error) = &row.error {
            let mut why = error.to_string();
            if row.last_line > row.line {
                why = format!("{why} (the record runs to line {})", row.last_line);
            }
            return Ok(Some(invalid_by_rule(position, shown(), error.rule(), &why)));
        }
        let (Some(key), true) = (key, row.fields == layout.fields) else {
            let fields = if row.fields == 1 { "field" } else { "fields" };
            let why = format!(
                "has {} {fields} where the first row has {}; a key that contains the delimiter must be quoted",
                row.fields, layout.fields
            );
            let rule =
                "the row has another number of fields than the first; a key that contains the delimiter must be quoted";
            return Ok(Some(invalid_by_rule(position, shown(), rule, &why)));
        };
        if let Some(status) = layout.status {
            let text = |column| row.cell(column).map(escape_non_utf8).unwrap_or_default();
            let finished_at = layout.finished_at.map(text);
            let judged = report.classify(Some(&text(status)), finished_at.as_deref());
            let judged = judged.map_err(|kind| InputError::at(position, kind))?;
            if layout.is_other_column && report.are_of_report() {
                return Err(InputError::at(position, InputErrorKind::OtherColumnOfReport));
            }
            if judged == RowUse::Skip {
                return Ok(None);
            }
        }
        if !report.are_of_report() {
            see(&mut report.search, row, layout, self.options.delimiter);
        }
        Ok(Some(parse_key(position, key)))
    }
}

/// Shows the search the cells of a row besides its key.
fn see(search: &mut StatusSearch, row: &Row, layout: Layout, delimiter: u8) {
    let position = Position::line(row.line);
    if row.fields == 1 {
        return search.see(position, cells_of(row.cell(0).unwrap_or_default()));
    }
    let others =
        (0..row.fields.min(BRIEF_COLUMNS)).filter(|column| *column != layout.key && Some(*column) != layout.status);
    let cells = others.filter_map(|column| Some((Slot::Column(delimiter, column), row.cell(column)?)));
    search.see(position, cells);
}
