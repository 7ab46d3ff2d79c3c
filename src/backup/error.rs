//! What can go wrong with a backup, in words that say where and what to do.

use std::path::PathBuf;

use thiserror::Error;

use crate::files::FileError;

/// Why a backup cannot be opened, written or read.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The name does not say how it is packed.
    #[error(
        "{path}: a backup's name has to end in .ndjson or .jsonl, with .gz or .zst behind it where it is to be packed"
    )]
    Extension {
        /// The path.
        path: PathBuf,
    },
    /// The file cannot be opened, locked, read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is no backup, or something in it was changed.
    #[error("{path} cannot be gone on with: {why}; nothing in it was changed: give --backup another file")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The thread that writes ended without saying why, which is a bug of this tool.
    #[error("the backup's writer ended unexpectedly; what it said to have written is intact")]
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
