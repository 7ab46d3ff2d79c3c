//! Why a backup cannot be opened, read or written.

use std::path::PathBuf;

use thiserror::Error;

use crate::files::FileError;

/// Why a backup cannot be opened, written or read.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The extension is not one of a backup.
    #[error("{path}: the name of a backup has to end in .ndjson or .jsonl, followed by .gz or .zst to compress it")]
    Extension { path: PathBuf },
    /// The file cannot be opened, locked, read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is no backup, or something in it was changed.
    #[error("{path} cannot be continued: {why}; nothing in it was changed\nhint: pass --backup another file")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The writer's thread panicked.
    #[error("the backup's writer ended unexpectedly; what it confirmed as written is intact")]
    WriterDied,
}

impl BackupError {
    /// Whether the request was wrong, rather than the machine.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Extension { .. } | Self::Damaged { .. } => true,
            Self::File(error) => error.is_usage(),
            Self::WriterDied => false,
        }
    }
}
