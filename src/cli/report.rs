//! Where outcomes go.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::value::report_parser;
use crate::report::{Sync, Target};

/// Where outcomes go.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct ReportArgs {
    /// Write a row for every record to PATH (- for stdout, or none)
    ///
    /// The format follows the extension: .csv, .ndjson or .jsonl; stdout gets CSV. By default a dry run writes no
    /// report, and other jobs write one to the current folder.
    ///
    /// [default: kvsweep-report-YYYYMMDDTHHMMSSZ.csv]
    #[arg(long, value_name = "PATH", env = "KVSWEEP_REPORT", value_parser = report_parser())]
    #[arg(value_hint = ValueHint::FilePath)]
    pub report: Option<Target>,

    /// Resume the job whose report is at --report PATH
    ///
    /// Sends only records without a deleted, absent, kept, invalid or duplicate row, and appends new rows. The inputs
    /// must be the same. If there is no file at PATH, the job starts from scratch.
    #[arg(long, conflicts_with = "overwrite")]
    pub resume: bool,

    /// Replace existing output files
    ///
    /// By default existing files are never touched: nothing is sent and the exit code is 2.
    #[arg(long)]
    pub overwrite: bool,

    /// Write failed keys to PATH, for another run of delete
    ///
    /// Contains failed and unknown keys. The format follows the extension: .csv, .ndjson or .jsonl.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub failures: Option<PathBuf>,

    /// Print the summary as one JSON object on stdout
    ///
    /// Its members: `records, deleted, absent, failed, unknown, invalid, duplicate, planned, resumed, requests,
    /// retries, throttled, elapsed_s, rate_per_s, stopped, exit_code, kept, restored, restorable, not_attempted,
    /// schema_version, version, kind, account_id, namespace_id, namespace_title, started_at, report, causes`.
    /// docs/schema/summary.schema.json describes them.
    #[arg(long)]
    pub json: bool,

    /// Flush the report to disk never, once per second, or always
    ///
    /// Rows that are not on disk may be lost in a power cut; --resume then sends their keys again. Rows leave this
    /// process every second in any case.
    #[arg(long, value_enum, default_value_t, env = "KVSWEEP_SYNC", value_name = "WHEN", hide_short_help = true)]
    pub sync: Sync,
}
