//! What one JSON value says about a key, whichever way it was read.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::entry::Entry;
use super::error::{Break, Position, Problem};
use super::reviewed::ReportRow;

/// A JSON value, as far as it matters.
pub(super) enum Value<'a> {
    /// Anything but an object.
    Plain(Text<'a>),
    Object(Members<'a>),
}

/// What stands where a string is wanted.
pub(super) enum Text<'a> {
    Exact(Cow<'a, str>),
    /// A string beyond the limit, not kept.
    TooLong,
    /// Not a string.
    Other,
    /// The member is there more than once: readers of JSON differ in which one they take.
    Twice,
}

/// The members of an object that matter; the others are ignored whatever they hold.
#[derive(Default)]
pub(super) struct Members<'a> {
    key: Option<Text<'a>>,
    key_name: Option<Text<'a>>,
    name: Option<Text<'a>>,
    status: Option<Text<'a>>,
    has_record: bool,
}

/// A member of an object, by its name.
#[derive(Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
pub(super) enum Member {
    Key,
    KeyName,
    Name,
    Status,
    Record,
    #[serde(other)]
    Other,
}

impl Member {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "key" => Self::Key,
            "key_name" => Self::KeyName,
            "name" => Self::Name,
            "status" => Self::Status,
            "record" => Self::Record,
            _ => Self::Other,
        }
    }

    /// Whether the member's value matters, not only that it is there.
    pub(super) fn is_read(self) -> bool {
        !matches!(self, Self::Record | Self::Other)
    }
}

impl<'a> Members<'a> {
    pub(super) fn put(&mut self, member: Member, text: Text<'a>) {
        let place = match member {
            Member::Key => &mut self.key,
            Member::KeyName => &mut self.key_name,
            Member::Name => &mut self.name,
            Member::Status => &mut self.status,
            Member::Record => {
                self.has_record = true;
                return;
            }
            Member::Other => return,
        };
        *place = Some(if place.is_some() { Text::Twice } else { text });
    }

    /// The status, if this is a row of a report.
    fn report_status(&self) -> Option<&str> {
        match (&self.key, &self.status) {
            (Some(_), Some(Text::Exact(status))) if self.has_record => Some(status),
            _ => None,
        }
    }
}

/// The entry that `value` is; `None` for a row of a dry run's report that is to be passed over. `whole` gives what
/// stood there, for a value that holds no key.
pub(super) fn judge(
    position: Position,
    value: Value<'_>,
    whole: impl FnOnce() -> String,
) -> Result<Option<Entry>, Break> {
    let (text, member) = match value {
        Value::Plain(text) => (text, None),
        Value::Object(members) => {
            if let Some(status) = members.report_status() {
                match ReportRow::of_status(status) {
                    ReportRow::Planned => {}
                    ReportRow::PassedOver => return Ok(None),
                    ReportRow::Settled => return Err(Break::at(position, Problem::SettledReport(status.to_owned()))),
                }
            }
            let named = [("key", members.key), ("key_name", members.key_name), ("name", members.name)];
            let mut named = named.into_iter().filter_map(|(name, text)| Some((text?, Some(name))));
            let Some(found) = named.next() else {
                let why = "the object has no member `key`, `key_name` or `name`";
                return Ok(Some(Entry::flawed(position, whole(), why)));
            };
            found
        }
    };
    let entry = match (text, member) {
        (Text::Exact(text), _) => Entry::of_bytes(position, text.as_bytes()),
        (Text::TooLong, _) => Entry::flawed(position, String::new(), "the string is longer than 64 KiB"),
        (Text::Other | Text::Twice, None) => Entry::flawed(position, whole(), "neither a string nor an object"),
        (Text::Other, Some(name)) => Entry::flawed(position, whole(), format!("the member `{name}` is not a string")),
        (Text::Twice, Some(name)) => Entry::flawed(position, whole(), format!("the member `{name}` is there twice")),
    };
    Ok(Some(entry))
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
        while let Some(member) = map.next_key::<Member>()? {
            let text = if member.is_read() {
                match map.next_value()? {
                    Value::Plain(text) => text,
                    Value::Object(_) => Text::Other,
                }
            } else {
                map.next_value::<IgnoredAny>()?;
                Text::Other
            };
            members.put(member, text);
        }
        Ok(Value::Object(members))
    }
}
