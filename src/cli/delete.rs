//! `kvsweep delete`: its groups of flags, and what cannot be said together.

use clap::{ArgAction, ArgMatches, Args, ValueHint};

use super::conflict::FlagConflict;
use super::connection::ConnectionArgs;
use super::input::InputArgs;
use super::namespace::NamespaceArgs;
use super::output::OutputArgs;
use super::pace::PaceArgs;
use super::report::ReportArgs;
use super::safety::SafetyArgs;
use super::schedule::ScheduleArgs;
use super::value::source_parser;
use crate::input::{Column, Format, Source};
use crate::report::Target;

const AFTER_LONG_HELP: &str = "\
Credentials:
  CLOUDFLARE_API_TOKEN                     an API token with the permission Workers KV Storage: Edit
  CLOUDFLARE_EMAIL, CLOUDFLARE_API_KEY     a global API key, if there is no token
  No flag takes a secret: other users can read command lines, and the shell stores them.

Durations are written 30s, 5m, 1h30m. A flag overrides its environment variable, and an empty variable counts as unset. \
kvsweep --help explains the exit codes.";

/// The flags of `kvsweep delete`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_long_help = AFTER_LONG_HELP)]
#[command(disable_help_flag = true)]
pub struct DeleteArgs {
    /// Read keys from these files, or from stdin (-), in order
    ///
    /// gzip and zstd are detected by content. The report of a dry run is an input too: its planned rows. Without
    /// INPUT, keys are read from stdin unless it is a terminal.
    #[arg(value_name = "INPUT", value_hint = ValueHint::FilePath)]
    #[arg(value_parser = source_parser())]
    pub inputs: Vec<Source>,

    #[command(flatten)]
    pub input: InputArgs,

    #[command(flatten)]
    pub namespace: NamespaceArgs,

    #[command(flatten)]
    pub safety: SafetyArgs,

    #[command(flatten)]
    pub report: ReportArgs,

    #[command(flatten)]
    pub pace: PaceArgs,

    #[command(flatten)]
    pub schedule: ScheduleArgs,

    #[command(flatten)]
    pub connection: ConnectionArgs,

    #[command(flatten)]
    pub output: OutputArgs,

    /// Show the most used flags (-h) or all flags (--help)
    #[arg(long, short, action = ArgAction::Help)]
    help: Option<bool>,
}

impl DeleteArgs {
    /// Whether requests are sent: an account, a namespace and credentials are needed.
    pub(super) fn needs_connection(&self) -> bool {
        let SafetyArgs { dry_run, sandbox, check, .. } = self.safety;
        self.namespace.is_given() || (!sandbox && (check || !dry_run))
    }

    /// Finds conflicts that clap cannot see, because they depend on values.
    pub(super) fn check(&mut self, matches: &ArgMatches) -> Result<(), FlagConflict> {
        self.connection.resolve_conflicts(matches)?;
        self.check_input()?;
        self.check_namespace()?;
        self.check_report()?;
        self.check_outputs()?;
        self.check_schedule(matches)?;
        self.pace.requests.check()
    }

    fn check_input(&self) -> Result<(), FlagConflict> {
        let input = &self.input;
        if !matches!(input.format, None | Some(Format::Csv)) {
            for (flag, given) in [
                ("--column", input.column.is_some()),
                ("--no-header", input.no_header),
                ("--delimiter", input.delimiter.is_some()),
            ] {
                if given {
                    let text = format!("{flag} is for CSV and cannot be used with another --format");
                    return FlagConflict::conflict(text);
                }
            }
        }
        if input.no_header && matches!(input.column, Some(Column::Name(_))) {
            return FlagConflict::conflict(
                "--column with a name needs a header; with --no-header pass the number of the column, from 1",
            );
        }
        Ok(())
    }

    fn check_namespace(&self) -> Result<(), FlagConflict> {
        let given = &self.namespace;
        let flag = if given.all { "--all" } else { "--prefix" };
        let selects = [
            ("--expiring-before", given.expiring_before.is_some()),
            ("--without-expiration", given.without_expiration),
            ("--metadata", !given.metadata.is_empty()),
        ];
        match selects.iter().find(|(_, given)| *given) {
            Some((selecting, _)) if !given.is_given() => {
                let text = format!("{selecting} selects from the keys of a namespace: it needs --prefix or --all");
                return FlagConflict::missing(text);
            }
            _ if !given.is_given() => return Ok(()),
            _ => {}
        }
        for (refused, said, why) in [
            (
                "--resume",
                self.report.resume,
                "deleted keys are no longer listed\nhint: run it again with a new --report",
            ),
            ("--sandbox", self.safety.sandbox, "a rehearsal only knows the keys of an INPUT"),
            ("--check", self.safety.check, "only existing keys are listed"),
            (
                "--expect",
                self.safety.expect.is_some(),
                "the keys are not counted first\nhint: pass --max-keys, which stops the job",
            ),
            ("--min-keys", self.safety.min_keys.is_some() && !self.safety.dry_run, "the keys are not counted first"),
            ("--allow-partial", self.safety.allow_partial, "no input is read"),
        ] {
            if said {
                return FlagConflict::conflict(format!("{refused} cannot be used with {flag}: {why}"));
            }
        }
        Ok(())
    }

    fn check_report(&self) -> Result<(), FlagConflict> {
        let ReportArgs { report, resume, json, .. } = &self.report;
        match report {
            None if *resume => FlagConflict::missing("--resume needs --report PATH, the report of the run to resume"),
            Some(Target::Stdout) if *resume => {
                FlagConflict::conflict("--resume reads the report of the earlier run, which cannot be stdout (-)")
            }
            Some(Target::Nowhere) if *resume => {
                FlagConflict::conflict("--resume continues a report; it cannot be used with --report none")
            }
            Some(Target::Stdout) if *json => {
                FlagConflict::conflict("--json and --report - both write to stdout\nhint: write the report to a file")
            }
            _ => Ok(()),
        }
    }

    fn check_schedule(&mut self, matches: &ArgMatches) -> Result<(), FlagConflict> {
        let SafetyArgs { dry_run, sandbox, .. } = self.safety;
        let unmonitored = dry_run.then_some("--dry-run").or(sandbox.then_some("--sandbox"));
        self.schedule.monitoring.resolve_conflicts(unmonitored, matches)?;
        let SafetyArgs { expect, min_keys, .. } = &self.safety;
        for (flag, is_given) in [("--expect", expect.is_some()), ("--min-keys", min_keys.is_some())] {
            if is_given && self.schedule.shard.is_some() {
                return FlagConflict::conflict(format!(
                    "{flag} cannot be used with --shard: how many keys each shard contains is not known in advance"
                ));
            }
        }
        Ok(())
    }

    /// Outputs that would replace an input or each other. Only equal names are seen here, not equal files.
    fn check_outputs(&self) -> Result<(), FlagConflict> {
        let report = match &self.report.report {
            Some(Target::File(path)) => Some(path),
            None | Some(_) => None,
        };
        let failures = self.report.failures.as_ref();
        if report.is_some() && report == failures {
            return FlagConflict::conflict("--report and --failures cannot be the same file");
        }
        let metrics = self.schedule.monitoring.metrics_file.as_ref();
        for (flag, output) in [("--report", report), ("--failures", failures), ("--metrics-file", metrics)] {
            let is_output = |input: &Source| matches!(input, Source::File(input) if Some(input) == output);
            if self.inputs.iter().any(is_output) {
                return FlagConflict::conflict(format!("{flag} names one of the inputs, which it would replace"));
            }
        }
        Ok(())
    }
}
