//! `REPORT.job.json`: which job a report belongs to, so that it is resumed, and its plan executed, only as that job.
//!
//! - [`JobFile`]: what it holds; read, and replaced as a whole.
//! - [`Identity`]: what makes two runs the same job, and the one comparison ([`Identity::difference`]).
//! - [`Run`]: what each run did.
//! - [`JobFileError`]: why it cannot be used.

mod error;
mod identity;

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use error::{JobFileError, Role};
pub use identity::{Difference, Kind};
pub(crate) use identity::{Filters, Identity, Input, Names};

use super::rfc3339;
use crate::files::{Access, FileError, beside, open_regular, replace};
use crate::outcome::{Status, Tally};
use crate::text::json_error;

const SCHEMA: u64 = 1;

/// A longer file is not a job file.
const MAX_BYTES: u64 = 64 << 20;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct JobFile {
    schema: u64,
    version: String,
    #[serde(flatten)]
    pub identity: Identity,
    /// The other flags of the last run, by name. No secret is among them.
    pub flags: BTreeMap<String, Value>,
    pub runs: Vec<Run>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// When it began to write the report.
    #[serde(with = "rfc3339")]
    pub started_at: SystemTime,
    /// When it ended; `None` if it is still running, or was killed.
    #[serde(with = "rfc3339::option", default)]
    pub ended_at: Option<SystemTime>,
    /// How many records the job has, as far as this run counted them.
    #[serde(default)]
    pub records: Option<u64>,
    /// Records by their final status at the end of the run, earlier runs included; those that did not occur are left out.
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
    /// Requests that this run sent, and those without a row of a killed run that it resumed; until it has ended, those that it
    /// sent before its first key.
    #[serde(default)]
    pub requests: Option<u64>,
    #[serde(default)]
    pub stopped: Option<String>,
    #[serde(default)]
    pub exit_code: Option<u8>,
}

impl Run {
    pub(crate) fn starting(started_at: SystemTime) -> Self {
        let counts = BTreeMap::new();
        Self { started_at, ended_at: None, records: None, counts, requests: None, stopped: None, exit_code: None }
    }
}

pub(crate) fn counts(tally: &Tally) -> BTreeMap<String, u64> {
    let occurred = Status::ALL.into_iter().filter(|&status| tally.get(status) > 0);
    occurred.map(|status| (status.as_str().to_owned(), tally.get(status))).collect()
}

impl JobFile {
    pub(crate) fn new(identity: Identity, flags: BTreeMap<String, Value>) -> Self {
        Self { schema: SCHEMA, version: String::new(), identity, flags, runs: Vec::new() }
    }

    /// Beside the report: its name with `.job.json`.
    pub(crate) fn path(report: &Path) -> PathBuf {
        beside(report, ".job.json")
    }

    /// The job file beside `report`; `None` if there is none.
    pub(crate) fn read(report: &Path) -> Result<Option<Self>, JobFileError> {
        Self::read_as(Role::Report, report)
    }

    fn read_as(role: Role, report: &Path) -> Result<Option<Self>, JobFileError> {
        let path = Self::path(report);
        let file = match open_regular(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                return Err(JobFileError::NotRegular { path, role });
            }
            file => file.map_err(FileError::io(&path, "read"))?,
        };
        let mut text = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut text).map_err(FileError::io(&path, "read"))?;
        Self::parse(&text, &path, role).map(Some)
    }

    /// Those of a report, or plan, that is only read: the one beside it and, if it is a symbolic link, the one beside its
    /// target, which is the one that was written with it.
    pub(crate) fn read_all(report: &Path, role: Role) -> Result<Vec<Self>, JobFileError> {
        let target = report.is_symlink().then(|| report.canonicalize()).transpose();
        let target = target.map_err(FileError::io(report, "read"))?;
        let reports = std::iter::once(report).chain(target.as_deref());
        reports.filter_map(|report| Self::read_as(role, report).transpose()).collect()
    }

    fn parse(text: &[u8], path: &Path, role: Role) -> Result<Self, JobFileError> {
        let damaged = |why| JobFileError::Damaged { path: path.to_owned(), why, role };
        let no_json = |error: serde_json::Error| damaged(json_error(&error));
        let value: Value = serde_json::from_slice(text).map_err(no_json)?;
        match value.get("schema").and_then(Value::as_u64) {
            Some(SCHEMA) => {}
            Some(schema) if schema > SCHEMA => return Err(JobFileError::Newer { path: path.to_owned(), schema }),
            _ => return Err(damaged("it has no schema".to_owned())),
        }
        let file: Self = serde_json::from_value(value).map_err(no_json)?;
        file.missing().map_or(Ok(file), |member| Err(damaged(format!("it has no {member}"))))
    }

    /// What it lacks to be compared. Only a job that has sent nothing does not know its account and namespace yet.
    fn missing(&self) -> Option<&'static str> {
        let Identity { kind, base_url, account_id, namespace_id, .. } = &self.identity;
        let has_sent = self.runs.is_empty() || self.runs.iter().any(|run| run.requests != Some(0));
        let needed = [
            ("base_url", base_url, true),
            ("account_id", account_id, has_sent),
            ("namespace_id", namespace_id, has_sent),
        ];
        let missing = needed.into_iter().find(|(_, value, is_needed)| *is_needed && value.is_none());
        missing.filter(|_| kind.is_resumable()).map(|(member, ..)| member)
    }

    /// Replaces the job file beside `report`, and waits until that is on the disk.
    ///
    /// # Errors
    /// [`JobFileError::File`]; the file is then what it was.
    pub(crate) fn write(&mut self, report: &Path) -> Result<(), JobFileError> {
        env!("CARGO_PKG_VERSION").clone_into(&mut self.version);
        let path = Self::path(report);
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::from);
        let written = text.and_then(|mut text| {
            text.push(b'\n');
            replace(&path, &text, Access::Owner)
        });
        Ok(written.map_err(FileError::io(&path, "write"))?)
    }

    pub(crate) fn last_run(&self) -> Option<&Run> {
        self.runs.last()
    }
}

#[cfg(test)]
mod tests;
