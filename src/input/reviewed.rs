//! A dry run's report as an input: what was reviewed is what is deleted.

use crate::outcome::Status;

/// The header of a report.
pub(super) const REPORT_HEADER: [&str; 9] =
    ["record", "key", "status", "http_status", "error_code", "error", "attempts", "elapsed_ms", "finished_at"];

/// What a row of a report is as an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReportRow {
    /// Its key is to be deleted.
    Planned,
    /// It was shown to be nothing to delete.
    PassedOver,
    /// It belongs to the report of a job that ran, which is no list of keys to delete.
    Settled,
}

impl ReportRow {
    pub(super) fn of_status(status: &str) -> Self {
        match status.parse() {
            Ok(Status::Planned) => Self::Planned,
            // A dry run with --check says absent; a job that ran is told by its other rows.
            Ok(Status::Duplicate | Status::Invalid | Status::Absent | Status::Kept) => Self::PassedOver,
            // What may be put back is least of all to be deleted.
            Ok(Status::Deleted | Status::Failed | Status::Unknown | Status::Restored | Status::Restorable)
            | Err(()) => Self::Settled,
        }
    }
}
