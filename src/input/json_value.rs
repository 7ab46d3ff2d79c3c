//! What one JSON value says about a key, whichever way it was read.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::dry_run_report::{ReportRows, RowUse};
use super::error::{InputError, InputErrorKind};
use super::parsed_key::{invalid, parse_key};
use super::report_columns::{Field, Fields};
use super::status_search::{Slot, may_be_status};
use crate::format::Position;
use crate::record::Content;

pub(super) enum Value<'a> {
    Plain(Text<'a>),
    Object(Members<'a>),
}

pub(super) enum Text<'a> {
    Exact(Cow<'a, str>),
    TooLong,
    Other,
    /// The member is there more than once: readers of JSON differ in which one they take.
    Repeated,
}

/// The members of an object that matter; the others are ignored whatever they hold.
#[derive(Default)]
pub(super) struct Members<'a> {
    /// Those that are [read](Members::reads), by their fields.
    texts: [Option<Text<'a>>; 5],
    /// Others that may be statuses, by their names.
    others: Vec<(String, Cow<'a, str>)>,
    fields: Fields,
}

impl<'a> Members<'a> {
    pub(super) fn put(&mut self, field: Field, name: &str, text: Text<'a>) {
        self.fields.add(field);
        if Self::reads(field) {
            let place = &mut self.texts[field as usize];
            *place = Some(if place.is_some() { Text::Repeated } else { text });
        } else if let Text::Exact(text) = text
            // What a key holds is the user's own, and no plan has it.
            && name != "metadata"
            && may_be_status(&text)
        {
            self.others.push((name.to_owned(), text));
        }
    }

    /// Whether the member's value matters, not only that it is there.
    pub(super) fn reads(field: Field) -> bool {
        !matches!(field, Field::OfReport | Field::Other)
    }
}

impl<'a> Value<'a> {
    pub(super) fn read(json: &'a str) -> serde_json::Result<Self> {
        if !json.trim_start().starts_with('{') {
            return text(serde_json::from_str(json)?).map(Self::Plain);
        }
        let mut members = Members::default();
        for (Name(name), value) in serde_json::from_str::<Pairs<'_>>(json)?.0 {
            let field = Field::of(name.as_bytes());
            let text = match text(value) {
                text if Members::reads(field) => text?,
                // One that no reader accepts does not matter elsewhere.
                text => text.unwrap_or(Text::Other),
            };
            members.put(field, &name, text);
        }
        Ok(Self::Object(members))
    }
}

fn text(value: &RawValue) -> serde_json::Result<Text<'_>> {
    if !value.get().starts_with('"') {
        return Ok(Text::Other);
    }
    serde_json::from_str(value.get()).map(|Name(text)| Text::Exact(text))
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The members of an object in their order, repeated ones too.
struct Pairs<'a>(Vec<(Name<'a>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Pairs(Vec::new()))
    }
}

impl<'de> Visitor<'de> for Pairs<'de> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(pair) = map.next_entry()? {
            self.0.push(pair);
        }
        Ok(self)
    }
}

/// What `value` holds; `None` for a row of a dry run's report that is to be skipped. `whole` gives what stood there, for a
/// value that holds no key.
pub(super) fn key_of_value(
    position: Position,
    value: Value<'_>,
    report: &mut ReportRows,
    whole: impl FnOnce() -> String,
) -> Result<Option<Content>, InputError> {
    let at = |kind| InputError::at(position, kind);
    let (text, member) = match value {
        Value::Plain(text) => {
            if let Text::Exact(_) = text {
                report.classify(None, None).map_err(at)?;
                report.search.see(position, std::iter::empty());
            }
            (text, None)
        }
        Value::Object(Members { texts, others, fields }) => {
            let [key, key_name, name, status, finished_at] = texts;
            if fields.lost_status() {
                return Err(at(InputErrorKind::ReportWithoutStatus));
            }
            let exact = |text| match text {
                Some(Text::Exact(text)) => Some(text),
                Some(Text::TooLong | Text::Other | Text::Repeated) | None => None,
            };
            if fields.decide() {
                if let Some(Text::Repeated) = status {
                    return Ok(Some(invalid(position, whole(), "the member `status` appears twice")));
                }
                let (status, finished_at) = (exact(status).unwrap_or_default(), exact(finished_at));
                let used = report.classify(Some(&status), finished_at.as_deref()).map_err(at)?;
                if used == RowUse::Skip {
                    return Ok(None);
                }
            } else if fields.has_named_key {
                report.classify(None, None).map_err(at)?;
            }
            if !report.are_of_report() {
                let others = others.iter().map(|(name, text)| (Slot::Member(name.clone()), text.as_bytes()));
                report.search.see(position, others);
            }
            let named = [("key", key), ("key_name", key_name), ("name", name)];
            let mut named = named.into_iter().filter_map(|(name, text)| Some((text?, Some(name))));
            let Some(found) = named.next() else {
                let why = "the object has no member `key`, `key_name` or `name`";
                return Ok(Some(invalid(position, whole(), why)));
            };
            found
        }
    };
    let content = match (text, member) {
        (Text::Exact(text), _) => parse_key(position, text.as_bytes()),
        (Text::TooLong, _) => invalid(position, String::new(), "the string is longer than 64 KiB"),
        (Text::Other | Text::Repeated, None) => invalid(position, whole(), "neither a string nor an object"),
        (Text::Other, Some(name)) => invalid(position, whole(), format!("the member `{name}` is not a string")),
        (Text::Repeated, Some(name)) => invalid(position, whole(), format!("the member `{name}` appears twice")),
    };
    Ok(Some(content))
}
