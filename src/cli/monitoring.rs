//! Metrics and pings.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{StyledStr, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Args, Command, Error, ValueHint};

use super::value::{job_name, metrics_file};
use crate::command::Monitoring;
use crate::monitoring::PingUrl;

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
