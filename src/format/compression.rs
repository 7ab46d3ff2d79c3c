//! Compression: recognised by content or by name, decoded and written, the same for inputs and backups.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

use super::{Bytes, READ_BYTES};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compression {
    #[default]
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
    /// As the first bytes show it; `None` while more are needed to tell.
    pub(crate) fn of_content(start: &[u8]) -> Option<Self> {
        const GZIP: [u8; 2] = [0x1f, 0x8b];
        const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
        if start.starts_with(&GZIP) {
            return Some(Self::Gzip);
        }
        // Its second byte is in no text, so a file that ends within the four is not a short text but a frame that is cut off.
        let is_cut_off = start.len() > 1 && ZSTD.starts_with(start);
        if start.starts_with(&ZSTD) || is_cut_off || is_skippable_frame(start) {
            return Some(Self::Zstd);
        }
        let undecided = GZIP.starts_with(start)
            || ZSTD.starts_with(start)
            || matches!(start, [0x50..=0x5f] | [0x50..=0x5f, 0x2a] | [0x50..=0x5f, 0x2a, 0x4d]);
        if undecided { None } else { Some(Self::None) }
    }

    /// As the extension of a file's name says, in any case, with the name before it.
    pub(crate) fn of_name(path: &Path) -> (Self, String) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let known = [(".gz", Self::Gzip), (".zst", Self::Zstd), (".zstd", Self::Zstd)];
        let found =
            known.into_iter().find_map(|(extension, found)| Some((found, name.strip_suffix(extension)?.to_owned())));
        found.unwrap_or((Self::None, name))
    }

    /// Decompresses `reader`. Data that ends early is an error of the last read.
    pub(crate) fn decoder(self, reader: Bytes) -> io::Result<Bytes> {
        Ok(match self {
            Self::None => reader,
            Self::Gzip => buffered(Gzip { member: Some(GzDecoder::new(reader)) }),
            Self::Zstd => buffered(zstd::stream::read::Decoder::with_buffer(reader)?),
        })
    }

    /// Compresses what `write` writes into `out` as one group: a gzip member or a zstd frame.
    pub(crate) fn write_group<W: Write>(
        self,
        mut out: W,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        match self {
            Self::None => write(&mut out)?,
            Self::Gzip => {
                let mut encoder = GzEncoder::new(&mut out, flate2::Compression::default());
                write(&mut encoder)?;
                encoder.finish()?;
            }
            Self::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(&mut out, 0)?;
                encoder.include_checksum(true)?;
                write(&mut encoder)?;
                encoder.finish()?;
            }
        }
        out.flush()
    }

    /// Decompresses one gzip member or zstd frame and drops what it holds; `reader` then stands after it.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if it is cut off.
    pub(crate) fn skip_group(self, reader: &mut impl BufRead) -> io::Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Gzip => io::copy(&mut GzDecoder::new(reader), &mut io::sink()).map(drop),
            Self::Zstd => {
                let mut frame = zstd::stream::read::Decoder::with_buffer(reader)?.single_frame();
                io::copy(&mut frame, &mut io::sink()).map(drop)
            }
        }
    }
}

/// A zstd stream may begin with one of these (pzstd writes it).
fn is_skippable_frame(start: &[u8]) -> bool {
    matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

fn buffered(decoder: impl Read + Send + 'static) -> Bytes {
    Box::new(BufReader::with_capacity(READ_BYTES, decoder))
}

/// Decompresses every member. Zeros between and after them are padding, as they are to gzip(1); flate2's own reader of
/// several members takes them for a broken one.
struct Gzip<R> {
    /// The member that is being read; `None` after the last.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = member.read(buf)?;
            if read > 0 || buf.is_empty() {
                return Ok(read);
            }
            let has_more = skip_zeros(member.get_mut())?;
            self.member = self.member.take().filter(|_| has_more).map(|ended| GzDecoder::new(ended.into_inner()));
        }
        Ok(0)
    }
}

/// Whether anything follows them.
fn skip_zeros(compressed: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let chunk = compressed.fill_buf()?;
        let zeros = chunk.iter().take_while(|&&byte| byte == 0).count();
        if zeros < chunk.len() || chunk.is_empty() {
            let has_more = !chunk.is_empty();
            compressed.consume(zeros);
            return Ok(has_more);
        }
        compressed.consume(zeros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magic_bytes_are_recognised_as_early_as_they_can_be() {
        let table: [(&[u8], Option<Compression>); 10] = [
            (b"k", Some(Compression::None)),
            (b"\x1f", None),
            (b"\x1f\x8b", Some(Compression::Gzip)),
            (b"\x1fk", Some(Compression::None)),
            (b"\x28", None),
            (b"\x28\xb5", Some(Compression::Zstd)),
            (b"\x28\xb5\x2f\xfd", Some(Compression::Zstd)),
            (b"P", None),
            (b"Pa", Some(Compression::None)),
            (b"\x50\x2a\x4d\x18", Some(Compression::Zstd)),
        ];
        for (start, expected) in table {
            assert_eq!(Compression::of_content(start), expected, "{start:?}");
        }
    }
}
