//! Why a report cannot be opened, read or written.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::files::FileError;

#[derive(Debug, Error)]
pub enum ReportError {
    #[error(
        "the report cannot be written to stdout, which is closed\nhint: the program that reads it has ended; write to a file with --report PATH"
    )]
    StdoutClosed,
    #[error(transparent)]
    File(#[from] FileError),
    #[error(
        "{path}, line {line}: {why}; the report cannot be resumed, and nothing in it was changed\nhint: start a new report with another --report"
    )]
    Damaged { path: PathBuf, line: u64, why: String },
    #[error(
        "{path}, line {line}: {why}\nhint: pass a report that kvsweep delete wrote, as CSV or NDJSON, not compressed"
    )]
    NoReport { path: PathBuf, line: u64, why: String },
    #[error(
        "{path} does not end in .csv, .ndjson or .jsonl, so its format is unknown\nhint: name the report .csv, .ndjson or .jsonl"
    )]
    Extension { path: PathBuf },
    #[error("the report's writer ended unexpectedly; what it wrote before is intact\nhint: pass --resume to continue")]
    WriterDied,
}

impl ReportError {
    /// Whether the file at `lost` is there no more.
    pub(crate) fn is_loss_of(&self, lost: &Path) -> bool {
        matches!(self, Self::File(FileError::Replaced { path }) if path == lost)
    }

    /// Whether the request was wrong, rather than the machine; a report that is [locked](FileError::Locked) is neither.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::File(error) => error.is_usage(),
            Self::Damaged { .. } | Self::NoReport { .. } | Self::Extension { .. } => true,
            Self::StdoutClosed | Self::WriterDied => false,
        }
    }

    pub(super) fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| FileError::io(path, doing)(source).into()
    }
}
