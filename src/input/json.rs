//! The keys of one JSON array.

use std::borrow::Cow;

use super::dry_run_report::ReportRows;
use super::error::InputError;
use super::json_value::{Members, Text, Value, key_of_value};
use super::parsed_key::MAX_TEXT;
use super::report_columns::Field;
use crate::format::json_array::{JsonArray, JsonString};
use crate::format::{Buffered, FormatError};
use crate::record::Content;

pub(super) fn next_key(
    array: &mut JsonArray<Buffered>,
    report: &mut ReportRows,
) -> Result<Option<Content>, InputError> {
    while let Some(position) = array.next_element()? {
        let value = value(array, !report.search.is_over())?;
        if let Some(key) = key_of_value(position, value, report, String::new)? {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// The next value; of members that name no key and no status, the text only if `reads_all`.
fn value(array: &mut JsonArray<Buffered>, reads_all: bool) -> Result<Value<'static>, FormatError> {
    if !array.begin_object()? {
        return text(array).map(Value::Plain);
    }
    let mut members = Members::default();
    let of = |name: &str| (Field::of(name.as_bytes()), if reads_all { name.to_owned() } else { String::new() });
    while let Some((field, name)) = array.next_member(of)? {
        let text = if Members::reads(field) || reads_all {
            text(array)?
        } else {
            array.skip_value()?;
            Text::Other
        };
        members.put(field, &name, text);
    }
    Ok(Value::Object(members))
}

fn text(array: &mut JsonArray<Buffered>) -> Result<Text<'static>, FormatError> {
    Ok(match array.string(MAX_TEXT)? {
        JsonString::Exact(text) => Text::Exact(Cow::Owned(text)),
        JsonString::TooLong => Text::TooLong,
        JsonString::NotAString => Text::Other,
    })
}
