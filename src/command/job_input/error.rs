//! Why a job's input cannot be read to its end.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::input::InputError;
use crate::record::RecordNumber;
use crate::shard::Shard;
use crate::terminal::{Quoted, count, pluralized};

/// Why reading stopped before the end.
#[derive(Debug, Error)]
pub enum JobInputError {
    #[error(transparent)]
    Input(#[from] InputError),
    /// A settled record of the journal has another key here.
    #[error(
        "record {record} is {}, but {} has another key for that number, so it is the report of another input\nhint: resume \
         with the inputs of that run, in the same order", Quoted(.key), report.display()
    )]
    OtherInput { record: RecordNumber, key: String, report: PathBuf },
    /// The journal has a record of another part.
    #[error(
        "record {record} ({}) is not of shard {shard}, but {} has a row for it, so it is the report of another shard\nhint: \
         pass --report with the report of this shard", Quoted(.key), report.display()
    )]
    OtherShard { record: RecordNumber, key: String, shard: Shard, report: PathBuf },
    /// The input has fewer records than an earlier run saw.
    #[error(
        "the input ends after {}, but that of {} has {} or more\nhint: resume with the whole input of that run",
        pluralized(*.read, "record"), report.display(), count(*.records)
    )]
    EndedEarly {
        read: u64,
        records: u64,
        report: PathBuf,
        /// Whether the input is files alone, which are read before anything is sent.
        is_file: bool,
    },
    /// The input has more records than an earlier run, which read it to its end, saw.
    #[error(
        "the input has more than {}, and that of {} has no more\nhint: resume with the input of that run; delete other \
         keys with a report of their own", pluralized(*.records, "record"), report.display()
    )]
    TooLong { records: u64, report: PathBuf },
    /// What the system says about a file before it is opened.
    #[error("{input}: cannot be opened: {source}")]
    Open { input: String, source: io::Error },
}

impl From<InputError> for Box<JobInputError> {
    fn from(error: InputError) -> Self {
        Self::new(error.into())
    }
}

impl JobInputError {
    /// Whether the command was wrong rather than the input broken.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Input(error) => error.is_usage(),
            Self::OtherInput { .. } | Self::OtherShard { .. } => true,
            Self::EndedEarly { is_file, .. } => *is_file,
            Self::TooLong { .. } | Self::Open { .. } => false,
        }
    }
}
