//! One file per subcommand: it builds the parts, joins them and ends with an exit code. The only place where the other
//! modules meet.
//!
//! - `job`: what is to be done, as the command line resolved it. `session`: what every command that sends requests has once.
//! - `delete`: open, scan, guard, connect, confirm, run, report. `dry_run`: what it would do with the keys of files.
//! - `list`, `restore`, `report`, `namespaces`, `whoami`, `config`, `sandbox`, `docs`: the other subcommands.
//! - `connect`, `locate`: the namespace, its client and its limits. `confirm`: the prompt. `rehearsal`: a server in memory.
//! - `job_input`: inputs, filters, deduplication and journal as batches of records. `pages`: the keys of a namespace as such.
//! - `outputs`, `same_file`, `same_job`: the files of a job, and whether they belong to it. `earlier`: its earlier runs.
//! - `engine`: a job of the pipeline, and its log. `executor`: its requests. `monitor`: metrics and pings.
//! - `summary`, `error`, `usage`, `print`: how a command ends. `command_line`, `next_steps`: the commands that go on with it.
//!   `overview`, `preview`: what a prompt and a dry run show.
//! - `signals`: SIGINT, SIGTERM and SIGHUP, from the first moment to the last.

use std::sync::Arc;

use indicatif::MultiProgress;

use crate::exit::ExitCode;

mod command_line;
mod config;
pub(crate) mod confirm;
mod connect;
mod delete;
mod docs;
mod dry_run;
mod earlier;
mod engine;
mod error;
mod executor;
mod job;
mod job_input;
mod list;
mod locate;
mod monitor;
mod namespaces;
mod next_steps;
mod outputs;
mod overview;
mod pages;
mod preview;
mod print;
mod rehearsal;
mod report;
mod restore;
mod same_file;
mod same_job;
mod sandbox;
mod session;
mod signals;
mod summary;
mod usage;
mod whoami;

pub use command_line::CommandLine;
pub use config::{ConfigJob, Place, Setting, Settings, Source};
pub use docs::{DocsJob, Document};
pub use error::Error;
pub(crate) use error::{HINT, split_hints};
pub use job::{
    Confirm, DeleteJob, Inputs, JobOptions, KeySelection, Keys, ListJob, Mode, Monitoring, NamedConnection,
    NamespaceRef, ProfileNote, RatesFrom, RestoreJob, RunOptions, TargetIds,
};
pub use monitor::Unstarted;
pub use namespaces::NamespacesJob;
pub use report::{PrintFormat, ReportJob};
pub use sandbox::SandboxJob;
pub use session::interruptible;
pub use usage::UsageError;
pub use whoami::WhoamiJob;

use session::or_panicked;

/// What the command line asks for.
#[derive(Debug)]
pub enum Task {
    Delete(Box<DeleteJob>),
    List(Box<ListJob>),
    Restore(Box<RestoreJob>),
    Namespaces(Box<NamespacesJob>),
    Whoami(Box<WhoamiJob>),
    Report(Box<ReportJob>),
    Config(ConfigJob),
    Sandbox(Box<SandboxJob>),
    Publish(DocsJob),
}

/// Does it.
///
/// # Errors
/// [`Error`], which knows its exit code. A job that ran, whatever came of it, is no error.
pub fn run(task: Task, screen: &MultiProgress) -> Result<ExitCode, Error> {
    or_panicked(|| carry_out(task, screen))
}

fn carry_out(task: Task, screen: &MultiProgress) -> Result<ExitCode, Error> {
    match task {
        Task::Delete(mut job) => {
            job.run.concurrency = session::fit_descriptors(job.run.concurrency);
            match (&job.mode, &job.keys) {
                (Mode::DryRun, Keys::Inputs(inputs)) => dry_run::run(&job, inputs),
                _ => delete::run(&Arc::from(job), screen),
            }
        }
        Task::List(job) => list::run(&job, screen),
        Task::Restore(mut job) => {
            job.run.concurrency = session::fit_descriptors(job.run.concurrency);
            restore::run(&job, screen)
        }
        Task::Namespaces(job) => namespaces::run(&job),
        Task::Whoami(job) => whoami::run(&job),
        Task::Report(reviewing) => interruptible(move || report::run(&reviewing)),
        Task::Config(job) => interruptible(move || config::run(&job)),
        Task::Sandbox(serving) => sandbox::run(*serving),
        Task::Publish(publishing) => interruptible(move || docs::run(&publishing)),
    }
}

/// From now on signals end the process in order; see [`run`] and [`interruptible`].
///
/// # Errors
/// [`Error::System`].
pub fn install_signal_handlers() -> Result<(), Error> {
    signals::install().map_err(Error::system("handle signals"))
}
