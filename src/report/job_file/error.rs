//! Why a job file cannot be used, and how to proceed.

use std::path::PathBuf;

use thiserror::Error;

use crate::files::FileError;
use crate::outcome::Status;

use super::identity::{Difference, Kind};

#[derive(Debug, Error)]
pub enum JobFileError {
    #[error(
        "{report} has no job file ({report}.job.json), so it is unknown whether it belongs to this job\nhint: put the \
         job file back beside it, or start a new report with another --report"
    )]
    Missing { report: PathBuf },
    #[error("{path} is not a job file that can be read ({why})\nhint: {}", .role.if_damaged())]
    Damaged { path: PathBuf, why: String, role: Role },
    #[error(
        "{path} has schema {schema}, and this version of kvsweep reads schema 1\nhint: use the version that wrote it, or newer"
    )]
    Newer { path: PathBuf, schema: u64 },
    #[error(
        "{path} is not a regular file, and the job file is not read or written through links\nhint: remove it, or {}",
        .role.instead()
    )]
    NotRegular { path: PathBuf, role: Role },
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
    #[error(
        "{report}: this is the report of a job that ran (a {}, by its job file), not of a dry run\nhint: to resume that job, \
         pass its inputs with --report and --resume\nhint: to retry what failed, pass its --failures file\nhint: if this is \
         another file by now, remove {report}.job.json", .kind.in_words()
    )]
    Ran { report: PathBuf, kind: Kind },
    #[error(
        "{report}: this is the report of kvsweep restore (a {}, by its job file), whose keys are to be kept\nhint: pass a list \
         of keys, or the report of kvsweep delete --dry-run\nhint: if this is another file by now, remove {report}.job.json",
        .kind.in_words()
    )]
    OfRestore { report: PathBuf, kind: Kind },
    #[error(transparent)]
    File(#[from] FileError),
}

/// What a job file is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The report of the job itself.
    Report,
    /// An input.
    Input,
    /// A report that is summarised.
    Summarised,
}

impl Role {
    fn if_damaged(self) -> &'static str {
        match self {
            Self::Report => "restore it from a copy, or start a new report with another --report",
            Self::Input => {
                "restore it from a copy, or make a new plan with --dry-run\nhint: without it, the namespace of a plan cannot be \
                 checked, which is a warning"
            }
            Self::Summarised => "restore it from a copy",
        }
    }

    fn instead(self) -> &'static str {
        match self {
            Self::Report => "choose another --report",
            Self::Input | Self::Summarised => "replace it with the file itself",
        }
    }
}

impl JobFileError {
    /// A report that is an input, but not of a dry run.
    pub(crate) fn no_plan(report: PathBuf, kind: Kind) -> Self {
        match kind {
            Kind::Restore | Kind::RestoreDryRun => Self::OfRestore { report, kind },
            Kind::Delete | Kind::DryRun | Kind::Rehearsal => Self::Ran { report, kind },
        }
    }

    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::File(_))
    }
}
