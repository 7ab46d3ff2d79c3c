//! How a job is run.

use std::time::Duration;

use tokio::time::Instant;

use crate::outcome::Status;
use crate::pipeline::batch::Batching;
use crate::pipeline::failure_limit::FailureLimit;
use crate::pipeline::retry::RetryPolicy;
use crate::pipeline::task::Stage;

/// What is done about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyAction {
    #[default]
    Delete,
    /// It is looked for, and deleted if it exists.
    CheckThenDelete,
    BackUpThenDelete,
    /// It is looked for; nothing is changed.
    Check,
    /// It is written.
    Put(OnExisting),
    /// Nothing is sent about it: it only gets its row.
    Plan,
}

/// What becomes of a key that is to be written and exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExisting {
    /// It is written without looking.
    Overwrite,
    /// It is kept.
    Keep,
    /// It is kept, and reported as restored if it holds exactly what was to be written: an earlier run wrote that.
    Compare,
}

impl KeyAction {
    pub(crate) fn first_stage(self) -> Stage {
        match self {
            Self::Delete | Self::Plan | Self::Put(OnExisting::Overwrite) => Stage::Change,
            Self::Check | Self::CheckThenDelete | Self::Put(_) => Stage::Presence,
            Self::BackUpThenDelete => Stage::Metadata,
        }
    }

    /// Whether a key is read before it may be changed.
    pub fn reads(self) -> bool {
        self.first_stage().is_read()
    }

    pub(crate) fn success(self) -> Status {
        if let Self::Put(_) = self { Status::Restored } else { Status::Deleted }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The most requests in flight, at least 1.
    pub concurrency: usize,
    /// How many keys a request names.
    pub batching: Batching,
    pub action: KeyAction,
    /// How often and how soon a key is tried again.
    pub retry: RetryPolicy,
    /// The longest time without a successful request, from the job's first request on; a longer one ends the job.
    pub max_wait: Duration,
    /// More keys end the job; those that [`Options::deleted_before`] counts are among them.
    pub max_keys: Option<u64>,
    /// More failures end the job.
    pub max_failures: Option<FailureLimit>,
    /// So many keys go alone, and unless all of them succeed, the job ends; 0 for none.
    pub canary: u64,
    /// The job ends at this moment.
    pub deadline: Option<Instant>,
    /// How long those in flight are waited for once the job ends early.
    pub grace: Duration,
    /// Rows that the report's writer has not written yet; with more, no response is looked at, and so nothing is sent.
    pub most_rows: usize,
    /// Keys that wait for a retry; with more, no new ones are taken from the input. In bulk at least four calls' worth.
    pub most_waiting: usize,
    /// How many keys earlier runs of this job deleted or found absent.
    pub deleted_before: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 32,
            batching: Batching::Single,
            action: KeyAction::Delete,
            retry: RetryPolicy::default(),
            max_wait: Duration::from_mins(15),
            max_keys: None,
            max_failures: None,
            canary: 0,
            deadline: None,
            grace: Duration::from_secs(10),
            most_rows: 1_024,
            most_waiting: 4_096,
            deleted_before: 0,
        }
    }
}
