//! One key with value, expiration and metadata: written as a line, and read back exactly, with one in memory at a time.

use std::borrow::Cow;
use std::io::{self, Write};

use base64::Engine as _;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::{MAX_VALUE_BYTES, Metadata, Value};
use crate::input::{Fingerprint, Format, InputError, JsonValues, Source};
use crate::key::KeyName;
use crate::text::{json_error, json_len};

/// The longest text as it is written, in bytes; a call may have 100,000,000 in all.
const MOST_ESCAPED: usize = 90_000_000;

#[derive(Debug)]
pub(crate) struct BackupRecord {
    pub key: KeyName,
    pub value: Value,
    pub metadata: Option<Metadata>,
    /// How long it is to live once it is written, in seconds. Our own backups have an expiration instead.
    pub expiration_ttl: Option<u64>,
}

/// A record as `wrangler kv bulk put` reads it. An unknown member is an error, so that nothing of a record
/// is lost silently.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRecord<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
    #[serde(default)]
    base64: bool,
    expiration: Option<u64>,
    expiration_ttl: Option<u64>,
    metadata: Option<Box<RawValue>>,
}

/// What names a record of which the rest cannot be read.
#[derive(Deserialize)]
struct OnlyKey<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
}

impl BackupRecord {
    /// As a record of `wrangler kv bulk put` and of the API's bulk write.
    pub(crate) fn to_json(&self) -> io::Result<Vec<u8>> {
        let mut line = Vec::with_capacity(self.value.bytes.len() + 256);
        self.write(&mut line)?;
        line.pop();
        Ok(line)
    }

    /// Writes it as a line. A value that is UTF-8 is written as text, any other as Base64; so is a text that is so long
    /// once it is escaped that no call could carry it.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"{\"key\":")?;
        serde_json::to_writer(&mut *out, self.key.as_str())?;
        out.write_all(b",\"value\":")?;
        match std::str::from_utf8(&self.value.bytes).ok().filter(|text| json_len(text) <= MOST_ESCAPED) {
            Some(text) => serde_json::to_writer(&mut *out, text)?,
            None => write!(out, "\"{}\",\"base64\":true", Base64Display::new(&self.value.bytes, &STANDARD))?,
        }
        if let Some(expiration) = self.value.expiration {
            write!(out, ",\"expiration\":{expiration}")?;
        }
        if let Some(seconds) = self.expiration_ttl {
            write!(out, ",\"expiration_ttl\":{seconds}")?;
        }
        if let Some(metadata) = &self.metadata {
            write!(out, ",\"metadata\":{}", metadata.as_json())?;
        }
        out.write_all(b"}\n")
    }

    /// Reads a line.
    ///
    /// # Errors
    /// The key, if it can be read, and why the record cannot be restored.
    pub(crate) fn read(line: &[u8]) -> Result<Self, (String, String)> {
        let record: RawRecord<'_> = serde_json::from_slice(line).map_err(|error| {
            let error = json_error(&error);
            let key = serde_json::from_slice::<OnlyKey<'_>>(line).map(|record| record.key.into_owned());
            (key.unwrap_or_default(), format!("not a record of a backup: {error}"))
        })?;
        let key = record.key.into_owned();
        let bytes = if record.base64 {
            let decoded = STANDARD.decode(record.value.as_bytes());
            decoded.map_err(|_| (key.clone(), "\"base64\" is true, but the value is not Base64".to_owned()))?
        } else {
            record.value.into_owned().into_bytes()
        };
        if bytes.len() > MAX_VALUE_BYTES {
            let (length, most) = (bytes.len(), MAX_VALUE_BYTES);
            return Err((key, format!("the value is {length} bytes long; at most {most} are allowed")));
        }
        if record.expiration.is_some() && record.expiration_ttl.is_some() {
            return Err((key, "has both expiration and expiration_ttl".to_owned()));
        }
        let name = KeyName::new(key.as_str()).map_err(|error| (key, error.to_string()))?;
        let metadata = record.metadata.as_deref().and_then(Metadata::new);
        let expiration_ttl = record.expiration_ttl;
        Ok(Self { key: name, value: Value::new(bytes, record.expiration), metadata, expiration_ttl })
    }
}

/// The longest record: a value of 25 MiB, each byte of it escaped in six, with the rest.
const MAX_RECORD_BYTES: usize = (6 * 25 + 1) << 20;

#[derive(Debug)]
pub(crate) enum BackupLine {
    Record(BackupRecord),
    /// Not a record; with its key, if that can be read, and why.
    Invalid {
        key: String,
        why: String,
    },
}

/// The records of a file: NDJSON as kvsweep writes it, or a JSON array as `wrangler kv bulk put` reads it, compressed or not.
pub(crate) struct BackupReader(JsonValues);

