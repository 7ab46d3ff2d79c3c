//! Reads the first row: which column holds the keys, and whether the row is a header.

use super::super::detect::{self, DELIMITERS, KEY_NAMES, heading, key_name};
use super::super::error::InputErrorKind;
use super::super::lookalike::Lookalike;
use super::super::options::{Column, Header};
use super::super::parsed_key::escape_non_utf8;
use super::super::report_columns::{Field, Fields, is_header, is_row, is_row_by};
use crate::format::csv::Row;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// The column of the key, from 0.
    pub(super) key: usize,
    pub(super) status: Option<usize>,
    pub(super) finished_at: Option<usize>,
    /// Whether `--column` names another column than the one headed as key, which is an error for a report.
    pub(super) is_other_column: bool,
    pub(super) fields: usize,
}

impl Layout {
    /// The columns that are read.
    pub(super) fn columns(self) -> [usize; 3] {
        [self.key, self.status.unwrap_or(self.key), self.finished_at.unwrap_or(self.key)]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstRow {
    Header,
    Data,
}

pub(super) fn arrange(
    row: &Row,
    column: Option<&Column>,
    header: Header,
    delimiter: u8,
) -> Result<(Layout, FirstRow), InputErrorKind> {
    let cells = row.cells();
    let plain = |key| Layout { key, status: None, finished_at: None, is_other_column: false, fields: row.fields };
    if let Some(Column::Number(number)) = column
        && number.get() > row.fields
    {
        return Err(InputErrorKind::NoSuchColumn { wanted: number.get(), columns: row.fields });
    }
    let numbered = match column {
        Some(Column::Number(number)) => Some(number.get() - 1),
        _ => None,
    };
    if header == Header::None {
        if is_row(&cells) || is_header(&cells) || is_row_otherwise(&cells, delimiter) {
            return Err(InputErrorKind::NotKeys(Lookalike::HeaderlessReport));
        }
        return Ok((plain(numbered.unwrap_or(0)), FirstRow::Data));
    }
    if let Some(error) = &row.error {
        return Err(InputErrorKind::MalformedHeader { flaw: error.to_string(), headed: headed(&cells) });
    }
    let fields: Vec<Field> = cells.iter().map(|cell| Field::of(cell)).collect();
    let all = Fields::of(fields.iter().copied());
    if all.lost_status() {
        return Err(InputErrorKind::ReportWithoutStatus);
    }
    let own = || key_column(&cells);
    let key = match column {
        None => own()?,
        Some(Column::Number(_)) if all.has_named_key => numbered,
        Some(Column::Number(_)) => None,
        Some(Column::Name(wanted)) => Some(named(&cells, wanted)?),
    };
    let Some(key) = key else {
        check_is_data(&cells, numbered, delimiter)?;
        return Ok((plain(0), FirstRow::Data));
    };
    let mut layout = plain(key);
    if all.decide() {
        let several = |()| InputErrorKind::AmbiguousColumn("status".to_owned());
        layout.status = only(fields.iter().copied(), &Field::Status).map_err(several)?;
        layout.finished_at = fields.iter().position(|field| *field == Field::FinishedAt);
        layout.is_other_column = own()?.is_some_and(|own| own != key);
    }
    Ok((layout, FirstRow::Header))
}

/// Whether a row, wherever it stands, names the columns of a table of keys.
pub(super) fn names_columns(row: &Row) -> bool {
    row.cells().into_iter().any(|cell| key_name(cell).is_some())
}

fn key_column(cells: &[&[u8]]) -> Result<Option<usize>, InputErrorKind> {
    for wanted in KEY_NAMES {
        let found = only(cells.iter().map(|cell| key_name(cell)), &Some(wanted));
        if let Some(index) = found.map_err(|()| InputErrorKind::AmbiguousColumn(wanted.to_owned()))? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

/// The column that is headed `wanted`: exactly, or else as headings are compared.
fn named(cells: &[&[u8]], wanted: &str) -> Result<usize, InputErrorKind> {
    let several = |()| InputErrorKind::AmbiguousColumn(wanted.to_owned());
    let exact = only(cells.iter().copied(), &wanted.as_bytes()).map_err(several)?;
    let found = match exact {
        Some(index) => Some(index),
        None => only(cells.iter().map(|cell| heading(cell)), &heading(wanted.as_bytes())).map_err(several)?,
    };
    found.ok_or_else(|| InputErrorKind::MissingColumn { wanted: wanted.to_owned(), headed: headed(cells) })
}

/// Without a recognised heading the first row is data only if it has one column, and nothing looks like several.
fn check_is_data(cells: &[&[u8]], numbered: Option<usize>, delimiter: u8) -> Result<(), InputErrorKind> {
    if is_row(cells) || is_row_otherwise(cells, delimiter) {
        return Err(InputErrorKind::NotKeys(Lookalike::HeaderlessReport));
    }
    let ([cell], others) = (cells, || DELIMITERS.into_iter().filter(|other| *other != delimiter)) else {
        return Err(InputErrorKind::NoKeyColumn { headed: headed(cells), numbered });
    };
    if let [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', other] = cell {
        return Err(InputErrorKind::DelimiterLine(*other));
    }
    let is_split = |other: &u8| {
        let parts: Vec<&[u8]> = detect::cells(cell, *other).collect();
        parts.iter().any(|part| key_name(part).is_some()) || is_header(&parts)
    };
    others().find(is_split).map_or(Ok(()), |other| Err(InputErrorKind::OtherDelimiter(other)))
}

/// Whether a cell is a row of a report for which the delimiter is wrong.
fn is_row_otherwise(cells: &[&[u8]], delimiter: u8) -> bool {
    cells.iter().any(|cell| is_row_by(cell, DELIMITERS.into_iter().filter(|other| *other != delimiter)))
}

fn headed(cells: &[&[u8]]) -> Vec<String> {
    cells.iter().map(|cell| escape_non_utf8(cell)).collect()
}

/// The index of `wanted`; an error if there are several.
fn only<T: PartialEq>(mut all: impl Iterator<Item = T>, wanted: &T) -> Result<Option<usize>, ()> {
    let Some(index) = all.position(|one| one == *wanted) else {
        return Ok(None);
    };
    if all.any(|one| one == *wanted) { Err(()) } else { Ok(Some(index)) }
}
