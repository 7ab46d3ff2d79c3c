//! Where keys come from and where rows go.

use clap::ValueEnum as _;
use clap::builder::{PathBufValueParser, PossibleValuesParser, TypedValueParser};
use thiserror::Error;

use crate::input::{Format, Source};
use crate::report::Target;

/// `--format`; `None` is `auto`.
pub(crate) fn format_parser() -> impl TypedValueParser<Value = Option<Format>> {
    let formats = Format::value_variants().iter().filter_map(clap::ValueEnum::to_possible_value);
    let names = std::iter::once("auto".into()).chain(formats);
    PossibleValuesParser::new(names).map(|name| Format::from_str(&name, false).ok())
}

/// An `INPUT`: `-` is stdin; a file called `-` is `./-`.
pub(crate) fn source_parser() -> impl TypedValueParser<Value = Source> {
    PathBufValueParser::new().map(Source::from)
}

/// `--report`: `-` is stdout and `none` is no report; files of these names are `./-` and `./none`.
pub(crate) fn report_parser() -> impl TypedValueParser<Value = Target> {
    PathBufValueParser::new().map(Target::from)
}

/// A text that cannot separate columns.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected one ASCII character that is neither a quote nor a line end, or tab")]
pub(crate) struct DelimiterError;

/// One ASCII character; `tab` and `\t` stand for a tab.
pub(crate) fn delimiter(text: &str) -> Result<u8, DelimiterError> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        b"\"" | b"\r" | b"\n" => Err(DelimiterError),
        &[byte] if byte.is_ascii() => Ok(byte),
        _ => Err(DelimiterError),
    }
}

/// An empty `--prefix`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("an empty prefix matches every key of the namespace, as an unset variable would; pass --all for that")]
pub(crate) struct EmptyPrefix;

/// How names of keys that are deleted begin.
///
/// # Errors
/// [`EmptyPrefix`].
pub(crate) fn prefix(text: &str) -> Result<String, EmptyPrefix> {
    if text.is_empty() { Err(EmptyPrefix) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

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
