//! `kvsweep report`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::output::LogArgs;

const AFTER_HELP: &str = "\
Examples:
  kvsweep report sweep.csv                       what came of a job
  kvsweep report shard-*.csv --html sweep.html   of all its shards, as a page
  kvsweep report sweep.csv --diff reviewed.csv   whether what was reviewed is what was done";

const AFTER_LONG_HELP: &str = "\
Examples:
  kvsweep report sweep.csv                       what came of a job
  kvsweep report shard-*.csv --html sweep.html   of all its shards, as a page
  kvsweep report sweep.csv --diff reviewed.csv   whether what was reviewed is what was done

Exit codes:
  0    the reports were read, whatever is in them
  1    a file cannot be read or written
  2    wrong usage: no report, no plan, a file that exists
  3    --diff: something else was done than what was planned";

/// The flags of `kvsweep report`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = AFTER_HELP, after_long_help = AFTER_LONG_HELP)]
pub struct ReviewArgs {
    /// Reports that kvsweep delete wrote, as CSV or NDJSON
    ///
    /// Within a report the last row of a record counts. Several are read as the parts of one job, as shards and later
    /// runs are: of a record in two of them the later row counts. Where two have different keys for the same record,
    /// they are about different inputs, and are counted side by side.
    #[arg(value_name = "REPORT", required = true, value_hint = ValueHint::FilePath)]
    pub reports: Vec<PathBuf>,

    /// Compare them with PLAN, the report of a dry run
    ///
    /// Keys that were planned and are not gone, and keys that were sent without having been planned, are counted and
    /// shown; where there are any, the exit code is 3.
    #[arg(long, value_name = "PLAN", conflicts_with_all = ["html", "failures"], value_hint = ValueHint::FilePath)]
    pub diff: Option<PathBuf>,

    /// Write a page for people to FILE
    ///
    /// It needs nothing but itself: no network, no other file. It holds keys, so it is made with mode 0600.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,

    /// Write the keys that failed to PATH, ready to be an INPUT
    ///
    /// Failed and unknown keys of all reports. The format goes by the extension: .csv, .ndjson or .jsonl.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub failures: Option<PathBuf>,

    /// Replace existing --html and --failures files
    #[arg(long)]
    pub overwrite: bool,

    /// Print one JSON object instead of text
    ///
    /// With the counts, causes, attempts, times, a timeline and pauses; with --diff what differs.
    #[arg(long)]
    pub json: bool,

    /// Print Markdown instead of text, for $GITHUB_STEP_SUMMARY
    ///
    /// Tables of counts and causes. Keys and messages are escaped.
    #[arg(long, conflicts_with_all = ["json", "diff"])]
    pub markdown: bool,

    /// The log.
    #[command(flatten)]
    pub log: LogArgs,
}
