//! A dry run's report as an input: what was reviewed is what is deleted, and nothing else.
//!
//! One rule for CSV, NDJSON and JSON. A row that has a key and a status of ours belongs to a report, whatever else it
//! has. Whoever edits a plan may add and remove columns, move them and write their headings in another way; what was
//! known to be no key to delete must not become one by that.

use std::time::{Duration, SystemTime};

use super::detect::{cells, is_headed};
use super::error::InputErrorKind;
use super::source::Source;
use crate::clock::wall_now;
use crate::files::job_file;
use crate::outcome::Status;
use crate::terminal::{Escaped, duration};

/// A plan that is older is warned about.
const OLD_PLAN: Duration = Duration::from_hours(24);

/// What a heading or a member's name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Key,
    KeyName,
    Name,
    Status,
    FinishedAt,
    /// One that reports have, and lists of keys hardly.
    OfReport,
    Other,
}

impl Field {
    pub(super) fn of(name: &[u8]) -> Self {
        const NAMES: [(&str, Field); 9] = [
            ("key", Field::Key),
            ("key_name", Field::KeyName),
            ("name", Field::Name),
            ("status", Field::Status),
            ("finished_at", Field::FinishedAt),
            ("record", Field::OfReport),
            ("http_status", Field::OfReport),
            ("error_code", Field::OfReport),
            ("elapsed_ms", Field::OfReport),
        ];
        NAMES.iter().find(|(wanted, _)| is_headed(name, wanted)).map_or(Self::Other, |(_, field)| *field)
    }

    /// Whether it holds keys.
    pub(super) fn is_key(self) -> bool {
        matches!(self, Self::Key | Self::KeyName | Self::Name)
    }

    /// Whether it says that this is a report.
    fn is_of_report(self) -> bool {
        matches!(self, Self::FinishedAt | Self::OfReport)
    }
}

/// What the columns of a CSV, or the members of an object, say about a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) has_key: bool,
    pub(super) has_named_key: bool,
    pub(super) has_status: bool,
    of_report: usize,
}

impl Fields {
    pub(super) fn add(&mut self, field: Field) {
        self.has_key |= field == Field::Key;
        self.has_named_key |= field.is_key();
        self.has_status |= field == Field::Status;
        self.of_report += usize::from(field.is_of_report());
    }

    /// Whether the status of a row decides what becomes of it.
    pub(super) fn decide(self) -> bool {
        self.has_status && (self.has_named_key || self.of_report > 0)
    }

    /// Whether this is a report that lost its status: then nothing says which of its keys are to be deleted.
    pub(super) fn lost_status(self) -> bool {
        !self.has_status && (self.of_report > 1 || self.has_key && self.of_report > 0)
    }
}

/// Whether these are the headings of a report.
pub(super) fn is_header(cells: &[&[u8]]) -> bool {
    let mut fields = Fields::default();
    for cell in cells {
        fields.add(Field::of(cell));
    }
    fields.has_key && fields.has_status || fields.of_report > 1
}

/// Whether a row without a header may be one of a report: a cell besides the key is a status of ours.
pub(super) fn is_row(cells: &[&[u8]]) -> bool {
    cells.len() > 1 && cells.iter().any(|cell| is_status(cell))
}

/// Whether a line is a row of a report beyond doubt: it has a status, and its time or its number.
pub(super) fn is_certainly_row(cells: &[&[u8]]) -> bool {
    let is_number = |cell: &&[u8]| !cell.is_empty() && cell.iter().all(u8::is_ascii_digit);
    let is_time = |cell: &&[u8]| moment(&String::from_utf8_lossy(cell)).is_some();
    is_row(cells) && (cells.first().is_some_and(is_number) || cells.iter().any(is_time))
}

/// As [`is_certainly_row`], of a line in which only the delimiter is unknown.
pub(super) fn is_row_by(line: &[u8], delimiters: impl IntoIterator<Item = u8>) -> bool {
    delimiters.into_iter().any(|delimiter| is_certainly_row(&cells(line, delimiter).collect::<Vec<_>>()))
}

fn is_status(cell: &[u8]) -> bool {
    // No status is longer.
    cell.len() < 64 && parse(&String::from_utf8_lossy(cell).to_ascii_lowercase()).is_some()
}

fn parse(word: &str) -> Option<Status> {
    word.trim().parse().ok()
}

fn moment(text: &str) -> Option<SystemTime> {
    if text.len() > 40 { None } else { humantime::parse_rfc3339(text.trim()).ok() }
}

/// Whether the key of a row is to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowUse {
    Delete,
    /// The dry run showed that there is nothing to delete.
    Skip,
}

/// What the rows of one source so far say that it is.
#[derive(Debug)]
pub(super) struct ReportRows {
    /// Asked for its age if no row has a time; `None` if nothing is to be warned about.
    warn_of: Option<Source>,
    /// Whether it is known to be of a dry run.
    is_plan: bool,
    kind: Option<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Report,
    List,
}

impl ReportRows {
    /// Of `source`; its age is warned about if `warns`. It `is_plan` if its job file says so.
    pub(super) fn of(source: &Source, warns: bool, is_plan: bool) -> Self {
        Self { warn_of: warns.then(|| source.clone()), is_plan, kind: None }
    }

    /// What becomes of a row with this status; `None` if it has none, or none that decides. `finished_at` is what the row
    /// says about its time.
    pub(super) fn classify(
        &mut self,
        status: Option<&str>,
        finished_at: Option<&str>,
    ) -> Result<RowUse, InputErrorKind> {
        let Some(status) = status else { return self.plain() };
        if self.kind != Some(Kind::Report) && parse(&status.to_ascii_lowercase()).is_none() {
            return self.plain();
        }
        if self.kind == Some(Kind::List) {
            return Err(InputErrorKind::MixedReport);
        }
        if self.kind.is_none() {
            self.kind = Some(Kind::Report);
            self.warn(finished_at);
        }
        match parse(status) {
            Some(Status::Planned) => Ok(RowUse::Delete),
            // A dry run with --check says absent; a job that ran is known by its other rows.
            Some(Status::Duplicate | Status::Invalid | Status::Absent | Status::Kept) => Ok(RowUse::Skip),
            // A check failed, or what was sent: only the job file tells.
            Some(Status::Failed | Status::Unknown) if self.is_plan => Ok(RowUse::Skip),
            Some(Status::Failed | Status::Unknown) => Err(InputErrorKind::FailedRow(status.to_owned())),
            // What may be put back is least of all to be deleted.
            Some(Status::Deleted | Status::Restored | Status::Restorable) | None => {
                Err(InputErrorKind::SettledReport(status.to_owned()))
            }
        }
    }

    /// Whether a row was one of a report.
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
        if source.path().is_none_or(|path| !job_file(path).exists()) {
            tracing::warn!(
                "the plan in {} has no job file beside it, so its namespace cannot be checked",
                Escaped(&source.to_string())
            );
        }
        let made = finished_at.and_then(moment).or_else(|| source.modified());
        let age = made.and_then(|made| wall_now().duration_since(made).ok());
        if let Some(age) = age.filter(|age| *age > OLD_PLAN) {
            tracing::warn!(
                "the plan in {} was made {} ago; the namespace may have changed since\nhint: make a new one with --dry-run",
                Escaped(&source.to_string()),
                duration(age)
            );
        }
    }
}
