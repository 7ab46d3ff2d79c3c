//! One JSON array, or the one in the `result` of an API response, streamed: neither the document nor a string of it is
//! ever held whole.

use std::io::{self, Read};

use struson::reader::{
    JsonReader, JsonReaderPosition, JsonStreamReader, JsonSyntaxError, ReaderError, ReaderSettings, SyntaxErrorKind,
    TransferError, ValueType,
};
use struson::writer::{JsonStreamWriter, JsonWriter as _};

use super::{FormatError, FormatErrorKind, Position};

/// Arrays and objects inside each other. Only what is skipped can be deep, at a byte a level.
const MAX_DEPTH: u32 = 4096;

/// The longest name of a member, in bytes: the reader holds it whole.
const MAX_NAME: usize = 64 * 1024;

/// Reads the elements of an array one after the other: [`next_element`](JsonArray::next_element) goes to the next, and its
/// value has to be taken or skipped before the one after it.
pub(crate) struct JsonArray<R: Read> {
    reader: JsonStreamReader<Source<R>>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Before,
    InArray,
    /// In the array that is the result of an API response.
    InResult,
    After,
}

pub(crate) enum JsonString {
    Exact(String),
    /// Longer than the limit, and not kept.
    TooLong,
    NotAString,
}

impl<R: Read> JsonArray<R> {
    pub(crate) fn new(bytes: R) -> Self {
        let settings = ReaderSettings {
            track_path: false,
            max_nesting_depth: Some(MAX_DEPTH),
            // So that what follows the array can be looked for without giving the reader away.
            allow_multiple_top_level: true,
            ..ReaderSettings::default()
        };
        let source = Source { bytes, failure: None, allowance: None };
        Self { reader: JsonStreamReader::new_custom(source, settings), stage: Stage::Before }
    }

    /// Goes to the next element and says where it is; `None` at the end.
    pub(crate) fn next_element(&mut self) -> Result<Option<Position>, FormatError> {
        if self.stage == Stage::Before {
            self.stage = Stage::After;
            self.stage = self.begin()?;
        }
        if self.stage == Stage::After {
            return Ok(None);
        }
        if self.call(JsonReader::has_next)? {
            return Ok(Some(self.position()));
        }
        let is_result = self.stage == Stage::InResult;
        self.stage = Stage::After;
        self.end(is_result)?;
        Ok(None)
    }

    /// Enters the next value if it is an object; `false`, and nothing is taken, if it is not.
    pub(crate) fn begin_object(&mut self) -> Result<bool, FormatError> {
        let is_object = self.call(JsonReader::peek)? == ValueType::Object;
        if is_object {
            self.call(JsonReader::begin_object)?;
        }
        Ok(is_object)
    }

    /// Goes to the next member of an object and gives its name to `of`; `None` after the last, outside of the object.
    pub(crate) fn next_member<T>(&mut self, of: impl FnOnce(&str) -> T) -> Result<Option<T>, FormatError> {
        if !self.call(JsonReader::has_next)? {
            self.call(JsonReader::end_object)?;
            return Ok(None);
        }
        self.reader.reader_mut().allowance = Some((MAX_NAME, "the name of a member is longer than 64 KiB"));
        let name = self.call(|reader| reader.next_name().map(of))?;
        self.reader.reader_mut().allowance = None;
        Ok(Some(name))
    }

    fn begin(&mut self) -> Result<Stage, FormatError> {
        let kind = match self.reader.peek() {
            Err(ReaderError::SyntaxError(error)) if error.kind == SyntaxErrorKind::IncompleteDocument => {
                return Ok(Stage::After);
            }
            other => other.map_err(|error| self.explain(error))?,
        };
        let found = match kind {
            ValueType::Array => {
                self.call(JsonReader::begin_array)?;
                return Ok(Stage::InArray);
            }
            ValueType::Object => return self.begin_result(),
            ValueType::String => "a string",
            ValueType::Number => "a number",
            ValueType::Boolean | ValueType::Null => "a literal",
        };
        Err(FormatError { position: self.position(), kind: FormatErrorKind::NotAnArray(found) })
    }

    fn begin_result(&mut self) -> Result<Stage, FormatError> {
        let position = self.position();
        self.call(JsonReader::begin_object)?;
        while let Some(is_result) = self.next_member(|name| name == "result")? {
            if is_result {
                return match self.call(JsonReader::peek)? {
                    ValueType::Array => self.call(JsonReader::begin_array).map(|()| Stage::InResult),
                    _ => Err(FormatError {
                        position,
                        kind: FormatErrorKind::NotAnArray("an object whose `result` is no array"),
                    }),
                };
            }
            self.skip_value()?;
        }
        Err(FormatError { position, kind: FormatErrorKind::NotAnArray("an object without a `result`") })
    }

