//! Why a backup cannot be opened, read or written.

use std::path::PathBuf;

use thiserror::Error;

use crate::files::FileError;

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
