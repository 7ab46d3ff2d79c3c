//! Lines out of bytes, none of them kept beyond a limit.

use std::io::{self, BufRead, Read};
use std::mem;

use memchr::memchr;

/// Splits at `\n` and `\r\n`. A last line without an end counts; its `\r`, if any, is part of it.
pub(crate) struct LineReader<R> {
    reader: R,
    /// The longest line that is kept, in bytes without its end.
    limit: usize,
    /// The line that was read last, or the beginning of one that is too long.
    line: Vec<u8>,
    /// Whether that line is too long and has not ended.
    in_long_line: bool,
    number: u64,
    position: u64,
}

pub(crate) enum Line<'a> {
    Text {
        bytes: &'a [u8],
        /// Whether it ends in a line feed: a last line without one may have been cut off.
        is_terminated: bool,
    },
    /// Longer than the limit. [`LineReader::long_line`] gives its bytes; the next line comes after it in any case.
    TooLong,
}

impl<R: BufRead> LineReader<R> {
    pub(crate) fn new(reader: R, limit: usize) -> Self {
        Self { reader, limit, line: Vec::new(), in_long_line: false, number: 0, position: 0 }
    }

    /// The number of the line that was read last, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Where that line ends, in bytes, its end included.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The next line; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.skip_long_line()?;
        self.line.clear();
        self.number += 1;
        // Two more for its end.
        let most = self.limit as u64 + 2;
        self.position += self.reader.by_ref().take(most).read_until(b'\n', &mut self.line)? as u64;
        if self.line.is_empty() {
            return Ok(None);
        }
        let is_terminated = self.line.pop_if(|last| *last == b'\n').is_some();
        let bytes = if is_terminated { self.line.strip_suffix(b"\r").unwrap_or(&self.line) } else { &self.line };
        if bytes.len() > self.limit {
            self.in_long_line = !is_terminated;
            return Ok(Some(Line::TooLong));
        }
        Ok(Some(Line::Text { bytes, is_terminated }))
    }

    /// All of a line that is [too long](Line::TooLong), without its `\n`. It need not be read to the end.
    pub(crate) fn long_line(&mut self) -> impl Read {
        let start = mem::take(&mut self.line);
        io::Cursor::new(start).chain(RestOfLine(self))
    }

    /// Goes to the end of a line that is too long. Whether it ends in a line feed.
    pub(crate) fn skip_long_line(&mut self) -> io::Result<bool> {
        if self.in_long_line {
            io::copy(&mut RestOfLine(self), &mut io::sink())?;
            return Ok(!mem::take(&mut self.in_long_line));
        }
        Ok(true)
    }

    fn consume(&mut self, bytes: usize) {
        self.reader.consume(bytes);
        self.position += bytes as u64;
    }
}

/// What is still to come of a line that is too long, without its `\n`. The end of the input leaves the line open.
struct RestOfLine<'a, R>(&'a mut LineReader<R>);

impl<R: BufRead> Read for RestOfLine<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if !self.0.in_long_line {
            return Ok(0);
        }
        let chunk = self.0.reader.fill_buf()?;
        let end = memchr(b'\n', chunk);
        let taken = end.unwrap_or(chunk.len()).min(out.len());
        out[..taken].copy_from_slice(&chunk[..taken]);
        let is_over = end == Some(taken);
        self.0.in_long_line = !is_over;
        self.0.consume(taken + usize::from(is_over));
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    const LIMIT: usize = 64 * 1024;

    #[test]
    fn a_line_of_any_length_is_skipped_in_constant_memory() {
        let long = io::repeat(b'x').take(40_000_000).chain(b"\nnext\r\nlast\r".as_slice());
        let mut lines = LineReader::new(BufReader::with_capacity(8192, long), LIMIT);
        assert!(matches!(lines.next().unwrap(), Some(Line::TooLong)));
        assert!(lines.line.capacity() <= 4 * LIMIT, "{}", lines.line.capacity());
        assert!(matches!(lines.next().unwrap(), Some(Line::Text { bytes: b"next", is_terminated: true })));
        assert_eq!((lines.number(), lines.position()), (2, 40_000_007));
        assert!(matches!(lines.next().unwrap(), Some(Line::Text { bytes: b"last\r", is_terminated: false })));
        assert!(lines.next().unwrap().is_none());
    }

    #[test]
    fn the_limit_does_not_count_the_line_end() {
        for capacity in [1000, 1 << 20] {
            for end in ["\n", "\r\n", ""] {
                for (length, fits) in [(LIMIT, true), (LIMIT + 1, false)] {
                    let input = format!("{}{end}", "x".repeat(length));
                    let mut lines = LineReader::new(BufReader::with_capacity(capacity, input.as_bytes()), LIMIT);
                    let line = lines.next().unwrap().unwrap();
                    assert_eq!(matches!(line, Line::Text { .. }), fits, "{capacity} {end:?} {length}");
                    if !fits {
                        let mut whole = String::new();
                        lines.long_line().read_to_string(&mut whole).unwrap();
                        assert_eq!(whole, input.trim_end_matches('\n'));
                        assert_eq!(lines.skip_long_line().unwrap(), !end.is_empty());
                    }
                    assert!(lines.next().unwrap().is_none());
                    assert_eq!(lines.position(), input.len() as u64);
                }
            }
        }
    }
}
