//! Whole JSON values, one after the other, out of lines or of an array: what a backup holds, whose values are too large for
//! the readers of keys.

use std::fs::File;
use std::io::{BufRead, Read as _};
use std::sync::Arc;

use super::detect;
use super::error::{InputError, InputErrorAt, InputErrorKind, Position};
use super::lookalike::lookalike;
use super::ndjson::syntax;
use super::open::{self, Buffered, Compression};
use super::options::Format;
use super::source::{Fingerprint, Source};

/// Of a last line without an end.
const CUT_OFF: &str = "the last record is cut off";

/// The JSON values of a file, each of them whole. Lines may be empty; an array may begin with blank lines.
pub struct JsonValues {
    name: String,
    watched: (Arc<File>, Fingerprint),
    compression: Compression,
    bytes: Buffered,
    format: Format,
    stage: Stage,
    /// The longest value that is taken, in bytes.
    most: usize,
    line: u64,
    values: u64,
    value: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Before the array, or between lines.
    Before,
    /// In the array.
    Inside,
    After,
}

impl JsonValues {
    /// Opens a file that was `expected` when it was looked at.
    ///
    /// # Errors
    /// [`InputError`]: it cannot be opened, is another by now, or looks like something else.
    pub fn open(source: &Source, expected: Fingerprint, most: usize) -> Result<Self, InputError> {
        let name = source.to_string();
        let error = |at: InputErrorAt| InputError::new(name.clone(), 0, at);
        let (reader, file) = source.open().map_err(|failure| error(InputErrorKind::Open(failure).into()))?;
        let watched = (file, expected);
        if has_changed(&watched) {
            return Err(error(InputErrorKind::Changed.into()));
        }
        let mut opened = open::open(reader).map_err(error)?;
        let compression = opened.compression;
        let start = opened.text.peek_until(detect::SNIFF_BYTES, detect::is_enough);
        let start = start.map_err(|failure| error(compression.kind(failure).into()))?;
        let format = if start.trim_ascii_start().starts_with(b"[") { Format::Json } else { Format::Ndjson };
        if let Some(found) = lookalike(start, format, true) {
            return Err(error(InputErrorKind::NotKeys(found).into()));
        }
        Ok(Self {
            name: name.clone(),
            watched,
            compression,
            bytes: opened.text.into_buffered(),
            format,
            stage: Stage::Before,
            most,
            line: 1,
            values: 0,
            value: Vec::new(),
        })
    }

    /// The next value as it stands there; `None` at the end.
    ///
    /// # Errors
    /// [`InputError`]: nothing after it is read.
    pub fn next_value(&mut self) -> Result<Option<&[u8]>, InputError> {
        self.value.clear();
        let read = match (self.stage, self.format) {
            (Stage::After, _) => return Ok(None),
            (_, Format::Json) => self.element(),
            _ => self.next_line(),
        };
        // It may look broken because it is being written.
        let read = if has_changed(&self.watched) { Err(InputErrorKind::Changed.into()) } else { read };
        match read {
            Ok(true) => {
                self.values += 1;
                Ok(Some(self.value.trim_ascii()))
            }
            Ok(false) => {
                self.stage = Stage::After;
                Ok(None)
            }
            Err(at) => {
                self.stage = Stage::After;
                Err(InputError::new(self.name.clone(), self.values, at.of(self.compression)))
            }
        }
    }

    /// Reads a line that is not empty.
    fn next_line(&mut self) -> Result<bool, InputErrorAt> {
        loop {
            self.value.clear();
            let most = self.most as u64 + 1;
            let read = (&mut self.bytes).take(most).read_until(b'\n', &mut self.value);
            let read = read.map_err(|failure| self.at(InputErrorKind::Read(failure)))?;
            let is_whole = self.value.ends_with(b"\n");
            if !is_whole && read as u64 == most {
                return Err(self.at(InputErrorKind::Json("the line is longer than any record".to_owned())));
            }
            if !self.value.trim_ascii().is_empty() {
                if let Err(what) = syntax(self.value.trim_ascii()) {
                    let what =
                        if is_whole { format!("this line is not a JSON value: {what}") } else { CUT_OFF.to_owned() };
                    return Err(self.at(InputErrorKind::Json(what)));
                }
                self.line += 1;
                return Ok(true);
            }
            if read == 0 {
                return Ok(false);
            }
            self.line += 1;
        }
    }

