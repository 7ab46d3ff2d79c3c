//! What is to be done, decided once from the command line and the environment.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::api::{Access, BaseUrl};
use crate::files::IfExists;
use crate::input::{InputOptions, Source};
use crate::key::{AccountId, NamespaceId};
use crate::listing::{Format, Prefixes, Selection};
use crate::monitoring::PingUrl;
use crate::pipeline::{Batching, FailureLimit, KeyAction, RetryPolicy};
use crate::plan::Guards;
use crate::plan::filter::Filter;
use crate::progress::ProgressMode;
use crate::quota::Rate;
use crate::report::{Sync, Target};
use crate::shard::Shard;
use crate::stderr::LineFormat;
use crate::terminal::{Escaped, Quoted};

use super::command_line::CommandLine;

/// The options of every command that sends requests.
#[derive(Debug, Clone)]
pub struct JobOptions {
    /// The rates to keep; none for no limit.
    pub rates: Vec<Rate>,
    pub rates_from: RatesFrom,
    /// How often and how soon a request is repeated.
    pub retry: RetryPolicy,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// The longest time without a successful request.
    pub max_wait: Duration,
    /// How long the job may take, from its first request on.
    pub deadline: Option<Duration>,
    pub progress: ProgressMode,
    pub lines: LineFormat,
    /// Whether the summary is one JSON object.
    pub json: bool,
    /// Whether a job that goes well prints nothing.
    pub quiet: bool,
    pub profile: Option<ProfileNote>,
    /// How the job was started, for the command that resumes it.
    pub command_line: CommandLine,
}

/// Who chose the rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RatesFrom {
    /// A flag, the environment or the profile.
    User,
    /// Nobody: they are the defaults, and a namespace in instant mode has others.
    Default,
}

/// Which profile was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileNote {
    pub name: String,
    /// The file that holds it.
    pub file: PathBuf,
}

impl fmt::Display for ProfileNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, Escaped(&self.file.to_string_lossy()))
    }
}

/// What a job that changes a namespace has besides, and what it writes.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Whether the records before the break of an input are processed.
    pub allow_partial: bool,
    pub confirm: Confirm,
    /// Where rows go.
    pub report: Target,
    /// Where the keys that failed go.
    pub failures: Option<PathBuf>,
    /// Where keys are backed up before they are deleted.
    pub backup: Option<PathBuf>,
    /// Folders that are made with the files in them, where they are missing; those of others have to be there.
    pub folders: Vec<PathBuf>,
    /// What to do about files that exist.
    pub existing: IfExists,
    /// When the report is forced out to the disk.
    pub sync: Sync,
    /// The most requests in flight.
    pub concurrency: usize,
    /// How long those in flight are waited for once the job ends early.
    pub grace: Duration,
    pub monitoring: Monitoring,
    /// The files that flags and settings were read from.
    pub settings_files: Vec<PathBuf>,
}

/// A job, with everything that can be refused before a file is opened already refused.
#[derive(Debug)]
pub struct DeleteJob {
    pub options: JobOptions,
    pub run: RunOptions,
    pub keys: Keys,
    pub guards: Guards,
    /// For real, as a rehearsal, or only looked at.
    pub mode: Mode,
    /// Which namespace was named, also if nothing is sent there; `None` for a rehearsal.
    pub target: Option<TargetIds>,
    /// Whether keys are looked for before they are deleted.
    pub check: bool,
    /// How many keys a request names.
    pub batching: Batching,
    /// How many failures end the job.
    pub max_failures: Option<FailureLimit>,
    /// So many keys go alone before the rest.
    pub canary: Option<u64>,
}

/// Metrics and pings of a job.
#[derive(Debug, Clone, Default)]
pub struct Monitoring {
    pub metrics_file: Option<PathBuf>,
    /// What the job is called there.
    pub job_name: Option<String>,
    pub ping: Option<PingUrl>,
}

impl DeleteJob {
    /// Which part of the keys is taken, where it is not all.
    pub fn shard(&self) -> Option<Shard> {
        match &self.keys {
            Keys::Inputs(inputs) => inputs.shard,
            Keys::Namespace(wanted) => wanted.shard,
        }
    }

    /// Whether a key may be put into a URL: only bulk calls have none there.
    pub(super) fn puts_keys_into_urls(&self) -> bool {
        self.batching == Batching::Single || self.key_action().reads()
    }

    /// The namespace that keys are deleted from for real.
    pub(super) fn real(&self) -> Option<&NamedConnection> {
        match &self.mode {
            Mode::Real(connection) => Some(connection),
            Mode::DryRun | Mode::Check(_) | Mode::Rehearsal => None,
        }
    }

