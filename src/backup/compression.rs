//! How a backup is packed: by its name when it is made, by its first bytes when it is read.

use std::io::{self, BufRead, Write};
use std::path::Path;

use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

use super::error::BackupError;

/// How a backup is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// Gzip, a member a group.
    Gzip,
    /// Zstandard, a frame a group.
    Zstd,
}

impl Compression {
    /// What the extension of `path` says.
    ///
    /// # Errors
    /// [`BackupError::Extension`] where it says nothing of the kind.
    pub fn of(path: &Path) -> Result<Self, BackupError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let (inner, compression) = if let Some(inner) = name.strip_suffix(".gz") {
            (inner, Self::Gzip)
        } else if let Some(inner) = name.strip_suffix(".zst") {
            (inner, Self::Zstd)
        } else {
            (&*name, Self::Plain)
        };
        match inner.rsplit_once('.') {
            Some((_, "ndjson" | "jsonl")) => Ok(compression),
            _ => Err(BackupError::Extension { path: path.to_owned() }),
        }
    }

    /// What the first bytes of a file say.
    pub(super) fn seen(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

/// A group that is being written.
pub(super) enum Compressor<W: Write> {
    Plain(W),
    Gzip(GzEncoder<W>),
    Zstd(zstd::stream::write::Encoder<'static, W>),
}

impl<W: Write> Compressor<W> {
    pub(super) fn new(compression: Compression, out: W) -> io::Result<Self> {
        Ok(match compression {
            Compression::Plain => Self::Plain(out),
            Compression::Gzip => Self::Gzip(GzEncoder::new(out, flate2::Compression::default())),
            Compression::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(out, 0)?;
                encoder.include_checksum(true)?;
                Self::Zstd(encoder)
            }
        })
    }

    /// Ends the group.
    pub(super) fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(out) => Ok(out),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}

/// Reads one packed group to its end; the reader then stands behind it.
pub(super) fn skip_group(compression: Compression, packed: &mut impl BufRead) -> io::Result<()> {
    match compression {
        Compression::Plain => Ok(()),
        Compression::Gzip => io::copy(&mut GzDecoder::new(packed), &mut io::sink()).map(drop),
        Compression::Zstd => {
            let mut frame = zstd::stream::read::Decoder::with_buffer(packed)?.single_frame();
            io::copy(&mut frame, &mut io::sink()).map(drop)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_how_it_is_packed() {
        for (name, compression) in [
            ("b.ndjson", Compression::Plain),
            ("a.b/B.JSONL", Compression::Plain),
            ("b.ndjson.gz", Compression::Gzip),
            ("b.x.jsonl.ZST", Compression::Zstd),
        ] {
            assert_eq!(Compression::of(Path::new(name)).unwrap(), compression, "{name}");
        }
        for name in ["b", "b.json", "b.csv", "ndjson", "b.ndjson.xz", "b.gz", "", "/"] {
            let error = Compression::of(Path::new(name)).unwrap_err();
            assert!(error.is_usage() && error.to_string().contains(".ndjson"), "{name}");
        }
    }
}
