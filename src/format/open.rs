//! From bytes to text: decompressed, without a byte order mark, and open for a look at its beginning.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use super::compression::Compression;
use super::{Buffered, Bytes, READ_BYTES};

pub(crate) struct Opened {
    pub(crate) text: Peeker,
    pub(crate) compression: Compression,
}

pub(crate) struct OpenError {
    pub(crate) compression: Compression,
    pub(crate) error: io::Error,
}

/// Decompresses `reader` if its content is compressed, and takes a byte order mark off.
pub(crate) fn open(reader: Bytes) -> Result<Opened, OpenError> {
    let failed = |compression| move |error| OpenError { compression, error };
    let mut raw = Peeker::new(reader);
    let start = raw.peek_until(4, |start| Compression::of_content(start).is_some());
    let start = start.map_err(failed(Compression::None))?;
    let compression = Compression::of_content(start).unwrap_or_default();
    let mut text = Peeker::new(compression.decoder(raw.into_reader()).map_err(failed(compression))?);
    let start = text.peek_until(3, |start| !UTF8_MARK.starts_with(start)).map_err(failed(compression))?;
    if start.starts_with(UTF8_MARK) {
        text.seen.drain(..UTF8_MARK.len());
    }
    Ok(Opened { text, compression })
}

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// A reader whose first bytes can be seen before they are taken. Waits for no more of them than are asked for, so
/// that a slow pipe is not held up.
pub(crate) struct Peeker {
    seen: Vec<u8>,
    /// What came instead of more bytes: the error of the read after those that were seen.
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
    pub(crate) fn peek_until(&mut self, most: usize, enough: impl Fn(&[u8]) -> bool) -> io::Result<&[u8]> {
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

    pub(crate) fn into_buffered(self) -> Buffered {
        // No smaller than the buffers behind it, which are passed by then.
        BufReader::with_capacity(READ_BYTES, self.into_reader())
    }

    fn into_reader(self) -> Bytes {
        // It has nothing to buffer.
        let failure = BufReader::with_capacity(0, Failing(self.failure));
        Box::new(Cursor::new(self.seen).chain(failure).chain(self.rest))
    }
}

/// Fails once.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}
