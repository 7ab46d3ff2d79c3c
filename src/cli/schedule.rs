//! For jobs that nobody watches: parts of an input on several machines, and who is told how it went.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{StyledStr, TypedValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, Error, ValueHint};

use super::conflict::FlagConflict;
use super::value::{ShardArg, job_name, metrics_file};
use crate::monitoring::PingUrl;

/// For jobs that nobody watches.
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

    /// Write metrics to PATH (.prom) for `node_exporter`'s textfile collector
    ///
    /// As the job begins, every 15 s, and at its end: when a run last succeeded, exit code, records by state, requests,
    /// duration. The file is replaced at once, never half written. Not for a dry run or a rehearsal.
    #[arg(long, value_name = "PATH", env = "KVSWEEP_METRICS_FILE", value_parser = metrics_file)]
    #[arg(value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub metrics_file: Option<PathBuf>,

    /// Tell this job from others in the metrics: their label `job_name`
    #[arg(long, value_name = "NAME", env = "KVSWEEP_JOB_NAME", value_parser = job_name, hide_short_help = true)]
    pub job_name: Option<String>,

    /// Tell URL that the job begins, and how it ended
    ///
    /// As healthchecks.io and others have it: POST to URL/start, then to URL after success, or to URL/CODE with the exit
    /// code. The end comes with the summary's numbers; no key is told. The URL is as good as a password: better set it
    /// in the environment. A ping that fails is a warning and changes nothing. Not for a dry run or a rehearsal.
    #[arg(long, value_name = "URL", env = "KVSWEEP_PING", value_parser = Unrepeated, value_hint = ValueHint::Url)]
    #[arg(hide_short_help = true)]
    pub ping: Option<PingUrl>,
}

impl ScheduleArgs {
    /// Finds what cannot be said together. `untold` is the flag of a job that nobody is told of.
    pub(super) fn resolve_conflicts(&mut self, untold: Option<&str>, matches: &ArgMatches) -> Result<(), FlagConflict> {
        let typed = |id| matches.value_source(id) == Some(ValueSource::CommandLine);
        if let Some(untold) = untold {
            let told = [("--metrics-file", "metrics_file"), ("--job-name", "job_name"), ("--ping", "ping")];
            if let Some((flag, _)) = told.into_iter().find(|(_, id)| typed(id)) {
                let text =
                    format!("{flag} cannot be used with {untold}: it would pass for a run that deleted something");
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