    fn end(&mut self, is_result: bool) -> Result<(), FormatError> {
        self.call(JsonReader::end_array)?;
        if is_result {
            while let Some(is_repeated) = self.next_member(|name| name == "result")? {
                if is_repeated {
                    return Err(self.broken("the member `result` appears twice".to_owned()));
                }
                self.skip_value()?;
            }
        }
        let position = self.position();
        match self.reader.has_next() {
            Ok(false) => Ok(()),
            Err(ReaderError::SyntaxError(_)) | Ok(true) => {
                let what = if is_result { "document" } else { "array" };
                let what = format!("something follows the end of the JSON {what}");
                Err(FormatError { position, kind: FormatErrorKind::Syntax(what) })
            }
            Err(error) => Err(self.explain(error)),
        }
    }

    /// The next value if it is a string of at most `limit` bytes; any other is skipped.
    pub(crate) fn string(&mut self, limit: usize) -> Result<JsonString, FormatError> {
        if self.call(JsonReader::peek)? != ValueType::String {
            self.skip_value()?;
            return Ok(JsonString::NotAString);
        }
        let read = self.reader.next_string_reader().map(|mut string| {
            let mut text = Vec::new();
            string.by_ref().take(limit as u64 + 1).read_to_end(&mut text)?;
            io::copy(&mut string, &mut io::sink())?;
            Ok(text)
        });
        let text = match read {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => return Err(self.explain_string(&error)),
            Err(error) => return Err(self.explain(error)),
        };
        if text.len() > limit {
            return Ok(JsonString::TooLong);
        }
        // It cannot fail: the string reader gives UTF-8 or an error.
        Ok(String::from_utf8(text).map_or(JsonString::NotAString, JsonString::Exact))
    }

    /// Appends the next value to `out`, written compactly, if it takes no more than about `limit` bytes; otherwise `why` is
    /// in the error.
    pub(crate) fn copy_value(&mut self, limit: usize, why: &'static str, out: &mut Vec<u8>) -> Result<(), FormatError> {
        self.reader.reader_mut().allowance = Some((limit, why));
        let mut writer = JsonStreamWriter::new(out);
        let copied = self.reader.transfer_to(&mut writer).and_then(|()| Ok(writer.finish_document().map(drop)?));
        self.reader.reader_mut().allowance = None;
        copied.map_err(|error| match error {
            TransferError::ReaderError(error) => self.explain(error),
            TransferError::WriterError(error) => self.explain_string(&error),
        })
    }

    pub(crate) fn skip_value(&mut self) -> Result<(), FormatError> {
        self.call(JsonReader::skip_value)
    }

    fn call<T>(
        &mut self,
        ask: impl FnOnce(&mut JsonStreamReader<Source<R>>) -> Result<T, ReaderError>,
    ) -> Result<T, FormatError> {
        ask(&mut self.reader).map_err(|error| self.explain(error))
    }

    fn position(&self) -> Position {
        place(&self.reader.current_position(false)).unwrap_or(Position::line(1))
    }

    fn explain(&mut self, error: ReaderError) -> FormatError {
        if let Some(failure) = self.reader.reader_mut().failure.take() {
            return FormatError { position: self.position(), kind: FormatErrorKind::Read(failure) };
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
    fn explain_string(&mut self, error: &io::Error) -> FormatError {
        if let Some(failure) = self.reader.reader_mut().failure.take() {
            return FormatError { position: self.position(), kind: FormatErrorKind::Read(failure) };
        }
        match error.get_ref().and_then(|inner| inner.downcast_ref::<JsonSyntaxError>()) {
            Some(error) => self.explain_syntax(error),
            None => self.broken("the JSON cannot be read: a string is not UTF-8".to_owned()),
        }
    }

    fn explain_syntax(&self, error: &JsonSyntaxError) -> FormatError {
        let what = match error.kind {
            SyntaxErrorKind::IncompleteDocument => "the JSON ends before the array does".to_owned(),
            kind => format!("the JSON is broken: {}", in_words(&kind.to_string())),
        };
        let position = place(&error.location).unwrap_or_else(|| self.position());
        FormatError { position, kind: FormatErrorKind::Syntax(what) }
    }

    fn broken(&self, what: String) -> FormatError {
        FormatError { position: self.position(), kind: FormatErrorKind::Syntax(what) }
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

/// Keeps the system's error, which the JSON reader turns into text, and bounds what is held whole.
struct Source<R> {
    bytes: R,
    failure: Option<io::Error>,
    /// Bytes that may still be read, and what to say once they are used up.
    allowance: Option<(usize, &'static str)>,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Some((0, why)) = self.allowance {
            return Err(io::Error::other(why));
        }
        match self.bytes.read(buf) {
            Ok(read) => {
                self.allowance = self.allowance.map(|(left, why)| (left.saturating_sub(read), why));
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
