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
            Ok(Status::Duplicate | Status::Invalid) => Self::PassedOver,
            Ok(Status::Deleted | Status::Absent | Status::Failed | Status::Unknown | Status::Restored) | Err(()) => {
                Self::Settled
            }
        }
    }
}
