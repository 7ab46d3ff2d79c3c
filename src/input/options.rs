//! The options of an input.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::SystemTime;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use thiserror::Error;

use crate::terminal::Quoted;

/// How to read the sources. The default recognises everything by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InputOptions {
    /// `None`: by the name's extension, then by the content.
    pub format: Option<Format>,
    /// The CSV column that holds the keys. `None`: the one headed `key`, `key_name` or `name`, else the first.
    pub column: Option<Column>,
    pub header: Header,
    /// The byte between CSV fields. `None`: a comma, or a TAB in a `.tsv` or where the header is split by it.
    pub delimiter: Option<u8>,
    /// Files whose job files say that they are dry runs' reports.
    pub plans: Vec<PlanFile>,
}

/// What the job file beside an input says: it is a plan, so checks of its keys may have failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanFile {
    pub path: PathBuf,
    /// When the dry run began.
    pub made_at: Option<SystemTime>,
}

impl InputOptions {
    /// Whether an option is given that only CSV has.
    pub(super) fn are_for_csv(&self) -> bool {
        self.column.is_some() || self.delimiter.is_some() || self.header == Header::None
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Format {
    /// Fields between delimiters, quotes doubled (RFC 4180).
    Csv,
    /// One key per line, taken exactly.
    Lines,
    /// One JSON value per line.
    Ndjson,
    /// One JSON array.
    Json,
}

/// As the flag names it.
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_possible_value().as_ref().map_or("", PossibleValue::get_name))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    Name(String),
    /// By position, from 1.
    Number(NonZeroUsize),
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{} is no column: expected the name in the header, or a number from 1", Quoted(.0))]
pub struct ColumnError(String);

impl FromStr for Column {
    type Err = ColumnError;

    /// Digits are a position, anything else is a name.
    fn from_str(column: &str) -> Result<Self, ColumnError> {
        if column.is_empty() {
            return Err(ColumnError(column.to_owned()));
        }
        if !column.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self::Name(column.to_owned()));
        }
        column.parse().map(Self::Number).map_err(|_| ColumnError(column.to_owned()))
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Header {
    /// The first row is a header if a column is asked for by name, or if a cell of it is `key`, `key_name` or
    /// `name`; else it is data: a header must never eat a key.
    #[default]
    Auto,
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_a_position_and_the_rest_a_name() {
        assert_eq!("2".parse(), Ok(Column::Number(NonZeroUsize::new(2).unwrap())));
        assert_eq!("2nd".parse(), Ok(Column::Name("2nd".into())));
        assert_eq!("-1".parse(), Ok(Column::Name("-1".into())));
        for wrong in ["", "0", "99999999999999999999999"] {
            assert!(wrong.parse::<Column>().is_err(), "{wrong}");
        }
    }
}
