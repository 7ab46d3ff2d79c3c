//! Lines out of bytes, none of them kept beyond the limit.

use std::io::{self, BufRead, Read};

use memchr::memchr;

use super::error::{InputErrorAt, InputErrorKind, Position};
use super::lookalike::Lookalike;
use super::open::Buffered;
use super::parsed_key::{MAX_TEXT, ParsedKey};

/// Cuts at `\n` and `\r\n`. A last line without an end counts; its `\r`, if any, is part of it.
pub(super) struct LineReader {
    reader: Buffered,
    /// Bytes of the last line that are still in the reader's buffer.
    lent: usize,
    /// A line that lies across buffers.
    joined: Vec<u8>,
    number: u64,
    check: Option<Check>,
}

/// Looks at a line that is too long to be kept. It need not read to the end.
type Check = fn(&mut dyn Read) -> Result<(), InputErrorKind>;

/// What a line holds, without its end.
enum Line<'a> {
    Text(&'a [u8]),
    TooLong,
}

impl LineReader {
    pub(super) fn new(reader: Buffered) -> Self {
        Self { reader, lent: 0, joined: Vec::new(), number: 0, check: None }
    }

    /// With `check` for lines that are too long to be kept; its errors are those of the reader.
    pub(super) fn checking_long_lines(self, check: Check) -> Self {
        Self { check: Some(check), ..self }
    }

    /// The first entry that `judge` finds in the lines to come; one that is too long to be kept is a bad record.
    pub(super) fn find_key(
        &mut self,
        mut judge: impl FnMut(Position, &[u8]) -> Result<Option<ParsedKey>, InputErrorAt>,
    ) -> Result<Option<ParsedKey>, InputErrorAt> {
        loop {
            let position = Position::line(self.number + 1);
            let line = self.next().map_err(|kind| InputErrorAt::at(position, kind))?;
            let entry = match line {
                None => return Ok(None),
                Some(Line::TooLong) => {
                    Some(ParsedKey::invalid(position, String::new(), "the line is longer than 64 KiB"))
                }
                Some(Line::Text(text)) => judge(position, text)?,
            };
            if entry.is_some() {
                return Ok(entry);
            }
        }
    }

    /// The next line; `None` at the end.
    fn next(&mut self) -> Result<Option<Line<'_>>, InputErrorKind> {
        // Room for a `\r` that turns out to be part of the line's end.
        const KEPT: usize = MAX_TEXT + 1;
        self.reader.consume(std::mem::take(&mut self.lent));
        self.joined.clear();
        self.number += 1;
        let mut length = 0;
        loop {
            let chunk = self.reader.fill_buf().map_err(InputErrorKind::Read)?;
            if chunk.is_empty() {
                // Names may hold line ends, which is what NUL bytes are for.
                if length <= KEPT && self.joined.ends_with(&[0]) {
                    return Err(InputErrorKind::NotKeys(Lookalike::NulSeparated));
                }
                return (length > 0).then(|| text(&self.joined, length, self.check)).transpose();
            }
            let end = memchr(b'\n', chunk);
            if let (Some(end), 0) = (end, length) {
                self.lent = end + 1;
                let line = without_return(&self.reader.fill_buf().map_err(InputErrorKind::Read)?[..end]);
                return text(line, line.len(), self.check).map(Some);
            }
            let taken = end.unwrap_or(chunk.len());
            length += taken;
            if let (true, Some(check)) = (length > KEPT, self.check) {
                let mut rest = RestOfLine { reader: &mut self.reader, is_over: false };
                let checked = check(&mut self.joined.as_slice().chain(&mut rest));
                io::copy(&mut rest, &mut io::sink()).map_err(InputErrorKind::Read)?;
                return checked.map(|()| Some(Line::TooLong));
            }
            if length <= KEPT {
                self.joined.extend_from_slice(&chunk[..taken]);
            }
            self.reader.consume(taken + usize::from(end.is_some()));
            if end.is_some() {
                let line = without_return(&self.joined);
                let stripped = self.joined.len() - line.len();
                return text(line, length - stripped, self.check).map(Some);
            }
        }
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn text(mut kept: &[u8], length: usize, check: Option<Check>) -> Result<Line<'_>, InputErrorKind> {
    if length <= MAX_TEXT {
        return Ok(Line::Text(kept));
    }
    // Where there is a check, what is longer than this is checked while it is read.
    check.map_or(Ok(()), |check| check(&mut kept))?;
    Ok(Line::TooLong)
}

/// What is still to come of a line, without its `\n`.
struct RestOfLine<'a> {
    reader: &'a mut Buffered,
    is_over: bool,
}

impl Read for RestOfLine<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.is_over {
            return Ok(0);
        }
        let chunk = self.reader.fill_buf()?;
        let end = memchr(b'\n', chunk);
        let taken = end.unwrap_or(chunk.len()).min(out.len());
        out[..taken].copy_from_slice(&chunk[..taken]);
        self.is_over = end == Some(taken);
        self.reader.consume(taken + usize::from(self.is_over));
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, BufReader};

    use super::super::open::Bytes;
    use super::*;

    #[test]
    fn a_line_of_any_length_is_passed_over_in_constant_memory() {
        let long = io::repeat(b'x').take(40_000_000).chain(b"\nnext\r\n".as_slice());
        let mut lines = LineReader::new(BufReader::with_capacity(8192, Box::new(BufReader::new(long))));
        assert!(matches!(lines.next().unwrap(), Some(Line::TooLong)));
        assert!(lines.joined.capacity() <= 4 * MAX_TEXT, "{}", lines.joined.capacity());
        assert!(matches!(lines.next().unwrap(), Some(Line::Text(b"next"))));
        assert_eq!(lines.number, 2);
        assert!(lines.next().unwrap().is_none());
    }

    #[test]
    fn the_limit_does_not_count_the_line_end() {
        for capacity in [1000, 1 << 20] {
            for end in ["\n", "\r\n"] {
                for (length, fits) in [(MAX_TEXT, true), (MAX_TEXT + 1, false)] {
                    let input = format!("{}{end}", "x".repeat(length));
                    let reader = BufReader::with_capacity(capacity, Box::new(io::Cursor::new(input)) as Bytes);
                    let mut lines = LineReader::new(reader);
                    let line = lines.next().unwrap().unwrap();
                    assert_eq!(matches!(line, Line::Text(_)), fits, "{capacity} {end:?} {length}");
                }
            }
        }
    }
}
