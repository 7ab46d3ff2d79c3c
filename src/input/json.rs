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

pub(super) struct Json {
    array: JsonArray<Buffered>,
    pub(super) report: ReportRows,
}

impl Json {
    pub(super) fn new(bytes: Buffered, report: ReportRows) -> Self {
        Self { array: JsonArray::new(bytes), report }
    }

    pub(super) fn next(&mut self) -> Result<Option<Content>, InputError> {
        while let Some(position) = self.array.next_element()? {
            let value = self.value()?;
            if let Some(key) = key_of_value(position, value, &mut self.report, String::new)? {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    fn value(&mut self) -> Result<Value<'static>, FormatError> {
        if !self.array.begin_object()? {
            return self.text().map(Value::Plain);
        }
        let mut members = Members::default();
        let is_over = self.report.search.is_over();
        while let Some((field, name)) = self
            .array
            .next_member(|name| (Field::of(name.as_bytes()), if is_over { String::new() } else { name.to_owned() }))?
        {
            let text = if Members::reads(field) || !is_over {
                self.text()?
            } else {
                self.array.skip_value()?;
                Text::Other
            };
            members.put(field, &name, text);
        }
        Ok(Value::Object(members))
    }

    fn text(&mut self) -> Result<Text<'static>, FormatError> {
        Ok(match self.array.string(MAX_TEXT)? {
            JsonString::Exact(text) => Text::Exact(Cow::Owned(text)),
            JsonString::TooLong => Text::TooLong,
            JsonString::NotAString => Text::Other,
        })
    }
}
