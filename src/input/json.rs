//! One JSON array, or the one in the `result` of an API response, streamed: neither the document nor a string of it is
//! ever held whole.

use std::borrow::Cow;
use std::io::{self, Read};

use struson::reader::{
    JsonReader, JsonReaderPosition, JsonStreamReader, JsonSyntaxError, ReaderError, ReaderSettings, SyntaxErrorKind,
    ValueType,
};

use super::dry_run_report::{Field, ReportRows};
use super::error::{InputErrorAt, InputErrorKind, Position};
use super::json_value::{Members, Text, Value, key_of_value};
use super::open::Buffered;
use super::parsed_key::{MAX_TEXT, ParsedKey};

/// Arrays and objects inside each other. Only what is skipped can be deep, at a byte a level.
const MAX_DEPTH: u32 = 4096;

pub(super) struct Json {
    reader: JsonStreamReader<Source>,
    stage: Stage,
    report: ReportRows,
}

enum Stage {
    Before,
    Inside(Document),
    After,
}

/// Where the array is.
#[derive(Clone, Copy)]
enum Document {
    Array,
    Response,
}

impl Json {
    pub(super) fn new(bytes: Buffered, report: ReportRows) -> Self {
        let settings = ReaderSettings {
            track_path: false,
            max_nesting_depth: Some(MAX_DEPTH),
            // So that what follows the array can be looked for without giving the reader away.
            allow_multiple_top_level: true,
            ..ReaderSettings::default()
        };
        let source = Source { bytes, failure: None, allowance: None };
        Self { reader: JsonStreamReader::new_custom(source, settings), stage: Stage::Before, report }
    }

