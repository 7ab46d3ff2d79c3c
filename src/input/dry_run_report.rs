//! A dry run's report as an input: only its `planned` rows are deleted.
//!
//! One rule for CSV, NDJSON and JSON. A row that has a key and a status of ours belongs to a report, whatever else it
//! has. A user may add, remove, move and rename columns of a plan; a row that was not planned must not become a key to delete
//! by that. What has a status under another name is refused ([`StatusSearch`]).

use std::time::{Duration, SystemTime};

use super::error::InputErrorKind;
use super::options::PlanFile;
use super::report_columns::{status_of, time_of};
use super::source::Source;
use super::status_search::StatusSearch;
use crate::clock::wall_now;
use crate::outcome::Status;
use crate::terminal::{Escaped, duration};

const OLD_PLAN: Duration = Duration::from_hours(24);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowUse {
    Delete,
    /// The dry run found that there is nothing to delete.
    Skip,
}

/// Whether the rows of one source are those of a report, as far as they were read.
#[derive(Debug)]
pub(super) struct ReportRows {
    /// Its modification time counts if nothing else tells its age; `None` if no warnings are wanted.
    warn_of: Option<Source>,
    /// Whether its job file says that a dry run wrote it.
    is_plan: bool,
    /// When that says that it was made.
    made_at: Option<SystemTime>,
    kind: Option<Kind>,
    /// Finds a status that nothing names.
    pub(super) search: StatusSearch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Report,
    List,
}

impl ReportRows {
    pub(super) fn of(source: &Source, warns: bool, plans: &[PlanFile]) -> Self {
        let mut of_source = plans.iter().filter(|plan| source.path() == Some(&plan.path)).peekable();
        let is_plan = of_source.peek().is_some();
        let made_at = of_source.filter_map(|plan| plan.made_at).min();
        Self { warn_of: warns.then(|| source.clone()), is_plan, made_at, kind: None, search: StatusSearch::default() }
    }

    /// What to do with a row of this status; `None` if it has no status column that counts.
    pub(super) fn classify(
        &mut self,
        status: Option<&str>,
        finished_at: Option<&str>,
    ) -> Result<RowUse, InputErrorKind> {
        let Some(status) = status else { return self.plain() };
        if self.kind != Some(Kind::Report) && status_of(&status.to_ascii_lowercase()).is_none() {
            return self.plain();
        }
        if self.kind == Some(Kind::List) {
            return Err(InputErrorKind::MixedReport);
        }
        self.kind = Some(Kind::Report);
        match status_of(status) {
            Some(Status::Planned) => {
                self.warn(finished_at);
                Ok(RowUse::Delete)
            }
            // A dry run with --check reports absent keys; a job that ran is recognised by its other rows.
            Some(Status::Duplicate | Status::Invalid | Status::Absent | Status::Kept) => Ok(RowUse::Skip),
            // Either a check failed or a delete: only the job file can tell.
            Some(Status::Failed | Status::Unknown) if self.is_plan => Ok(RowUse::Skip),
            Some(Status::Failed | Status::Unknown) => Err(InputErrorKind::FailedRow(status.to_owned())),
            Some(Status::Deleted) => Err(InputErrorKind::SettledReport(status.to_owned())),
            Some(Status::Restored | Status::Restorable) => Err(InputErrorKind::RestoreReport(status.to_owned())),
            None => Err(InputErrorKind::UnknownStatus(status.to_owned())),
        }
    }

    pub(super) fn are_of_report(&self) -> bool {
        self.kind == Some(Kind::Report)
    }

    fn plain(&mut self) -> Result<RowUse, InputErrorKind> {
        match self.kind.replace(Kind::List) {
            Some(Kind::Report) => Err(InputErrorKind::MixedReport),
            Some(Kind::List) | None => Ok(RowUse::Delete),
        }
    }

    fn warn(&mut self, finished_at: Option<&str>) {
        let Some(source) = self.warn_of.take() else { return };
        if !self.is_plan {
            tracing::warn!(
                "the plan in {} has no job file of a dry run beside it, so its namespace cannot be checked",
                Escaped(&source.to_string())
            );
        }
        // Its rows may have been edited, and its job file replaced: the older time counts.
        let made = finished_at.and_then(time_of).into_iter().chain(self.made_at).min().or_else(|| source.modified());
        let age = made.and_then(|made| wall_now().duration_since(made).ok());
        if let Some(age) = age.filter(|age| *age > OLD_PLAN) {
            tracing::warn!(
                "the plan in {} is {} old; the namespace may have changed\nhint: make a new one with --dry-run",
                Escaped(&source.to_string()),
                duration(age)
            );
        }
    }
}
