//! Where outcomes go.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::value::report_parser;
use crate::report::{Sync, Target};

/// Where outcomes go.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct ReportArgs {
    /// Write a row for every record to PATH (- is stdout, none writes none)
    ///
    /// The format goes by the extension: .csv, .ndjson or .jsonl; stdout gets CSV. Without it a job that deletes
    /// writes one to the current folder, and a dry run writes none.
    ///
    /// [default: kvsweep-report-YYYYMMDDTHHMMSSZ.csv]
    #[arg(long, value_name = "PATH", env = "KVSWEEP_REPORT", value_parser = report_parser())]
    #[arg(value_hint = ValueHint::FilePath)]
    pub report: Option<Target>,

    /// Resume the job whose report is at --report PATH
    ///
    /// Only records without a deleted, absent, kept, invalid or duplicate row are sent; new rows are appended.
    /// The inputs have to be the same. Without a file at PATH the job starts from scratch.
    #[arg(long, conflicts_with = "overwrite")]
    pub resume: bool,

    /// Replace existing --report and --failures files
    ///
    /// Without it an existing file is never touched: nothing is sent and the exit code is 2.
    #[arg(long)]
    pub overwrite: bool,

    /// Write the keys that failed to PATH, ready to be an INPUT
    ///
    /// Failed and unknown keys. The format goes by the extension: .csv, .ndjson or .jsonl.
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

    /// When the report is forced out to the disk
    ///
    /// What was not forced out may be lost in a power cut, and its keys are sent again by --resume. Rows leave
    /// this process every second in any case.
    #[arg(long, value_enum, default_value_t, env = "KVSWEEP_SYNC", value_name = "WHEN", hide_short_help = true)]
    pub sync: Sync,
}
