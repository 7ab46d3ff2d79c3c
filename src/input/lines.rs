//! One key a line, taken exactly; empty lines are nothing.

use super::error::InputErrorAt;
use super::line::LineReader;
use super::open::Buffered;
use super::parsed_key::ParsedKey;

pub(super) struct Lines {
    lines: LineReader,
}

impl Lines {
    pub(super) fn new(reader: Buffered) -> Self {
        Self { lines: LineReader::new(reader) }
    }

    pub(super) fn next(&mut self) -> Result<Option<ParsedKey>, InputErrorAt> {
        self.lines.find_key(|position, text| Ok((!text.is_empty()).then(|| ParsedKey::of_bytes(position, text))))
    }
}