impl BackupReader {
    /// Opens a file that was `expected` when it was looked at.
    pub(crate) fn open(source: &Source, expected: Fingerprint) -> Result<Self, InputError> {
        JsonValues::open(source, expected, MAX_RECORD_BYTES).map(Self)
    }

    pub(crate) fn format(&self) -> Format {
        self.0.format()
    }
}

impl Iterator for BackupReader {
    type Item = Result<BackupLine, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = |value: &[u8]| {
            BackupRecord::read(value).map_or_else(|(key, why)| BackupLine::Invalid { key, why }, BackupLine::Record)
        };
        self.0.next_value().map(|value| value.map(read)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(bytes: &[u8], expiration: Option<u64>, metadata: Option<&str>) -> BackupRecord {
        let metadata = metadata.and_then(|json| Metadata::new(&serde_json::from_str::<Box<RawValue>>(json).unwrap()));
        let value = Value::new(bytes.to_vec(), expiration);
        BackupRecord { key: KeyName::new("k\"\n").unwrap(), value, metadata, expiration_ttl: None }
    }

    fn line(entry: &BackupRecord) -> String {
        let mut line = Vec::new();
        entry.write(&mut line).unwrap();
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn records_are_those_of_wrangler() {
        assert_eq!(line(&entry(b"text", None, None)), "{\"key\":\"k\\\"\\n\",\"value\":\"text\"}\n");
        assert_eq!(
            line(&entry(b"\xff\x00", Some(1_800_000_000), Some("{\"a\": [1]}"))),
            "{\"key\":\"k\\\"\\n\",\"value\":\"/wA=\",\"base64\":true,\"expiration\":1800000000,\"metadata\":{\"a\": [1]}}\n"
        );
        assert_eq!(line(&entry("\u{feff}é\u{fffd}".as_bytes(), None, None)).matches("base64").count(), 0);
    }

    #[test]
    fn what_wrangler_writes_is_read_and_written_again() {
        let line = r#"{"key":"k","value":"v","expiration_ttl":60,"metadata":[1]}"#;
        assert_eq!(String::from_utf8(BackupRecord::read(line.as_bytes()).unwrap().to_json().unwrap()).unwrap(), line);
        let nulls =
            br#"{"key":"k","value":"v","expiration":null,"expiration_ttl":null,"metadata":null,"base64":false}"#;
        assert_eq!(BackupRecord::read(nulls).unwrap().to_json().unwrap(), br#"{"key":"k","value":"v"}"#);
    }

    #[test]
    fn a_text_that_no_call_could_carry_is_written_as_base64() {
        let line = line(&entry(&vec![1; MAX_VALUE_BYTES], None, None));
        assert!(line.len() < 36_000_000 && line.ends_with("\"base64\":true}\n"));
        assert_eq!(BackupRecord::read(line.trim_end().as_bytes()).unwrap().value.bytes, vec![1; MAX_VALUE_BYTES]);
    }

    #[test]
    fn what_is_no_record_says_why() {
        for (line, key, why) in [
            (r#"{"key":"k""#, "", "not a record"),
            (r#"{"key":"k"}"#, "k", "`value` is missing"),
            (r#"{"key":"k","value":"v","ttl":60}"#, "k", "unknown field `ttl`"),
            (
                r#"{"key":"k","value":"v","expiration":1,"expiration_ttl":60}"#,
                "k",
                "both expiration and expiration_ttl",
            ),
            (r#"{"key":"k","value":"v","expiration":-1}"#, "k", "integer `-1`"),
            (r#"{"key":"k","value":"%","base64":true}"#, "k", "the value is not Base64"),
            (r#"{"key":"..","value":"v"}"#, "..", "remove"),
            ("{\"key\":\"k\",\"value\":\"\u{0}\"}", "", "control character"),
        ] {
            let (read_key, error) = BackupRecord::read(line.as_bytes()).map(|entry| entry.key).unwrap_err();
            assert_eq!(read_key, key, "{line}");
            assert!(error.contains(why), "{error}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost(
            bytes in prop_oneof![any::<Vec<u8>>(), any::<String>().prop_map(String::into_bytes)],
            expiration: Option<u64>,
            number: Option<i64>,
        ) {
            let metadata = number.map(|number| format!("[{number},\"é\\u0000\"]"));
            let entry = entry(&bytes, expiration, metadata.as_deref());
            let line = line(&entry);
            prop_assert_eq!(line.matches('\n').count(), 1);
            let read = BackupRecord::read(line.trim_end().as_bytes()).unwrap();
            prop_assert_eq!(read.key, entry.key);
            prop_assert_eq!((read.value.bytes, read.value.expiration), (bytes, expiration));
            prop_assert_eq!(read.metadata, entry.metadata);
        }
    }
}
