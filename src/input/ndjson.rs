//! One JSON value a line; empty lines are nothing, and a broken line is one bad record.

use super::element::{Value, judge};
use super::entry::{Entry, legible};
use super::error::{Break, Position, Problem};
use super::line::{Line, LineReader};
use super::open::Bytes;

pub(super) struct Ndjson {
    lines: LineReader,
}

impl Ndjson {
    pub(super) fn new(reader: Bytes) -> Self {
        Self { lines: LineReader::new(reader) }
    }

    pub(super) fn next(&mut self) -> Result<Option<Entry>, Break> {
        loop {
            let position = Position::line(self.lines.number() + 1);
            let line = self.lines.next().map_err(|error| Break::at(position, Problem::Read(error)))?;
            let text = match line {
                None => return Ok(None),
                Some(Line::TooLong) => {
                    return Ok(Some(Entry::flawed(position, String::new(), "the line is longer than 64 KiB")));
                }
                Some(Line::Text(text)) if text.trim_ascii().is_empty() => continue,
                Some(Line::Text(text)) => text,
            };
            let whole = || legible(text);
            let entry = match serde_json::from_slice::<Value<'_>>(text) {
                Ok(value) => judge(position, value, whole)?,
                Err(error) => Some(Entry::flawed(position, whole(), explain(&error))),
            };
            if entry.is_some() {
                return Ok(entry);
            }
        }
    }
}

/// The parser's words with the column alone: it counts lines from this one.
fn explain(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match message.strip_suffix(&place) {
        Some(what) => format!("not a JSON value: {what} (column {})", error.column()),
        None => format!("not a JSON value: {message}"),
    }
}