    /// Reads an element of the array.
    fn element(&mut self) -> Result<bool, InputErrorAt> {
        if self.stage == Stage::Before {
            // The bracket is there: it made this an array.
            self.next_byte()?;
            self.stage = Stage::Inside;
        }
        let (mut depth, mut is_text, mut is_escaped) = (0_u32, false, false);
        loop {
            let byte = self.next_byte()?;
            match byte {
                None => return Err(self.at(InputErrorKind::Json("the JSON ends before the array does".to_owned()))),
                Some(byte) if is_text => {
                    is_text = is_escaped || byte != b'"';
                    is_escaped = !is_escaped && byte == b'\\';
                }
                Some(b'"') => is_text = true,
                Some(b'[' | b'{') => depth += 1,
                Some(b',') if depth == 0 => {
                    self.value.pop();
                    return self.checked(true);
                }
                Some(b']') if depth == 0 => {
                    self.value.pop();
                    return self.ended();
                }
                Some(b']' | b'}') => depth = depth.saturating_sub(1),
                Some(_) => {}
            }
            if self.value.len() > self.most {
                return Err(self.at(InputErrorKind::Json("an element is longer than any record".to_owned())));
            }
        }
    }

    /// After the bracket that closes the array.
    fn ended(&mut self) -> Result<bool, InputErrorAt> {
        let last = std::mem::take(&mut self.value);
        self.stage = Stage::After;
        while let Some(byte) = self.next_byte()? {
            if !byte.is_ascii_whitespace() {
                return Err(self.at(InputErrorKind::Json("something follows the end of the JSON array".to_owned())));
            }
            self.value.clear();
        }
        self.value = last;
        // An array may be empty, but not end in a comma.
        if self.value.trim_ascii().is_empty() && self.values == 0 { Ok(false) } else { self.checked(true) }
    }

    /// Whether what stands between two commas is a value.
    fn checked(&self, is_there: bool) -> Result<bool, InputErrorAt> {
        match syntax(self.value.trim_ascii()) {
            Ok(()) => Ok(is_there),
            Err(what) => Err(self.at(InputErrorKind::Json(format!("the JSON is broken: {what}")))),
        }
    }

    /// One more byte of the value; `None` at the end.
    fn next_byte(&mut self) -> Result<Option<u8>, InputErrorAt> {
        loop {
            let byte = match self.bytes.fill_buf() {
                Ok(chunk) => chunk.first().copied(),
                Err(failure) => return Err(self.at(InputErrorKind::Read(failure))),
            };
            let Some(byte) = byte else { return Ok(None) };
            self.bytes.consume(1);
            self.line += u64::from(byte == b'\n');
            if self.stage == Stage::Before && byte.is_ascii_whitespace() {
                continue;
            }
            if self.stage != Stage::Before {
                self.value.push(byte);
            }
            return Ok(Some(byte));
        }
    }

    fn at(&self, kind: InputErrorKind) -> InputErrorAt {
        InputErrorAt::at(Position::line(self.line), kind)
    }
}

fn has_changed((file, expected): &(Arc<File>, Fingerprint)) -> bool {
    !file.metadata().is_ok_and(|now| Fingerprint::of(&now) == *expected)
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
        let values = [r#"{"a": "]},\"\\"}"#, "1", r#"["x", [2]]"#];
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
            ("[1, 2", 1, "ends before the array"),
            ("[1, 2,", 2, "ends before the array"),
            ("[1, \"2", 1, "ends before the array"),
            ("[1, 2,]", 2, "the JSON is broken"),
            ("[1,, 2]", 1, "the JSON is broken"),
            ("[1, }, 2]", 1, "the JSON is broken"),
            ("[,]", 0, "the JSON is broken"),
            ("[1] x", 0, "something follows"),
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
