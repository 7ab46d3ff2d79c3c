//! One key a line, taken exactly; empty lines are nothing.

use super::entry::Entry;
use super::error::Break;
use super::line::LineReader;
use super::open::Buffered;

pub(super) struct Lines {
    lines: LineReader,
}

impl Lines {
    pub(super) fn new(reader: Buffered) -> Self {
        Self { lines: LineReader::new(reader) }
    }

    pub(super) fn next(&mut self) -> Result<Option<Entry>, Break> {
        self.lines.find_entry(|position, text| Ok((!text.is_empty()).then(|| Entry::of_bytes(position, text))))
    }
}
