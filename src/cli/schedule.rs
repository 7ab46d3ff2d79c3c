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
    /// Delete only part K of N of the keys, such as 2/4
    ///
    /// A hash of its name assigns each key to one part, in every release, so that N machines with the same inputs
    /// delete each key once. Each part takes its share of every --rate. Records of other parts have no row; `kvsweep
    /// report PART...` combines the reports. With --prefix or --all, every part lists the whole namespace.
    ///
    /// auto/N takes K from `JOB_COMPLETION_INDEX` (Kubernetes), `AWS_BATCH_JOB_ARRAY_INDEX`, `CLOUD_RUN_TASK_INDEX`
    /// or `SLURM_ARRAY_TASK_ID`. N must be the number of tasks there.
    #[arg(long, value_name = "K/N", env = "KVSWEEP_SHARD", hide_short_help = true)]
    pub shard: Option<ShardArg>,

    #[command(flatten)]
    pub monitoring: MonitoringArgs,
}

/// Metrics and pings.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct MonitoringArgs {
    /// Write Prometheus metrics to PATH (.prom)
    ///
    /// For the textfile collector of `node_exporter`: last success, exit code, records by status, requests, duration.
    /// Written at the start, every 15 s and at the end; replaced atomically. Not for a dry run or a rehearsal.
    #[arg(long, value_name = "PATH", env = "KVSWEEP_METRICS_FILE", value_parser = metrics_file)]
    #[arg(value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub metrics_file: Option<PathBuf>,

    /// Set the label `job_name` in the metrics
    #[arg(long, value_name = "NAME", env = "KVSWEEP_JOB_NAME", value_parser = job_name, hide_short_help = true)]
    pub job_name: Option<String>,

    /// Ping URL when the job starts and ends
    ///
    /// POST to URL/start, then to URL after success or to URL/CODE with the exit code, as healthchecks.io expects.
    /// The last ping carries the numbers of the summary, and no keys. Treat the URL like a password and put it into
    /// the environment. A failed ping is only a warning. Not for a dry run or a rehearsal.
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
                let text = format!("{flag} cannot be used with {unmonitored}: it would look like a real run");
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