    /// Whether nothing is changed.
    pub(super) fn is_dry_run(&self) -> bool {
        matches!(self.mode, Mode::DryRun | Mode::Check(_))
    }

    /// What the pipeline does about each key.
    pub(super) fn pipeline_action(&self) -> KeyAction {
        if let Mode::DryRun = self.mode { KeyAction::Plan } else { self.key_action() }
    }

    /// What is done about each key. A backup looks anyway.
    pub(super) fn key_action(&self) -> KeyAction {
        match self.mode {
            Mode::Check(_) => KeyAction::Check,
            _ if self.run.backup.is_some() => KeyAction::BackUpThenDelete,
            _ if self.check => KeyAction::CheckThenDelete,
            _ => KeyAction::Delete,
        }
    }
}

/// Where the keys come from.
#[derive(Debug)]
pub enum Keys {
    Inputs(Inputs),
    Namespace(Box<KeySelection>),
}

/// Keys that are read.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// Where they come from, in order.
    pub sources: Vec<Source>,
    pub options: InputOptions,
    /// Whether a key that was named before is left out.
    pub dedupe: bool,
    /// Keys that are kept whatever the input says.
    pub filter: Filter,
    /// The part that is taken; all, where there is none.
    pub shard: Option<Shard>,
}

/// Keys that are listed.
#[derive(Debug)]
pub struct KeySelection {
    /// The namespace; here, because a dry run lists too.
    pub connection: NamedConnection,
    pub prefixes: Prefixes,
    pub selection: Selection,
    /// And which part of these; all, where there is none.
    pub shard: Option<Shard>,
}

/// What is done with the keys.
#[derive(Debug)]
pub enum Mode {
    /// They are looked at.
    DryRun,
    /// They are looked at, and so is which of them are there.
    Check(NamedConnection),
    /// They are deleted from a server inside this process.
    Rehearsal,
    /// They are deleted.
    Real(NamedConnection),
}

/// What a job is about, as far as it was named.
#[derive(Debug, Clone)]
pub struct TargetIds {
    pub base_url: BaseUrl,
    pub account: Option<AccountId>,
    pub namespace: Option<NamespaceRef>,
}

/// How a namespace was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamespaceRef {
    Id(NamespaceId),
    /// By its title, exactly; its id has to be looked up.
    Title(String),
    /// By a binding of a deployed Worker; its id has to be looked up.
    Binding {
        worker: String,
        binding: String,
    },
}

impl fmt::Display for NamespaceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "the namespace {id}"),
            Self::Title(title) => write!(f, "the namespace {}", Quoted(title)),
            Self::Binding { worker, binding } => write!(f, "the binding {} of the Worker {worker}", Quoted(binding)),
        }
    }
}

/// Who asks, and which namespace, as it was named.
#[derive(Debug, Clone)]
pub struct NamedConnection {
    pub access: Access,
    /// The only account that the credentials can access, if there is none.
    pub account: Option<AccountId>,
    pub namespace: NamespaceRef,
}

/// Who asks, and which namespace.
#[derive(Debug, Clone)]
pub struct Connection {
    pub access: Access,
    pub account: AccountId,
    /// The account's name, if it was looked up.
    pub account_name: Option<String>,
    pub namespace: NamespaceId,
}

/// Whether somebody is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirm {
    Prompt,
    /// `--yes` answered it.
    AssumeYes,
}

/// A restoration, with everything that can be refused before anything is opened already refused.
#[derive(Debug)]
pub struct RestoreJob {
    pub options: JobOptions,
    pub run: RunOptions,
    /// The backups, in order.
    pub files: Vec<PathBuf>,
    /// Which namespace was named, also if nothing is sent there.
    pub target: Option<TargetIds>,
    /// Where to; `None` for a dry run.
    pub connection: Option<NamedConnection>,
    /// Whether keys that are there are written over.
    pub overwrite_values: bool,
}

/// A listing, with everything that can be refused before anything is opened already refused.
#[derive(Debug)]
pub struct ListJob {
    pub options: JobOptions,
    pub connection: NamedConnection,
    pub prefixes: Prefixes,
    pub selection: Selection,
    pub format: Format,
    /// Where to; `None` for stdout.
    pub output: Option<PathBuf>,
    /// What to do about a file that exists.
    pub existing: IfExists,
    /// The files that flags and settings were read from.
    pub settings_files: Vec<PathBuf>,
}
