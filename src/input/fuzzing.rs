//! What must hold for any bytes as an input.

#![expect(clippy::missing_panics_doc, reason = "a panic is how a target says what it found")]

use std::collections::BTreeSet;
use std::io::{BufReader, Cursor, Read};
use std::path::PathBuf;

use super::error::InputErrorKind;
use super::{Header, InputError, InputOptions, Records, Source};
use crate::record::{Content, Record};

/// Anything as `.csv`, with a header and without.
pub fn csv(data: &[u8]) {
    for header in [Header::Auto, Header::None] {
        let options = InputOptions { header, ..InputOptions::default() };
        let (records, _) = read("k.csv", data, &options);
        if is_packed(data) {
            continue;
        }
        for key in keys(&records) {
            // Half a key is another key: it has to stand there whole, bare or in quotes.
            let quoted = format!("\"{}\"", key.replace('"', "\"\""));
            let is_bare = !key.starts_with('"') && !key.contains(['\n', '\r', ',']) && holds(data, key);
            assert!(is_bare || holds(data, &quoted), "{key:?} is a guess");
        }
    }
}

/// Anything as `.txt`: the lines are those that splitting the text gives.
pub fn lines(data: &[u8]) {
    let (records, error) = read("k.txt", data, &InputOptions::default());
    if is_packed(data) {
        return;
    }
    if let Some(error) = error {
        // It looks like something else.
        let is_other = matches!(
            error.kind(),
            InputErrorKind::NotKeys(_) | InputErrorKind::HiddenStatus(_) | InputErrorKind::StrayReturn
        );
        assert!(is_other, "{error:?}");
        return;
    }
    let text = without_mark(data);
    let (whole, last) = match text.iter().rposition(|&byte| byte == b'\n') {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (&b""[..], text),
    };
    let whole = whole.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let expected: Vec<&[u8]> = whole.chain([last]).filter(|line| !line.is_empty()).collect();
    assert_eq!(records.len(), expected.len(), "as many records as lines");
    for (record, line) in records.iter().zip(expected) {
        if let Content::Key(key) = &record.content {
            assert_eq!(key.as_str().as_bytes(), line);
        }
    }
}

/// Anything as `.ndjson`: a key is what a whole line says.
pub fn ndjson(data: &[u8]) {
    let (records, _) = read("k.ndjson", data, &InputOptions::default());
    if is_packed(data) {
        return;
    }
    let mut named = BTreeSet::new();
    for line in without_mark(data).split(|&byte| byte == b'\n') {
        match serde_json::from_slice::<serde_json::Value>(line) {
            Ok(value) => named.extend(candidates(&value)),
            // Members that are not keys are not read: bytes may be broken there, and numbers too large.
            Err(_) if serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok() => return,
            Err(_) => {}
        }
    }
    for key in keys(&records) {
        assert!(named.contains(key), "no line names {key:?}");
    }
}

/// Anything as `.json`: a document that is read to its end is an array or holds one as its result, and its keys are in it.
pub fn json(data: &[u8]) {
    let (records, error) = read("k.json", data, &InputOptions::default());
    if is_packed(data) {
        return;
    }
    // serde_json is stricter about numbers and depth; what it does not read is not compared.
    let Ok(document) = serde_json::from_slice::<serde_json::Value>(without_mark(data)) else { return };
    let array = document.as_array().or_else(|| document.get("result")?.as_array());
    let elements = array.map_or(&[][..], Vec::as_slice);
    let named: BTreeSet<String> = elements.iter().flat_map(candidates).collect();
    for key in keys(&records) {
        assert!(named.contains(key), "no element names {key:?}");
    }
    if error.is_none() {
        assert!(array.is_some(), "{document} is no array");
        let passed_over = |value: &&serde_json::Value| {
            value
                .as_object()
                .is_some_and(|members| members.keys().any(|name| name.trim().eq_ignore_ascii_case("status")))
        };
        let rows = elements.iter().filter(passed_over).count();
        assert!((elements.len() - rows..=elements.len()).contains(&records.len()), "an element was lost or made");
    }
}

