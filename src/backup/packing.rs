//! How a backup is packed: by its name when it is made, by its first bytes when it is read.

use std::io::{self, BufRead, Write};
use std::path::Path;

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

use super::error::BackupError;

/// How a backup is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// Gzip, a member a group.
    Gzip,
    /// Zstandard, a frame a group.
    Zstd,
}

impl Packing {
    /// What the extension of `path` says.
    ///
    /// # Errors
    /// [`BackupError::Extension`] where it says nothing of the kind.
    pub fn of(path: &Path) -> Result<Self, BackupError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let (inner, packing) = if let Some(inner) = name.strip_suffix(".gz") {
            (inner, Self::Gzip)
        } else if let Some(inner) = name.strip_suffix(".zst") {
            (inner, Self::Zstd)
        } else {
            (&*name, Self::Plain)
        };
        match inner.rsplit_once('.') {
            Some((_, "ndjson" | "jsonl")) => Ok(packing),
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
pub(super) enum Packer<W: Write> {
    Plain(W),
    Gzip(GzEncoder<W>),
    Zstd(zstd::stream::write::Encoder<'static, W>),
}

impl<W: Write> Packer<W> {
    pub(super) fn new(packing: Packing, out: W) -> io::Result<Self> {
        Ok(match packing {
            Packing::Plain => Self::Plain(out),
            Packing::Gzip => Self::Gzip(GzEncoder::new(out, Compression::default())),
            Packing::Zstd => {
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

impl<W: Write> Write for Packer<W> {
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
pub(super) fn skip_group(packing: Packing, packed: &mut impl BufRead) -> io::Result<()> {
    match packing {
        Packing::Plain => Ok(()),
        Packing::Gzip => io::copy(&mut GzDecoder::new(packed), &mut io::sink()).map(drop),
        Packing::Zstd => {
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
        for (name, packing) in [
            ("b.ndjson", Packing::Plain),
            ("a.b/B.JSONL", Packing::Plain),
            ("b.ndjson.gz", Packing::Gzip),
            ("b.x.jsonl.ZST", Packing::Zstd),
        ] {
            assert_eq!(Packing::of(Path::new(name)).unwrap(), packing, "{name}");
        }
        for name in ["b", "b.json", "b.csv", "ndjson", "b.ndjson.xz", "b.gz", "", "/"] {
            let error = Packing::of(Path::new(name)).unwrap_err();
            assert!(error.is_usage() && error.to_string().contains(".ndjson"), "{name}");
        }
    }
}
