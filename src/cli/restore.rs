//! `kvsweep restore`.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueHint};

use super::connection::ConnectionArgs;
use super::monitoring::MonitoringArgs;
use super::output::OutputArgs;
use super::pace::{InFlightArgs, RequestArgs};
use super::value::report_parser;
use crate::report::Target;

const AFTER_HELP: &str = "\
Examples:
  kvsweep restore backup.ndjson --dry-run
  kvsweep restore backup.ndjson.zst --report restored.csv --resume";

/// The flags of `kvsweep restore`.
#[derive(Debug, Clone, PartialEq, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(after_help = AFTER_HELP)]
pub struct RestoreArgs {
    /// Restore these backups of kvsweep delete --backup, in order
    ///
    /// NDJSON, or a JSON array as wrangler kv bulk put takes it; gzip and zstd are detected by content. If a key has
    /// several records, the last one counts. Each file is read twice, so it must be a regular file, not stdin or a
    /// pipe.
    #[arg(value_name = "FILE", required = true, help_heading = "Input", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,

    /// Check and count the backups; send nothing
    ///
    /// Needs no credentials, and does not check which keys exist. With --report it writes restorable instead of
    /// planned, so that delete never takes it for keys to delete.
    #[arg(long, env = "KVSWEEP_DRY_RUN", value_parser = BoolishValueParser::new())]
    #[arg(help_heading = "Safety", conflicts_with = "resume")]
    pub dry_run: bool,

    /// Do not ask for confirmation
    ///
    /// By default kvsweep asks on the terminal; if there is none, nothing is sent and the exit code is 2.
    #[arg(long, short, help_heading = "Safety")]
    pub yes: bool,

    /// Overwrite keys that exist
    ///
    /// By default kvsweep checks first which keys exist, and reports them as kept.
    #[arg(long, help_heading = "Safety")]
    pub overwrite_values: bool,

    /// Restore the records before the error in a truncated or malformed backup
    ///
    /// By default a truncated archive or broken JSON means that nothing is sent. The exit code is 1 either way.
    #[arg(long, env = "KVSWEEP_ALLOW_PARTIAL", value_parser = BoolishValueParser::new(), help_heading = "Safety")]
    pub allow_partial: bool,

    /// Write a row for every record to PATH (- for stdout, or none)
    ///
    /// The columns are those of delete's report, with restored instead of deleted. The format follows the extension:
    /// .csv, .ndjson or .jsonl; stdout gets CSV. By default a dry run writes no report.
    ///
    /// [default: kvsweep-restore-YYYYMMDDTHHMMSSZ.csv]
    #[arg(long, value_name = "PATH", env = "KVSWEEP_REPORT", value_parser = report_parser())]
    #[arg(value_hint = ValueHint::FilePath, help_heading = "Report")]
    pub report: Option<Target>,

    /// Resume the restore whose report is at --report PATH
    ///
    /// Sends only records without a restored, kept, invalid or duplicate row. An existing key is read and compared
    /// with two requests: if it equals the backup, the earlier run has probably written it, and it is restored. If
    /// there is no file at PATH, the restore starts from scratch.
    #[arg(long, conflicts_with = "overwrite", help_heading = "Report")]
    pub resume: bool,

    /// Replace an existing --report file
    ///
    /// By default an existing file is never touched: nothing is sent and the exit code is 2.
    #[arg(long, help_heading = "Report")]
    pub overwrite: bool,

    /// Print the summary as one JSON object on stdout
    ///
    /// Its members are those of delete's summary; docs/schema/summary.schema.json describes them.
    #[arg(long, help_heading = "Report")]
    pub json: bool,

    #[command(flatten, next_help_heading = "Pace")]
    pub requests: RequestArgs,

    #[command(flatten, next_help_heading = "Pace")]
    pub in_flight: InFlightArgs,

    #[command(flatten, next_help_heading = "Schedule")]
    pub monitoring: MonitoringArgs,

    #[command(flatten, next_help_heading = "Connection")]
    pub connection: ConnectionArgs,

    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
}
