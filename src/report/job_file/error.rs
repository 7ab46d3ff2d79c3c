//! Why a job file cannot be used, and how to proceed.

use std::path::PathBuf;

use thiserror::Error;

use crate::files::FileError;

use super::identity::{Difference, Kind};

/// Why a job file cannot be used.
#[derive(Debug, Error)]
pub enum JobFileError {
    /// There is a report without one.
    #[error(
        "{report} has no job file ({report}.job.json), so it is unknown whether it belongs to this job\nhint: put the \
         job file back beside it, or start a new report with another --report"
    )]
    Missing { report: PathBuf },
    /// It is torn, or not a job file at all.
    #[error(
        "{path} is not a job file that can be read ({why})\nhint: restore it from a copy, or start a new report with another --report"
    )]
    Damaged {
        /// The job file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A later version of kvsweep wrote it.
    #[error(
        "{path} has schema {schema}, and this version of kvsweep reads schema 1\nhint: use the version that wrote it, or newer"
    )]
    Newer {
        /// The job file.
        path: PathBuf,
        schema: u64,
    },
    /// A symbolic link, a folder, a device.
    #[error(
        "{path} is not a regular file, and the job file is not read or written through links\nhint: remove it, or name another --report"
    )]
    NotRegular {
        /// What should be the job file.
        path: PathBuf,
    },
    /// Something of that name is not ours to replace.
    #[error("{path} exists and is not a job file of kvsweep\nhint: remove it, or name another --report")]
    NotOurs {
        /// Where the job file would be.
        path: PathBuf,
    },
    /// The report is that of another job.
    #[error("{report} is the report of another job: its {} is {}, and this job's is {}\nhint: pass the same as before, or start a new report with another --report", .difference.what, .difference.then, .difference.now)]
    OtherJob {
        report: PathBuf,
        /// How the two jobs differ.
        difference: Box<Difference>,
    },
    /// A report of this kind is never resumed.
    #[error("{report} is the report of a {}, which cannot be resumed; this job is a {now}\nhint: start a new report with another --report", .then.in_words(), now = .now.in_words())]
    NotResumable {
        report: PathBuf,
        /// What it is a report of.
        then: Kind,
        /// What was asked for.
        now: Kind,
    },
    /// A plan of another namespace.
    #[error("{plan} was planned for another namespace: its {} is {}, and this job's is {}\nhint: make a new plan with --dry-run", .difference.what, .difference.then, .difference.now)]
    OtherPlan {
        plan: PathBuf,
        /// How the two differ.
        difference: Box<Difference>,
    },
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl JobFileError {
    /// Whether the request was wrong, rather than the machine.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::File(_))
    }
}

/// Why text is not a job file.
pub(super) enum Unreadable {
    Damaged(String),
    Newer(u64),
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged(error.to_string())
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