/// Anything under a name without an extension: compression and format are recognised by content.
pub fn detect(data: &[u8]) {
    read("k", data, &InputOptions::default());
}

/// The records, after checking what holds in every format, and that it does not matter how the bytes arrive.
fn read(name: &str, data: &[u8], options: &InputOptions) -> (Vec<Record>, Option<InputError>) {
    let (records, error) = read_in_chunks(name, data, options, 1 << 16);
    let (again, error_again) = read_in_chunks(name, data, options, 1 + data.len() % 13);
    if is_packed(data) {
        // How much a decoder returns before it finds that the data is broken is unspecified.
        assert!(records.iter().zip(&again).all(|(one, other)| one == other), "{records:?} or {again:?}");
        assert!(error.is_some() || error_again.is_some() || records.len() == again.len());
    } else {
        assert_eq!(records, again);
        let text = |error: &Option<InputError>| error.as_ref().map(ToString::to_string);
        assert_eq!(text(&error), text(&error_again));
    }
    (records, error)
}

fn read_in_chunks(
    name: &str,
    data: &[u8],
    options: &InputOptions,
    at_once: usize,
) -> (Vec<Record>, Option<InputError>) {
    let mut source = Records::new(Vec::new(), options.clone()).without_warnings();
    let reader = BufReader::with_capacity(at_once, Cursor::new(data.to_vec()).take(u64::MAX));
    let (mut records, mut end) = (Vec::new(), None);
    if let Err(error) = source.begin(&Source::File(PathBuf::from(name)), Box::new(reader)) {
        return (records, Some(error));
    }
    for (number, item) in (1..).zip(source.by_ref()) {
        assert!(end.is_none(), "an item after the error");
        match item {
            Ok(record) => {
                assert_eq!(record.number.get(), number, "a number was left out or used twice");
                assert_sound(&record, name);
                records.push(record);
            }
            Err(error) => {
                assert_eq!(error.records() + 1, number, "an error uses up no number");
                end = Some(error);
            }
        }
    }
    assert!(source.next().is_none(), "an item after the end");
    (records, end)
}

/// The rules of a key, written out again.
fn assert_sound(record: &Record, name: &str) {
    match &record.content {
        Content::Key(key) => {
            let key = key.as_str();
            assert!(!key.is_empty() && key != "." && key != ".." && key.len() <= 512, "{key:?} is no key");
        }
        Content::Invalid(invalid) => {
            assert!(invalid.reason.starts_with(&format!("{name} line ")), "{invalid:?}");
            // What is kept of a record is bounded: 64 KiB, each byte of which may be escaped.
            assert!(invalid.key.len() <= 4 * 64 * 1024, "{} bytes", invalid.key.len());
        }
        _ => {
            panic!("{record:?} before anything looked for it")
        }
    }
}

fn keys(records: &[Record]) -> impl Iterator<Item = &str> {
    records.iter().filter_map(|record| match &record.content {
        Content::Key(key) => Some(key.as_str()),
        _ => None,
    })
}

/// What `value` may name.
fn candidates(value: &serde_json::Value) -> Vec<String> {
    let is_key = |name: &str| {
        ["key", "key_name", "name"].contains(&name.trim().to_lowercase().replace(['-', ' '], "_").as_str())
    };
    let members = value.as_object().into_iter().flatten().filter(|(name, _)| is_key(name)).map(|(_, text)| text);
    let named = [value].into_iter().chain(members);
    named.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

fn holds(data: &[u8], text: &str) -> bool {
    memchr::memmem::find(data, text.as_bytes()).is_some()
}

fn is_packed(data: &[u8]) -> bool {
    data.starts_with(&[0x1f, 0x8b])
        || data.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
        || matches!(data, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

fn without_mark(data: &[u8]) -> &[u8] {
    data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data)
}

/// One record after the other, for tests.
impl Iterator for Records {
    type Item = Result<Record, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut one = Vec::new();
        let read = self.next_batch(&mut one, 1);
        one.pop().map(Ok).or_else(|| read.err().map(Err))
    }
}
