//! Why a job file cannot be used, and how to proceed.

use std::path::PathBuf;

use thiserror::Error;

use crate::files::FileError;
use crate::outcome::Status;
use crate::text::json_error;

use super::identity::{Difference, Kind};

#[derive(Debug, Error)]
pub enum JobFileError {
    #[error(
        "{report} has no job file ({report}.job.json), so it is unknown whether it belongs to this job\nhint: put the \
         job file back beside it, or start a new report with another --report"
    )]
    Missing { report: PathBuf },
    #[error(
        "{path} is not a job file that can be read ({why})\nhint: restore it from a copy, or start a new report with another --report"
    )]
    Damaged { path: PathBuf, why: String },
    #[error(
        "{path} has schema {schema}, and this version of kvsweep reads schema 1\nhint: use the version that wrote it, or newer"
    )]
    Newer { path: PathBuf, schema: u64 },
    #[error(
        "{path} is not a regular file, and the job file is not read or written through links\nhint: remove it, or choose another --report"
    )]
    NotRegular { path: PathBuf },
    #[error("{path} exists and is not a job file of kvsweep\nhint: remove it, or choose another --report")]
    NotOurs { path: PathBuf },
    #[error("{report} is the report of another job: its {0} is {1}, and this job's is {2}\nhint: pass the same {0} as before, or start a new report with another --report", .difference.what, .difference.then, .difference.now)]
    OtherJob { report: PathBuf, difference: Box<Difference> },
    #[error("{report} is the report of a {}, which cannot be resumed; this job is a {now}\nhint: start a new report with another --report", .then.in_words(), now = .now.in_words())]
    NotResumable { report: PathBuf, then: Kind, now: Kind },
    #[error(
        "{report} has a row with the status {status}, which no {} writes\nhint: resume the job with the report that it wrote",
        .now.in_words()
    )]
    OtherRows { report: PathBuf, status: Status, now: Kind },
    #[error("{plan} was planned for another namespace: its {} is {}, and this job's is {}\nhint: make a new plan with --dry-run", .difference.what, .difference.then, .difference.now)]
    OtherPlan { plan: PathBuf, difference: Box<Difference> },
    #[error(transparent)]
    File(#[from] FileError),
}

impl JobFileError {
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::File(_))
    }
}

pub(super) enum Unreadable {
    Damaged(String),
    Newer(u64),
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged(json_error(&error))
    }
}

impl Unreadable {
    pub(super) fn at(self, path: PathBuf) -> JobFileError {
        match self {
            Self::Damaged(why) => JobFileError::Damaged { path, why },
            Self::Newer(schema) => JobFileError::Newer { path, schema },
        }
    }
}
