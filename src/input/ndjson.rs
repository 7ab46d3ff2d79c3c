//! One JSON value per line. Empty lines are skipped; a line that is no JSON ends the reading, because whatever cut or
//! garbled it may have taken more than that line.

use serde::de::IgnoredAny;

use super::dry_run_report::ReportRows;
use super::error::{InputError, InputErrorKind};
use super::json_value::{Value, key_of_value};
use super::lines::find_key;
use super::parsed_key::invalid_by_rule;
use crate::format::Buffered;
use crate::format::lines::LineReader;
use crate::record::Content;
use crate::text::json_error;

pub(super) fn next_key(
    lines: &mut LineReader<Buffered>,
    report: &mut ReportRows,
) -> Result<Option<Content>, InputError> {
    find_key(lines, check_json, |position, text| {
        if text.trim_ascii().is_empty() {
            return Ok(None);
        }
        let not_json = |what| InputError::at(position, InputErrorKind::NotJson(what));
        let text = utf8(text).map_err(not_json)?;
        let whole = || text.to_owned();
        match Value::read(text) {
            Ok(value) => key_of_value(position, value, report, whole),
            Err(error) => {
                syntax(text.as_bytes()).map_err(not_json)?;
                // JSON as such, but half a surrogate pair.
                let why = format!("the value cannot be read: {}", json_error(&error));
                Ok(Some(invalid_by_rule(position, whole(), "the value cannot be read", &why)))
            }
        }
    })
}

/// Whether `text` is one JSON value; the error says what is wrong with it.
pub(super) fn syntax(text: &[u8]) -> Result<(), String> {
    serde_json::from_str::<IgnoredAny>(utf8(text)?).map(|_| ()).map_err(|error| json_error(&error))
}

fn utf8(text: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(text).map_err(|error| format!("not UTF-8 (byte {})", error.valid_up_to() + 1))
}

/// Whether a line that is too long to be kept is JSON. The error has no details: its `\r` may still be there.
fn check_json(lines: &mut LineReader<Buffered>) -> Result<(), InputErrorKind> {
    match serde_json::from_reader::<_, IgnoredAny>(lines.long_line()) {
        Ok(_) => Ok(()),
        Err(error) if error.is_io() => Err(InputErrorKind::Read(error.into())),
        Err(_) => Err(InputErrorKind::NotJson("it is longer than 64 KiB, and broken or cut off".to_owned())),
    }
}
