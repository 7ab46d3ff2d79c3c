//! `kvsweep report`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::output::{LogArgs, offline};

const AFTER_HELP: &str = "\
Examples:
  kvsweep report sweep.csv                       summarise a job
  kvsweep report shard-*.csv --html sweep.html   merge shards into one HTML page
  kvsweep report sweep.csv --diff reviewed.csv   compare a job with its dry run";

const EXIT_CODES: &str = "\
Exit codes:
  0    the reports were read, whatever they contain
  1    a file cannot be read or written
  2    usage error: not a report, not a plan, or the output exists
  3    --diff: the job differs from the plan";

/// The flags of `kvsweep report`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = AFTER_HELP, after_long_help = format!("{AFTER_HELP}\n\n{EXIT_CODES}"), mut_arg("verbose", offline))]
pub struct ReviewArgs {
    /// Read these reports of kvsweep delete or restore (CSV or NDJSON)
    ///
    /// The last row of a record counts. Several reports are read as parts of one job, such as shards and later runs:
    /// if two have the same record, the later row counts. If they have different keys for a record, they belong to
    /// different inputs, and their counts are added up. All have to be of the same kind, account and namespace.
    #[arg(value_name = "REPORT", required = true, value_hint = ValueHint::FilePath)]
    pub reports: Vec<PathBuf>,

    /// Compare the reports with PLAN, the report of a dry run
    ///
    /// Counts and shows keys that were planned but not deleted, and keys that were sent without having been planned;
    /// if there are any, the exit code is 3.
    #[arg(long, value_name = "PLAN", conflicts_with_all = ["html", "failures"], value_hint = ValueHint::FilePath)]
    pub diff: Option<PathBuf>,

    /// Write an HTML page to FILE
    ///
    /// The page is self-contained: it loads nothing. It contains keys, so its mode is 0600.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,

    /// Write failed keys to PATH, for another run of delete
    ///
    /// Contains failed and unknown keys of all reports. The format follows the extension: .csv, .ndjson or .jsonl.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub failures: Option<PathBuf>,

    /// Replace existing --html and --failures files
    #[arg(long)]
    pub overwrite: bool,

    /// Print one JSON object instead of text
    ///
    /// Counts, causes, attempts, times, a timeline and pauses; with --diff, the differences.
    #[arg(long)]
    pub json: bool,

    /// Print Markdown instead of text, for a step summary of GitHub Actions
    ///
    /// Tables of counts and causes. Keys and messages are escaped.
    #[arg(long, conflicts_with_all = ["json", "diff"])]
    pub markdown: bool,

    #[command(flatten)]
    pub log: LogArgs,
}