    pub(super) fn next(&mut self) -> Result<Option<ParsedKey>, InputErrorAt> {
        if let Stage::Before = self.stage {
            self.stage = Stage::After;
            match self.begin()? {
                Some(document) => self.stage = Stage::Inside(document),
                None => return Ok(None),
            }
        }
        while let Stage::Inside(document) = self.stage {
            if !self.call(JsonReader::has_next)? {
                self.stage = Stage::After;
                self.end(document)?;
                break;
            }
            let position = self.position();
            let value = self.value()?;
            if let Some(entry) = key_of_value(position, value, &mut self.report, String::new)? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Into the array; `None` if the document is empty.
    fn begin(&mut self) -> Result<Option<Document>, InputErrorAt> {
        let kind = match self.reader.peek() {
            Err(ReaderError::SyntaxError(error)) if error.kind == SyntaxErrorKind::IncompleteDocument => {
                return Ok(None);
            }
            other => other.map_err(|error| self.explain(error))?,
        };
        let found = match kind {
            ValueType::Array => {
                self.call(JsonReader::begin_array)?;
                return Ok(Some(Document::Array));
            }
            ValueType::Object => return self.begin_response().map(Some),
            ValueType::String => "a string",
            ValueType::Number => "a number",
            ValueType::Boolean | ValueType::Null => "a literal",
        };
        Err(InputErrorAt::at(self.position(), InputErrorKind::NotAnArray(found)))
    }

    /// Into the `result` of an object.
    fn begin_response(&mut self) -> Result<Document, InputErrorAt> {
        let position = self.position();
        self.call(JsonReader::begin_object)?;
        while self.call(JsonReader::has_next)? {
            if self.is_result()? {
                return match self.call(JsonReader::peek)? {
                    ValueType::Array => self.call(JsonReader::begin_array).map(|()| Document::Response),
                    _ => Err(InputErrorAt::at(
                        position,
                        InputErrorKind::NotAnArray("an object whose `result` is no array"),
                    )),
                };
            }
            self.call(JsonReader::skip_value)?;
        }
        Err(InputErrorAt::at(position, InputErrorKind::NotAnArray("an object without a `result`")))
    }

    /// Whether the next member is the `result`.
    fn is_result(&mut self) -> Result<bool, InputErrorAt> {
        self.name(|name| name == "result")
    }

    /// The name of the next member, of which no more than a limit is held.
    fn name<T>(&mut self, of: impl FnOnce(&str) -> T) -> Result<T, InputErrorAt> {
        self.reader.reader_mut().allowance = Some(MAX_TEXT);
        let name = self.call(|reader| reader.next_name().map(of))?;
        self.reader.reader_mut().allowance = None;
        Ok(name)
    }

    fn end(&mut self, document: Document) -> Result<(), InputErrorAt> {
        self.call(JsonReader::end_array)?;
        if let Document::Response = document {
            while self.call(JsonReader::has_next)? {
                if self.is_result()? {
                    return Err(self.broken("the member `result` is there twice".to_owned()));
                }
                self.call(JsonReader::skip_value)?;
            }
            self.call(JsonReader::end_object)?;
        }
        let position = self.position();
        match self.reader.has_next() {
            Ok(false) => Ok(()),
            Err(ReaderError::SyntaxError(_)) | Ok(true) => {
                let what = match document {
                    Document::Array => "something follows the end of the JSON array",
                    Document::Response => "something follows the end of the JSON document",
                };
                Err(InputErrorAt::at(position, InputErrorKind::Json(what.to_owned())))
            }
            Err(error) => Err(self.explain(error)),
        }
    }

    fn value(&mut self) -> Result<Value<'static>, InputErrorAt> {
        if self.call(JsonReader::peek)? != ValueType::Object {
            return Ok(Value::Plain(self.text()?));
        }
        self.call(JsonReader::begin_object)?;
        let mut members = Members::default();
        while self.call(JsonReader::has_next)? {
            let field = self.name(|name| Field::of(name.as_bytes()))?;
            let text = if Members::reads(field) {
                self.text()?
            } else {
                self.call(JsonReader::skip_value)?;
                Text::Other
            };
            members.put(field, text);
        }
        self.call(JsonReader::end_object)?;
        Ok(Value::Object(members))
    }

    fn text(&mut self) -> Result<Text<'static>, InputErrorAt> {
        if self.call(JsonReader::peek)? != ValueType::String {
            self.call(JsonReader::skip_value)?;
            return Ok(Text::Other);
        }
        let mut text = Vec::new();
        let mut length = 0;
        let mut chunk = [0; 1024];
        let read = self.reader.next_string_reader().map(|mut string| {
            loop {
                match string.read(&mut chunk) {
                    Ok(0) => return Ok(()),
                    Ok(some) => {
                        length += some;
                        if length <= MAX_TEXT {
                            text.extend_from_slice(&chunk[..some]);
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
        });
        match read {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(self.explain_string(&error)),
            Err(error) => return Err(self.explain(error)),
        }
        Ok(match String::from_utf8(text) {
            _ if length > MAX_TEXT => Text::TooLong,
            Ok(text) => Text::Exact(Cow::Owned(text)),
            // Cannot be: the string reader gives UTF-8 or an error.
            Err(_) => Text::Other,
        })
    }

    /// Calls the JSON reader and translates its error.
    fn call<T>(
        &mut self,
        ask: impl FnOnce(&mut JsonStreamReader<Source>) -> Result<T, ReaderError>,
    ) -> Result<T, InputErrorAt> {
        ask(&mut self.reader).map_err(|error| self.explain(error))
    }

    fn position(&self) -> Position {
        place(&self.reader.current_position(false)).unwrap_or(Position::line(1))
    }

    fn explain(&mut self, error: ReaderError) -> InputErrorAt {
        if let Some(failure) = self.reader.reader_mut().failure.take() {
            return InputErrorAt::at(self.position(), InputErrorKind::Read(failure));
        }
        match error {
            ReaderError::SyntaxError(error) => self.explain_syntax(&error),
            // The reader's own finding (not UTF-8), or the allowance that is used up.
            ReaderError::IoError { error, .. } => self.broken(format!("the JSON cannot be read: {error}")),
            ReaderError::MaxNestingDepthExceeded { .. } => {
                self.broken(format!("the JSON is more than {MAX_DEPTH} levels deep"))
            }
            other => self.broken(format!("the JSON is broken: {other}")),
        }
    }

    /// As [`Self::explain`], for what the reader of a string says.
    fn explain_string(&mut self, error: &io::Error) -> InputErrorAt {
        if let Some(failure) = self.reader.reader_mut().failure.take() {
            return InputErrorAt::at(self.position(), InputErrorKind::Read(failure));
        }
        match error.get_ref().and_then(|inner| inner.downcast_ref::<JsonSyntaxError>()) {
            Some(error) => self.explain_syntax(error),
            None => self.broken("the JSON cannot be read: a string is not UTF-8".to_owned()),
        }
    }

    fn explain_syntax(&self, error: &JsonSyntaxError) -> InputErrorAt {
        let what = match error.kind {
            SyntaxErrorKind::IncompleteDocument => "the JSON ends before the array does".to_owned(),
            kind => format!("the JSON is broken: {}", in_words(&kind.to_string())),
        };
        let position = place(&error.location).unwrap_or_else(|| self.position());
        InputErrorAt::at(position, InputErrorKind::Json(what))
    }

    fn broken(&self, what: String) -> InputErrorAt {
        InputErrorAt::at(self.position(), InputErrorKind::Json(what))
    }
}

fn place(position: &JsonReaderPosition) -> Option<Position> {
    position.line_pos.map(|place| Position { line: place.line + 1, column: Some(place.column + 1) })
}

/// `MissingComma` as `missing comma`.
fn in_words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 8);
    for (index, c) in name.char_indices() {
        if index > 0 && c.is_ascii_uppercase() {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}

/// Keeps the system's error, which the JSON reader turns into text, and bounds what it holds whole: the name of a
/// member.
struct Source {
    bytes: Buffered,
    failure: Option<io::Error>,
    /// Bytes that may still be read, if they are counted.
    allowance: Option<usize>,
}

impl Read for Source {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.allowance == Some(0) {
            return Err(io::Error::other("the name of a member is longer than 64 KiB"));
        }
        match self.bytes.read(buf) {
            Ok(read) => {
                self.allowance = self.allowance.map(|left| left.saturating_sub(read));
                Ok(read)
            }
            Err(error) => {
                let kind = error.kind();
                self.failure = Some(error);
                Err(kind.into())
            }
        }
    }
}
