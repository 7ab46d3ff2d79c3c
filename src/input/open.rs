//! From a source's bytes to text: compression by its magic bytes, byte order marks.

use std::fmt;
use std::io::{self, BufRead, BufReader, Cursor, Read};

use super::error::{InputErrorAt, InputErrorKind};
use super::gzip::Gzip;
use super::source::READ_BYTES;

/// What a source gives.
pub(super) type Bytes = Box<dyn BufRead + Send>;

/// What a format reads from. Its buffer stands in front, so that a line costs no call into the boxes behind it.
pub(super) type Buffered = BufReader<Bytes>;

/// What a source is packed with, recognised by its first bytes whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// RFC 1952, any number of members, padded with zeros or not.
    Gzip,
    /// RFC 8878, any number of frames.
    Zstd,
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

impl Compression {
    /// `None` while more bytes are needed to tell.
    fn of(start: &[u8]) -> Option<Self> {
        const GZIP: [u8; 2] = [0x1f, 0x8b];
        const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
        if start.starts_with(&GZIP) {
            return Some(Self::Gzip);
        }
        if start.starts_with(&ZSTD) || is_skippable_frame(start) {
            return Some(Self::Zstd);
        }
        let undecided = GZIP.starts_with(start)
            || ZSTD.starts_with(start)
            || matches!(start, [0x50..=0x5f] | [0x50..=0x5f, 0x2a] | [0x50..=0x5f, 0x2a, 0x4d]);
        if undecided { None } else { Some(Self::None) }
    }

    /// What an error of the reader means.
    pub(super) fn kind(self, error: io::Error) -> InputErrorKind {
        match self {
            Self::None => InputErrorKind::Read(error),
            Self::Gzip | Self::Zstd => InputErrorKind::Decompress { compression: self, error },
        }
    }
}

/// A zstd stream may begin with one of these (pzstd writes it).
fn is_skippable_frame(start: &[u8]) -> bool {
    matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// The text of a source, looked into but not taken.
pub(super) struct Opened {
    pub(super) text: Peeker,
    pub(super) compression: Compression,
}

/// Unpacks `reader` if it is packed and takes the byte order mark off.
pub(super) fn open(reader: Bytes) -> Result<Opened, InputErrorAt> {
    let mut packed = Peeker::new(reader);
    let start = packed.peek_until(4, |start| Compression::of(start).is_some());
    let compression = Compression::of(start.map_err(InputErrorKind::Read)?).unwrap_or(Compression::None);
    let reader = packed.into_reader();
    let text: Bytes = match compression {
        Compression::None => reader,
        Compression::Gzip => buffered(Gzip::new(reader)),
        Compression::Zstd => {
            buffered(zstd::stream::read::Decoder::with_buffer(reader).map_err(|error| compression.kind(error))?)
        }
    };
    let mut text = Peeker::new(text);
    let start = text.peek_until(3, |start| !UTF8_MARK.starts_with(start)).map_err(|error| compression.kind(error))?;
    if start.starts_with(UTF8_MARK) {
        text.skip(UTF8_MARK.len());
    }
    Ok(Opened { text, compression })
}

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

fn buffered(decoder: impl Read + Send + 'static) -> Bytes {
    Box::new(BufReader::with_capacity(READ_BYTES, decoder))
}

/// A reader whose first bytes can be seen before they are taken. Waits for no more of them than are asked for, so
/// that a slow pipe is not held up.
pub(super) struct Peeker {
    seen: Vec<u8>,
    /// What came instead of more bytes; told to whoever has taken those that were seen.
    failure: Option<io::Error>,
    rest: Bytes,
}

impl Peeker {
    fn new(rest: Bytes) -> Self {
        Self { seen: Vec::new(), failure: None, rest }
    }

    /// The first bytes: as many as `enough` wants, at most about `most`, fewer if the source ends or breaks.
    ///
    /// # Errors
    /// If there is no byte before the source breaks.
    pub(super) fn peek_until(&mut self, most: usize, enough: impl Fn(&[u8]) -> bool) -> io::Result<&[u8]> {
        while self.failure.is_none() && self.seen.len() < most && !enough(&self.seen) {
            let chunk = match self.rest.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if self.seen.is_empty() => return Err(error),
                Err(error) => {
                    self.failure = Some(error);
                    break;
                }
            };
            if chunk.is_empty() {
                break;
            }
            let taken = chunk.len().min(most - self.seen.len());
            self.seen.extend_from_slice(&chunk[..taken]);
            self.rest.consume(taken);
        }
        Ok(&self.seen)
    }

    fn skip(&mut self, bytes: usize) {
        self.seen.drain(..bytes);
    }

    /// Everything from the start.
    pub(super) fn into_buffered(self) -> Buffered {
        // No smaller than the buffers behind it, which are passed by then.
        BufReader::with_capacity(READ_BYTES, self.into_reader())
    }

    fn into_reader(self) -> Bytes {
        match (self.seen, self.failure) {
            (seen, None) if seen.is_empty() => self.rest,
            (seen, None) => Box::new(Cursor::new(seen).chain(self.rest)),
            (seen, failure) => Box::new(Cursor::new(seen).chain(BufReader::new(Failing(failure)).chain(self.rest))),
        }
    }
}

/// Fails once.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magic_bytes_are_told_as_early_as_they_can_be() {
        let table: [(&[u8], Option<Compression>); 9] = [
            (b"k", Some(Compression::None)),
            (b"\x1f", None),
            (b"\x1f\x8b", Some(Compression::Gzip)),
            (b"\x1fk", Some(Compression::None)),
            (b"\x28\xb5\x2f", None),
            (b"\x28\xb5\x2f\xfd", Some(Compression::Zstd)),
            (b"P", None),
            (b"Pa", Some(Compression::None)),
            (b"\x50\x2a\x4d\x18", Some(Compression::Zstd)),
        ];
        for (start, expected) in table {
            assert_eq!(Compression::of(start), expected, "{start:?}");
        }
    }
}
