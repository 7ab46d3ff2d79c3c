//! What the first row says: which column holds the keys, and whether the row is a header.

use super::super::detect::{KEY_NAMES, key_name};
use super::super::error::Problem;
use super::super::options::{Column, Header};
use super::super::reviewed::REPORT_HEADER;
use super::row::Row;

/// How the rows are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// The column of the key, from 0.
    pub(super) key: usize,
    /// The column of the status, if this is a report.
    pub(super) status: Option<usize>,
    /// How many fields a row has.
    pub(super) fields: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstRow {
    Header,
    Data,
}

pub(super) fn arrange(row: &Row, column: Option<&Column>, header: Header) -> Result<(Layout, FirstRow), Problem> {
    let layout = |key| Layout { key, status: None, fields: row.fields };
    // A row that could be read in two ways is nothing to find a name in.
    let names = if row.flaw.is_none() && header == Header::Auto { row.cells() } else { Vec::new() };
    let first = if names.iter().any(|name| key_name(name).is_some()) { FirstRow::Header } else { FirstRow::Data };
    match column {
        None if names.iter().copied().eq(REPORT_HEADER.map(str::as_bytes)) => {
            let report = Layout { key: 1, status: Some(2), fields: row.fields };
            Ok((report, FirstRow::Header))
        }
        None => {
            for wanted in KEY_NAMES {
                if let Some(index) = only(names.iter().map(|name| key_name(name)), &Some(wanted))
                    .map_err(|()| Problem::AmbiguousColumn(wanted.to_owned()))?
                {
                    return Ok((layout(index), first));
                }
            }
            Ok((layout(0), FirstRow::Data))
        }
        Some(Column::Number(number)) if number.get() > row.fields => {
            Err(Problem::NoSuchColumn { wanted: number.get(), columns: row.fields })
        }
        Some(Column::Number(number)) => Ok((layout(number.get() - 1), first)),
        Some(Column::Name(wanted)) => {
            if let Some(flaw) = &row.flaw {
                return Err(Problem::UnfitHeader { wanted: wanted.clone(), flaw: flaw.to_string() });
            }
            let found = only(names.iter().copied(), &wanted.as_bytes());
            match found.map_err(|()| Problem::AmbiguousColumn(wanted.clone()))? {
                Some(index) => Ok((layout(index), FirstRow::Header)),
                None => Err(Problem::MissingColumn {
                    wanted: wanted.clone(),
                    headed: names.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect(),
                }),
            }
        }
    }
}

/// Where `wanted` stands; an error if it stands in several places.
fn only<T: PartialEq>(mut all: impl Iterator<Item = T>, wanted: &T) -> Result<Option<usize>, ()> {
    let Some(index) = all.position(|one| one == *wanted) else {
        return Ok(None);
    };
    if all.any(|one| one == *wanted) { Err(()) } else { Ok(Some(index)) }
}
