//! Whole JSON values, one after the other, from lines or an array: the records of a backup, which are too large for the
//! readers of keys.

use super::detect;
use super::error::{InputError, InputErrorKind};
use super::lookalike::lookalike;
use super::ndjson::syntax;
use super::options::Format;
use super::source::{Fingerprint, Source, Watched};
use crate::format::compression::Compression;
use crate::format::json_array::JsonArray;
use crate::format::lines::{Line, LineReader};
use crate::format::open::open;
use crate::format::{Buffered, Position};

/// The JSON values of a file, each of them whole. Lines may be empty; an array may begin with blank lines.
pub(crate) struct JsonValues {
    name: String,
    watched: Watched,
    compression: Compression,
    reader: Reader,
    /// The longest value, in bytes.
    most: usize,
    is_over: bool,
    values: u64,
    value: Vec<u8>,
}

enum Reader {
    Lines(LineReader<Buffered>),
    Array(Box<JsonArray<Buffered>>),
}

impl JsonValues {
    /// Opens a file whose fingerprint was `expected` when it was checked.
    pub(crate) fn open(source: &Source, expected: Fingerprint, most: usize) -> Result<Self, InputError> {
        Self::begin(source, expected, most).map_err(|error| error.of(source.to_string(), 0))
    }

    fn begin(source: &Source, expected: Fingerprint, most: usize) -> Result<Self, InputError> {
        let (reader, watched) = source.open(Some(expected))?;
        let mut opened = open(reader)?;
        let compression = opened.compression;
        let start = opened.text.peek_until(detect::SNIFF_BYTES, detect::is_enough);
        let start = start.map_err(|failure| InputErrorKind::read(compression, failure))?;
        let format = if start.trim_ascii_start().starts_with(b"[") { Format::Json } else { Format::Ndjson };
        if let Some(found) = lookalike(start, format, true) {
            return Err(InputErrorKind::NotKeys(found).into());
        }
        let bytes = opened.text.into_buffered();
        let reader = match format {
            Format::Json => Reader::Array(Box::new(JsonArray::new(bytes))),
            _ => Reader::Lines(LineReader::new(bytes, most)),
        };
        let name = source.to_string();
        Ok(Self { name, watched, compression, reader, most, is_over: false, values: 0, value: Vec::new() })
    }

    pub(crate) fn format(&self) -> Format {
        match self.reader {
            Reader::Lines(_) => Format::Ndjson,
            Reader::Array(_) => Format::Json,
        }
    }

    /// The next value; `None` at the end.
    pub(crate) fn next_value(&mut self) -> Result<Option<&[u8]>, InputError> {
        if self.is_over {
            return Ok(None);
        }
        self.value.clear();
        let read = match &mut self.reader {
            Reader::Lines(lines) => next_line(lines, &mut self.value),
            Reader::Array(array) => next_element(array, self.most, &mut self.value),
        };
        // It may look broken because it is being written.
        let read = if self.watched.has_changed() { Err(InputErrorKind::Changed.into()) } else { read };
        self.is_over = !matches!(read, Ok(true));
        self.values += u64::from(!self.is_over);
        match read {
            Ok(true) => Ok(Some(&self.value)),
            Ok(false) => Ok(None),
            Err(at) => Err(at.with_compression(self.compression).of(self.name.clone(), self.values)),
        }
    }
}

fn next_line(lines: &mut LineReader<Buffered>, value: &mut Vec<u8>) -> Result<bool, InputError> {
    loop {
        let position = Position::line(lines.number() + 1);
        let at = |kind| InputError::at(position, kind);
        match lines.next().map_err(|failure| at(InputErrorKind::Read(failure)))? {
            None => return Ok(false),
            Some(Line::TooLong) => {
                return Err(at(InputErrorKind::Json("the line is longer than any record".to_owned())));
            }
            Some(Line::Text { bytes, is_terminated }) => {
                let bytes = bytes.trim_ascii();
                if bytes.is_empty() {
                    continue;
                }
                syntax(bytes).map_err(|what| {
                    let cut_off = "the last record is cut off".to_owned();
                    let what = if is_terminated { format!("this line is not a JSON value: {what}") } else { cut_off };
                    at(InputErrorKind::Json(what))
                })?;
                value.extend_from_slice(bytes);
                return Ok(true);
            }
        }
    }
}

