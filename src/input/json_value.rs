//! What one JSON value says about a key, whichever way it was read.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::dry_run_report::{ReportRows, RowUse};
use super::error::{InputErrorAt, InputErrorKind};
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
    key: Option<Text<'a>>,
    key_name: Option<Text<'a>>,
    name: Option<Text<'a>>,
    status: Option<Text<'a>>,
    finished_at: Option<Text<'a>>,
    /// Others that may be statuses, by their names.
    others: Vec<(String, Cow<'a, str>)>,
    fields: Fields,
}

impl<'a> Members<'a> {
    pub(super) fn put(&mut self, field: Field, name: &str, text: Text<'a>) {
        self.fields.add(field);
        let place = match field {
            Field::Key => &mut self.key,
            Field::KeyName => &mut self.key_name,
            Field::Name => &mut self.name,
            Field::Status => &mut self.status,
            Field::FinishedAt => &mut self.finished_at,
            Field::OfReport | Field::Other => {
                // What a key holds is the user's own, and no plan has it.
                if let Text::Exact(text) = text
                    && name != "metadata"
                    && may_be_status(&text)
                {
                    self.others.push((name.to_owned(), text));
                }
                return;
            }
        };
        *place = Some(if place.is_some() { Text::Repeated } else { text });
    }

    /// Whether the member's value matters, not only that it is there.
    pub(super) fn reads(field: Field) -> bool {
        !matches!(field, Field::OfReport | Field::Other)
    }
}

/// A short string; nothing else is read, because it may be one that no reader accepts.
fn short_text(json: &str) -> Text<'_> {
    let text = (json.starts_with('"') && json.len() < 100).then(|| serde_json::from_str(json).ok()).flatten();
    text.map_or(Text::Other, |text: String| Text::Exact(Cow::Owned(text)))
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// What `value` holds; `None` for a row of a dry run's report that is to be skipped. `whole` gives what stood there, for a
/// value that holds no key.
pub(super) fn key_of_value(
    position: Position,
    value: Value<'_>,
    report: &mut ReportRows,
    whole: impl FnOnce() -> String,
) -> Result<Option<Content>, InputErrorAt> {
    let at = |kind| InputErrorAt::at(position, kind);
    let (text, member) = match value {
        Value::Plain(text) => {
            if let Text::Exact(_) = text {
                report.classify(None, None).map_err(at)?;
                report.search.see(position, std::iter::empty());
            }
            (text, None)
        }
        Value::Object(Members { key, key_name, name, status, finished_at, others, fields }) => {
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

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Plain(Text::Exact(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Plain(Text::Exact(Cow::Owned(text.to_owned()))))
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Plain(Text::Other))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value<'de>, E> {
        Ok(Value::Plain(Text::Other))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value<'de>, E> {
        Ok(Value::Plain(Text::Other))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value<'de>, E> {
        Ok(Value::Plain(Text::Other))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
        Ok(Value::Plain(Text::Other))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Plain(Text::Other))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        let mut members = Members::default();
        while let Some(Name(name)) = map.next_key()? {
            let field = Field::of(name.as_bytes());
            let text = if Members::reads(field) {
                match map.next_value()? {
                    Value::Plain(text) => text,
                    Value::Object(_) => Text::Other,
                }
            } else {
                short_text(map.next_value::<&RawValue>()?.get())
            };
            members.put(field, &name, text);
        }
        Ok(Value::Object(members))
    }
}
