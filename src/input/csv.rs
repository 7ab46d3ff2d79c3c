//! CSV: rows to keys. A row that could be read in two ways is a bad record, never a guess: half a key is another key.

mod header;
#[cfg(test)]
mod tests;

use header::{FirstRow, Layout};

use super::dry_run_report::{ReportRows, RowUse};
use super::error::{InputErrorAt, InputErrorKind};
use super::options::{Column, Header};
use super::parsed_key::{MAX_TEXT, escape_non_utf8, invalid_by_rule, parse_key};
use crate::format::csv::{Keep, Limits, Row, RowReader};
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
}

pub(super) struct CsvOptions {
    pub(super) column: Option<Column>,
    pub(super) header: Header,
    pub(super) delimiter: u8,
    pub(super) warns: bool,
    pub(super) report: ReportRows,
}

impl Csv {
    pub(super) fn new(reader: Buffered, options: CsvOptions) -> Result<Self, InputErrorAt> {
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

    pub(super) fn next(&mut self, input: &str) -> Result<Option<Content>, InputErrorAt> {
        loop {
            let layout = match self.layout {
                Some(layout) => {
                    if !self.rows.read(&mut self.row, layout.keep())? {
                        return Ok(None);
                    }
                    layout
                }
                None => match self.begin(input)? {
                    Some((layout, FirstRow::Data)) => layout,
                    Some((_, FirstRow::Header)) => continue,
                    None => return Ok(None),
                },
            };
            if let Some(content) = self.content(layout)? {
                return Ok(Some(content));
            }
        }
    }

    fn begin(&mut self, input: &str) -> Result<Option<(Layout, FirstRow)>, InputErrorAt> {
        if !self.rows.read(&mut self.row, Keep::Every)? {
            return Ok(None);
        }
        let CsvOptions { column, header, delimiter, warns, .. } = &self.options;
        let (layout, first) = header::arrange(&self.row, column.as_ref(), *header, *delimiter)
            .map_err(|kind| InputErrorAt::at_line(self.row.line, kind))?;
        self.layout = Some(layout);
        if first == FirstRow::Header {
            self.heading = self.row.cell(layout.key).map(escape_non_utf8);
        }
        if let (FirstRow::Data, Header::Auto, true) = (first, header, warns) {
            let row = self.row.cell(layout.key).map(escape_non_utf8).unwrap_or_default();
            tracing::warn!(
                "{}: the first row ({}) is taken as a key, not as a header\nhint: pass --column 1 and remove the row if it is a \
                 header, or --no-header to confirm that it is a key",
                Escaped(input),
                shortened_key(&row)
            );
        }
        Ok(Some((layout, first)))
    }

    /// What the row holds; `None` for a row of a report that is to be skipped.
    fn content(&mut self, layout: Layout) -> Result<Option<Content>, InputErrorAt> {
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
            let judged = self.options.report.classify(Some(&text(status)), finished_at.as_deref());
            let judged = judged.map_err(|kind| InputErrorAt::at(position, kind))?;
            if layout.is_other_column && self.options.report.are_of_report() {
                return Err(InputErrorAt::at(position, InputErrorKind::OtherColumnOfReport));
            }
            if judged == RowUse::Skip {
                return Ok(None);
            }
        }
        Ok(Some(parse_key(position, key)))
    }
}
