//! A backup's file, from opening until its writer takes it.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::files::{FileError, IfExists, OutputFile};
use crate::format::compression::Compression;

#[derive(Debug, Error)]
pub enum BackupError {
    #[error("{path}: the name of a backup has to end in .ndjson or .jsonl, followed by .gz or .zst to compress it")]
    Extension { path: PathBuf },
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{path} cannot be continued: {why}; nothing in it was changed\nhint: pass --backup another file")]
    Damaged { path: PathBuf, why: String },
    #[error("the backup's writer ended unexpectedly; what it confirmed as written is intact")]
    WriterDied,
}

impl BackupError {
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Extension { .. } | Self::Damaged { .. } => true,
            Self::File(error) => error.is_usage(),
            Self::WriterDied => false,
        }
    }
}

/// How records begin, in a file that is not compressed.
const BEGINNING: &[u8] = b"{\"key\":";

const STEP: u64 = 64 << 10;

/// A backup that is opened and locked. What it holds stays untouched until [`start`](super::start); dropped before
/// that, a file that was made for it is removed.
#[derive(Debug)]
pub(crate) struct BackupFile {
    pub(super) output: OutputFile,
    pub(super) compression: Compression,
    /// Where its last whole group ends, in bytes.
    pub(super) keep: u64,
}

impl BackupFile {
    /// Opens `path`, or makes it with mode 0600, and locks it. What an earlier run left is checked if it is
    /// resumed.
    pub(crate) fn open(path: PathBuf, if_exists: IfExists) -> Result<Self, BackupError> {
        let compression = compression_of(&path)?;
        let mut output = OutputFile::open(path, if_exists)?;
        output.write_lock_owner();
        let keep = match if_exists {
            IfExists::Resume => whole(output.file(), output.path(), compression)?,
            IfExists::Refuse | IfExists::Overwrite => 0,
        };
        Ok(Self { output, compression, keep })
    }
}

/// How a backup of this name is compressed.
pub(crate) fn compression_of(path: &Path) -> Result<Compression, BackupError> {
    let (compression, name) = Compression::of_name(path);
    match name.rsplit_once('.') {
        Some((_, "ndjson" | "jsonl")) => Ok(compression),
        _ => Err(BackupError::Extension { path: path.to_owned() }),
    }
}

/// Where the last whole group ends. No key of what follows was deleted.
fn whole(file: &File, path: &Path, compression: Compression) -> Result<u64, BackupError> {
    let damaged = |why: &str| BackupError::Damaged { path: path.to_owned(), why: why.to_owned() };
    let mut reader = BufReader::with_capacity(256 << 10, file);
    let read = FileError::io(path, "read");
    let start = match reader.rewind().and_then(|()| reader.fill_buf()) {
        Ok(start) => start,
        Err(error) => return Err(read(error).into()),
    };
    let is_ours = match compression {
        Compression::None => start.starts_with(BEGINNING) || BEGINNING.starts_with(start),
        Compression::Gzip | Compression::Zstd => {
            Compression::of_content(start).is_none_or(|found| found == compression)
        }
    };
    if !is_ours {
        return Err(damaged("it does not begin as a backup with such a name does"));
    }
    let end = match compression {
        Compression::None => last_line(file),
        Compression::Gzip | Compression::Zstd => last_group(&mut reader, compression),
    };
    end.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => damaged(&error.to_string()),
        _ => read(error).into(),
    })
}

fn last_line(mut file: &File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut chunk = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(STEP);
        file.seek(SeekFrom::Start(start))?;
        chunk.clear();
        file.take(end - start).read_to_end(&mut chunk)?;
        if let Some(at) = memchr::memrchr(b'\n', &chunk) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn last_group(reader: &mut BufReader<&File>, compression: Compression) -> io::Result<u64> {
    let mut end = 0;
    while !reader.fill_buf()?.is_empty() {
        match compression.skip_group(reader) {
            Ok(()) => end = reader.stream_position()?,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_how_it_is_compressed() {
        for (name, compression) in [
            ("b.ndjson", Compression::None),
            ("a.b/B.JSONL", Compression::None),
            ("b.ndjson.gz", Compression::Gzip),
            ("b.x.jsonl.ZST", Compression::Zstd),
            ("b.ndjson.zstd", Compression::Zstd),
        ] {
            assert_eq!(compression_of(Path::new(name)).unwrap(), compression, "{name}");
        }
        for name in ["b", "b.json", "b.csv", "ndjson", "b.ndjson.xz", "b.gz", "", "/"] {
            let error = compression_of(Path::new(name)).unwrap_err();
            assert!(error.is_usage() && error.to_string().contains(".ndjson"), "{name}");
        }
    }
}