fn next_element(array: &mut JsonArray<Buffered>, most: usize, value: &mut Vec<u8>) -> Result<bool, InputError> {
    let is_there = array.next_element()?.is_some();
    if is_there {
        array.copy_value(most, "an element is longer than any record", value)?;
    }
    Ok(is_there)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(content: &[u8]) -> (Vec<String>, Option<InputError>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.json");
        fs::write(&path, content).unwrap();
        let source = Source::File(path);
        let mut values = match JsonValues::open(&source, source.fingerprint().unwrap(), 100) {
            Ok(values) => values,
            Err(error) => return (Vec::new(), Some(error)),
        };
        let mut read = Vec::new();
        loop {
            match values.next_value() {
                Ok(Some(value)) => read.push(String::from_utf8_lossy(value).into_owned()),
                Ok(None) => return (read, None),
                Err(error) => {
                    assert_eq!(error.records(), read.len() as u64);
                    assert!(values.next_value().unwrap().is_none());
                    return (read, Some(error));
                }
            }
        }
    }

    #[test]
    fn lines_and_arrays_hold_the_same_values() {
        let values = [r#"{"a":"]},\"\\"}"#, "1", r#"["x",[2]]"#];
        for content in [
            values.join("\n"),
            values.join("\r\n\n") + "\n",
            format!("\u{feff}{}\n", values.join("\n")),
            format!("[{}]", values.join(",")),
            format!("\n [\n  {}\n]\n\n", values.join(" ,\n  ")),
            format!("\u{feff}[{}]", values.join(",")),
        ] {
            let (read, error) = read(content.as_bytes());
            assert!(error.is_none(), "{content}: {error:?}");
            assert_eq!(read, values, "{content}");
        }
        for empty in ["", "\n", "\u{feff}", "[]", " [ ]\n"] {
            let (read, error) = read(empty.as_bytes());
            assert!(read.is_empty() && error.is_none(), "{empty:?}: {read:?} {error:?}");
        }
    }

    #[test]
    fn what_breaks_off_is_an_error_after_the_values_before() {
        let long = format!("1\n{}\n", "2".repeat(200));
        for (content, before, why) in [
            ("1\n{\"a\"", 1, "the last record is cut off"),
            ("1\n{\"a\"\n2\n", 1, "line 2 (after record 1): this line is not a JSON value: it is cut off (column 4)"),
            ("nope\n2\n", 0, "line 1: this line is not a JSON value"),
            ("1\n2 3\n", 1, "not a JSON value: trailing characters"),
            ("[1, 2", 2, "ends before the array"),
            ("[1, 2,", 2, "ends before the array"),
            ("[1, \"2", 1, "ends before the array"),
            ("[1, 2,]", 2, "the JSON is broken"),
            ("[1,, 2]", 1, "the JSON is broken"),
            ("[1, }, 2]", 1, "the JSON is broken"),
            ("[,]", 0, "the JSON is broken"),
            ("[1] x", 1, "something follows"),
            (&long, 1, "longer than any record"),
        ] {
            let (read, error) = read(content.as_bytes());
            let error = error.expect(content);
            assert_eq!(read.len(), before, "{content}: {error}");
            assert!(error.to_string().contains(why) && !error.is_usage(), "{content}: {error}");
        }
        let (_, error) = read(b"<html>\n");
        assert!(error.unwrap().is_usage());
    }

    #[test]
    fn a_file_that_changes_is_an_error_before_the_next_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.ndjson");
        fs::write(&path, "1\n2\n").unwrap();
        let source = Source::File(path.clone());
        let print = source.fingerprint().unwrap();
        let mut values = JsonValues::open(&source, print, 100).unwrap();
        assert_eq!(values.next_value().unwrap(), Some(b"1".as_slice()));
        fs::write(&path, "1\n3\n4\n").unwrap();
        assert!(matches!(values.next_value().unwrap_err().kind(), InputErrorKind::Changed));
        assert!(matches!(JsonValues::open(&source, print, 100).err().unwrap().kind(), InputErrorKind::Changed));
    }
}
