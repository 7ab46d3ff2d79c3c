//! One key a line, taken exactly; empty lines are nothing.

use super::entry::Entry;
use super::error::{Break, Position, Problem};
use super::line::{Line, LineReader};
use super::open::Bytes;

pub(super) struct Lines {
    lines: LineReader,
}

impl Lines {
    pub(super) fn new(reader: Bytes) -> Self {
        Self { lines: LineReader::new(reader) }
    }

    pub(super) fn next(&mut self) -> Result<Option<Entry>, Break> {
        loop {
            let position = Position::line(self.lines.number() + 1);
            let line = self.lines.next().map_err(|error| Break::at(position, Problem::Read(error)))?;
            match line {
                None => return Ok(None),
                Some(Line::Text(b"")) => {}
                Some(Line::Text(text)) => return Ok(Some(Entry::of_bytes(position, text))),
                Some(Line::TooLong) => {
                    return Ok(Some(Entry::flawed(position, String::new(), "the line is longer than 64 KiB")));
                }
            }
        }
    }
}
