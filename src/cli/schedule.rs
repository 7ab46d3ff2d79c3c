//! Unattended jobs: parts of an input on several machines, metrics and pings.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{StyledStr, TypedValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, Error, ValueHint};

use super::conflict::FlagConflict;
use super::value::{ShardArg, job_name, metrics_file};
use crate::command::Monitoring;
use crate::monitoring::PingUrl;

/// For unattended jobs.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct ScheduleArgs {
    /// Delete only part K of N of the keys: 2/4 is the second of four
    ///
    /// Each key belongs to one part, by a hash of its name that never changes, so that N machines with the same inputs
    /// delete each key once. This one also takes only its share of every --rate: all together keep them. Records of
    /// other parts have no row here; `kvsweep report PART...` puts the reports together. With --prefix or --all every
    /// part lists the namespace for itself.
    ///
    /// auto/N takes K from the scheduler: `JOB_COMPLETION_INDEX` (a Kubernetes Indexed Job), `AWS_BATCH_JOB_ARRAY_INDEX`,
    /// `CLOUD_RUN_TASK_INDEX` or `SLURM_ARRAY_TASK_ID`. N must be the number of tasks there.
    #[arg(long, value_name = "K/N", env = "KVSWEEP_SHARD", hide_short_help = true)]
    pub shard: Option<ShardArg>,

    #[command(flatten)]
    pub monitoring: MonitoringArgs,
}

/// Metrics and pings.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct MonitoringArgs {
    /// Write metrics to PATH (.prom) for `node_exporter`'s textfile collector
    ///
    /// As the job begins, every 15 s, and at its end: when a run last succeeded, exit code, records by state, requests,
    /// duration. The file is replaced at once, never half written. Not for a dry run or a rehearsal.
    #[arg(long, value_name = "PATH", env = "KVSWEEP_METRICS_FILE", value_parser = metrics_file)]
    #[arg(value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub metrics_file: Option<PathBuf>,

    /// Set the label `job_name` in the metrics
    #[arg(long, value_name = "NAME", env = "KVSWEEP_JOB_NAME", value_parser = job_name, hide_short_help = true)]
    pub job_name: Option<String>,

    /// Ping URL when the job starts and when it ends
    ///
    /// As healthchecks.io and others have it: POST to URL/start, then to URL after success, or to URL/CODE with the exit
    /// code. The end comes with the summary's numbers, without keys. The URL is as good as a password: better set it
    /// in the environment. A ping that fails is a warning and changes nothing. Not for a dry run or a rehearsal.
    #[arg(long, value_name = "URL", env = "KVSWEEP_PING", value_parser = Unrepeated, value_hint = ValueHint::Url)]
    #[arg(hide_short_help = true)]
    pub ping: Option<PingUrl>,
}

impl MonitoringArgs {
    /// Finds what cannot be said together. `unmonitored` is the flag of a job without metrics and pings.
    pub(super) fn resolve_conflicts(
        &mut self,
        unmonitored: Option<&str>,
        matches: &ArgMatches,
    ) -> Result<(), FlagConflict> {
        let typed = |id| matches.value_source(id) == Some(ValueSource::CommandLine);
        if let Some(unmonitored) = unmonitored {
            let monitored = [("--metrics-file", "metrics_file"), ("--job-name", "job_name"), ("--ping", "ping")];
            if let Some((flag, _)) = monitored.into_iter().find(|(_, id)| typed(id)) {
                let text = format!("{flag} cannot be used with {unmonitored}: it would pass for a real run");
                return FlagConflict::conflict(text);
            }
            // What the environment says is about real runs.
            (self.metrics_file, self.job_name, self.ping) = (None, None, None);
        }
        if typed("job_name") && self.metrics_file.is_none() {
            return FlagConflict::conflict("--job-name is a label in the metrics: it needs --metrics-file");
        }
        Ok(())
    }
}

impl From<MonitoringArgs> for Monitoring {
    fn from(MonitoringArgs { metrics_file, job_name, ping }: MonitoringArgs) -> Self {
        Self { metrics_file, job_name, ping }
    }
}

/// Reads a [`PingUrl`] and never repeats it: clap's own errors would.
#[derive(Clone)]
struct Unrepeated;

impl TypedValueParser for Unrepeated {
    type Value = PingUrl;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<PingUrl, Error> {
        value.to_string_lossy().parse().map_err(|error| {
            let text = StyledStr::from(format!("--ping (KVSWEEP_PING): {error}\n"));
            Error::raw(ErrorKind::ValueValidation, text).with_cmd(command)
        })
    }
}
