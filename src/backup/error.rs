//! What can go wrong with a backup, in words that say where and what to do.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::report::ReportError;

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
    /// The file cannot be opened, made or locked.
    #[error(transparent)]
    File(#[from] ReportError),
    /// The file is no backup, or something in it was changed.
    #[error("{path} cannot be gone on with: {why}; nothing in it was changed: give --backup another file")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system refused an operation.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done, as a verb.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
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
            Self::Io { .. } | Self::WriterDied => false,
        }
    }

    pub(super) fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), doing, source }
    }
}
