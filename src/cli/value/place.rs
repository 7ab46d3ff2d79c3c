//! Where keys come from and where rows go.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use clap::builder::{PathBufValueParser, TypedValueParser};
use thiserror::Error;

/// `--format`: how keys are written in the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum FormatArg {
    /// By the extension, then by the content.
    #[default]
    Auto,
    /// A column of a table.
    Csv,
    /// One key a line.
    Lines,
    /// One JSON value a line: a string, or an object with `key`, `key_name` or `name`.
    Ndjson,
    /// A JSON array of such values.
    Json,
}

/// An `INPUT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputArg {
    /// `-`.
    Stdin,
    /// A file; one called `-` is `./-`.
    Path(PathBuf),
}

impl InputArg {
    pub(in crate::cli) fn parser() -> impl TypedValueParser<Value = Self> {
        PathBufValueParser::new().map(|path| match path.to_str() {
            Some("-") => Self::Stdin,
            _ => Self::Path(path),
        })
    }
}

/// `--report`: where rows go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportArg {
    /// `-`.
    Stdout,
    /// `none`: nowhere.
    None,
    /// A file; one called `none` is `./none`.
    Path(PathBuf),
}

impl ReportArg {
    pub(in crate::cli) fn parser() -> impl TypedValueParser<Value = Self> {
        PathBufValueParser::new().map(|path| match path.to_str() {
            Some("-") => Self::Stdout,
            Some("none") => Self::None,
            _ => Self::Path(path),
        })
    }
}

/// `--sync`: when the report is forced out to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum SyncArg {
    /// When the system likes.
    Never,
    /// Every second.
    #[default]
    #[value(name = "1s")]
    EverySecond,
    /// After every batch of rows, before the next is taken.
    Always,
}

/// `--column`: which column of a CSV file holds the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnArg {
    /// The one with this heading.
    Name(String),
    /// The one at this position, from 1.
    Number(NonZeroUsize),
}

/// A text that names no column.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ColumnError {
    /// No characters at all.
    #[error("expected a heading, or a number from 1")]
    Empty,
    /// Zero, or too large.
    #[error("columns are counted from 1")]
    Number,
}

impl FromStr for ColumnArg {
    type Err = ColumnError;

    fn from_str(text: &str) -> Result<Self, ColumnError> {
        if text.is_empty() {
            return Err(ColumnError::Empty);
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Self::Number).map_err(|_| ColumnError::Number);
        }
        Ok(Self::Name(text.to_owned()))
    }
}

/// A text that cannot separate columns.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected one ASCII character that is neither a quote nor a line end, or tab")]
pub struct DelimiterError;

/// One ASCII character; `tab` and `\t` stand for a tab.
pub fn delimiter(text: &str) -> Result<u8, DelimiterError> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        b"\"" | b"\r" | b"\n" => Err(DelimiterError),
        &[byte] if byte.is_ascii() => Ok(byte),
        _ => Err(DelimiterError),
    }
}

/// An empty `--prefix`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("an empty prefix names every key of the namespace, as a variable that is not set would; give --all for that")]
pub struct EmptyPrefix;

/// How names of keys that are deleted begin.
///
/// # Errors
/// [`EmptyPrefix`].
pub fn prefix(text: &str) -> Result<String, EmptyPrefix> {
    if text.is_empty() { Err(EmptyPrefix) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_names_or_numbers() {
        assert_eq!("key_name".parse(), Ok(ColumnArg::Name("key_name".to_owned())));
        assert_eq!("-1".parse(), Ok(ColumnArg::Name("-1".to_owned())));
        assert_eq!("12".parse(), Ok(ColumnArg::Number(NonZeroUsize::new(12).unwrap())));
        assert_eq!("0".parse::<ColumnArg>(), Err(ColumnError::Number));
        assert_eq!("99999999999999999999".parse::<ColumnArg>(), Err(ColumnError::Number));
        assert_eq!("".parse::<ColumnArg>(), Err(ColumnError::Empty));
    }

    #[test]
    fn delimiters_are_one_byte() {
        for (text, byte) in [(";", b';'), ("tab", b'\t'), ("\\t", b'\t'), ("\t", b'\t'), ("|", b'|'), (" ", b' ')] {
            assert_eq!(delimiter(text), Ok(byte), "{text:?}");
        }
        for text in ["", "\"", "\n", "\r", "\r\n", ";;", "é", "·"] {
            assert_eq!(delimiter(text), Err(DelimiterError), "{text:?}");
        }
    }
}
