//! One file a subcommand: builds the parts, joins them, says what came of it. The only place where parts meet.
//!
//! - [`DeleteJob`]: what is to be done, decided once; made by the command line, read here.
//! - `delete` and `dry_run` (`dry_run_listing` for the keys of a namespace): the ways through a job; `preflight`: the one
//!   request before the first delete; `locate`: which namespace a title means. `session`: how such single calls are made.
//! - `pages`: the keys of a namespace as records.
//! - `job_input`: inputs, filters, deduplication and the journal as one iterator of records.
//! - `executor`: each request of the pipeline, carried out. `descriptors`: how many of them fit.
//! - `job_file`: whether a report or a plan belongs to the job.
//! - `limits`: what a namespace's mode means for a job.
//! - `earlier`: which requests earlier runs of a job sent.
//! - `summary`: the summary, the next step, the exit code; `event_log`: what the log says meanwhile; `monitor`: metrics
//!   and pings say.
//! - `preview`: what a dry run shows of its plan; `estimate`: how many requests, how long.
//! - `list`: a namespace's keys, page by page. `namespaces`, `whoami`: what there is, and who asks.
//! - `restore`: what a backup holds, put back.
//! - `report`: finished reports as text, JSON or a page. `docs`: the manual and shell completions.
//! - `config`: what profiles come to. `signals`: what asks a command to end, at any moment of it.
//! - [`confirm`]: the question before a job that deletes.

use std::sync::Arc;

use indicatif::MultiProgress;

use crate::exit::ExitCode;

mod config;
pub mod confirm;
mod connect;
mod delete;
mod descriptors;
mod docs;
mod dry_run;
mod dry_run_listing;
mod earlier;
mod encoding;
mod error;
mod estimate;
mod event_log;
mod executor;
mod job;
mod job_file;
mod job_input;
mod limits;
mod list;
mod locate;
mod monitor;
mod namespaces;
mod outputs;
mod overview;
mod pages;
mod preview;
mod rehearsal;
mod report;
mod restore;
mod same_file;
mod sandbox;
mod session;
mod signals;
mod summary;
mod whoami;

pub use config::{ConfigJob, Place, Setting, Settings, Source};
pub use docs::{DocsJob, Document};
pub use error::Error;
pub use job::{
    Access, Confirm, Connection, DeleteJob, Inputs, KeySelection, Keys, ListJob, Mode, Monitoring, NamespaceRef,
    RestoreJob, TargetIds,
};
pub use namespaces::NamespacesJob;
pub use report::ReportJob;
pub use sandbox::SandboxJob;
pub use session::{JobOptions, ProfileNote, RatesFrom, interruptible};
pub use whoami::WhoamiJob;

use session::or_panicked;

/// What the command line asks for.
#[derive(Debug)]
pub enum Task {
    /// A job over keys.
    Delete(Box<DeleteJob>),
    /// A listing of a namespace.
    List(Box<ListJob>),
    /// What a backup holds, put back.
    Restore(Box<RestoreJob>),
    /// The namespaces of an account.
    Namespaces(Box<NamespacesJob>),
    /// What the credentials are.
    Whoami(Box<WhoamiJob>),
    /// What finished reports say.
    Report(Box<ReportJob>),
    /// What profiles come to, or where they are looked for.
    Config(ConfigJob),
    /// A server in memory.
    Sandbox(Box<SandboxJob>),
    /// The manual, or shell completions.
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
            job.concurrency = descriptors::fit(job.concurrency);
            match job.mode {
                Mode::DryRun => match &job.keys {
                    Keys::Inputs(inputs) => dry_run::run(&job, inputs),
                    Keys::Namespace(wanted) => dry_run_listing::run(&job, wanted, screen),
                },
                Mode::Check(_) | Mode::Rehearsal | Mode::Real(_) => delete::run(&Arc::from(job), screen),
            }
        }
        Task::List(job) => list::run(&job, screen),
        Task::Restore(job) => restore::run(&job, screen),
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
