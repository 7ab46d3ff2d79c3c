//! What is to be done, decided once from the command line and the environment.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::api::{BaseUrl, Credentials};
use crate::files::IfExists;
use crate::input::{InputOptions, Source};
use crate::key::{AccountId, NamespaceId};
use crate::listing::{Prefixes, Selection};
use crate::monitoring::PingUrl;
use crate::pipeline::{Batching, FailureLimit, KeyAction, RetryPolicy};
use crate::plan::Guards;
use crate::plan::filter::Filter;
use crate::progress::ProgressMode;
use crate::quota::Rate;
use crate::report::{Sync, Target};
use crate::shard::Shard;
use crate::stderr::LineFormat;
use crate::terminal::Escaped;

/// A job, with everything that can be refused before a file is opened already refused.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct DeleteJob {
    /// Which keys.
    pub keys: Keys,
    /// Limits that are checked before anything is sent.
    pub guards: Guards,
    /// For real, as a rehearsal, or only looked at.
    pub mode: Mode,
    /// Which namespace was named, also if nothing is sent there; `None` for a rehearsal.
    pub target: Option<TargetIds>,
    /// Whether the records before the break of an input are processed.
    pub allow_partial: bool,
    /// Whether somebody is asked before anything is deleted.
    pub confirm: Confirm,
    /// Where rows go.
    pub report: Target,
    /// Where the keys that failed go.
    pub failures: Option<PathBuf>,
    /// Where keys are backed up before they are deleted.
    pub backup: Option<PathBuf>,
    /// Folders that are made with the files in them, where they are missing; those of others have to be there.
    pub folders: Vec<PathBuf>,
    /// The profile that values came from, for people.
    pub profile: Option<ProfileNote>,
    /// Whether keys are looked for before they are deleted.
    pub check: bool,
    /// What to do about files that exist.
    pub existing: IfExists,
    /// When the report is forced out to the disk.
    pub sync: Sync,
    /// Whether the summary is one JSON object.
    pub json: bool,
    /// How much is shown of a job that goes well.
    pub quiet: bool,
    /// The rates to keep; none for no limit.
    pub rates: Vec<Rate>,
    /// Who chose the rates.
    pub rates_from: RatesFrom,
    /// The most requests in flight.
    pub concurrency: usize,
    /// How many keys a request names.
    pub batching: Batching,
    /// How often and how soon a key is tried again.
    pub retry: RetryPolicy,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// The longest time without a successful request.
    pub max_wait: Duration,
    /// How many failures end the job.
    pub max_failures: Option<FailureLimit>,
    /// So many keys go alone before the rest.
    pub canary: Option<u64>,
    /// How long the job may take.
    pub deadline: Option<Duration>,
    /// How long those in flight are waited for once the job ends early.
    pub grace: Duration,
    /// Whether progress is shown.
    pub progress: ProgressMode,
    /// In which form, where it is lines.
    pub lines: LineFormat,
    /// Who else is told of it.
    pub monitoring: Monitoring,
}

impl DeleteJob {
    /// Which part of the keys is taken, where it is not all.
    pub fn shard(&self) -> Option<Shard> {
        match &self.keys {
            Keys::Inputs(inputs) => inputs.shard,
            Keys::Namespace(wanted) => wanted.shard,
        }
    }
}

/// Who chose the rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RatesFrom {
    /// A flag, the environment or the profile.
    User,
    /// Nobody: they are the defaults, and a namespace in instant mode has others.
    Default,
}

/// Who is told of a job that deletes.
#[derive(Debug, Clone, Default)]
pub struct Monitoring {
    /// The metrics file.
    pub metrics_file: Option<PathBuf>,
    /// What the job is called there.
    pub job_name: Option<String>,
    /// Where pings go.
    pub ping: Option<PingUrl>,
}

/// Which profile was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileNote {
    /// Its name.
    pub name: String,
    /// The file that holds it.
    pub file: PathBuf,
}

impl fmt::Display for ProfileNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, Escaped(&self.file.to_string_lossy()))
    }
}

impl DeleteJob {
    /// What is done about each key. A backup looks anyway.
    /// Whether a key may be put into a URL: only bulk calls have none there.
    pub(super) fn puts_keys_into_urls(&self) -> bool {
        self.batching == Batching::Single || self.key_action().reads()
    }

    pub(super) fn key_action(&self) -> KeyAction {
        match self.mode {
            Mode::Check(_) => KeyAction::Check,
            _ if self.backup.is_some() => KeyAction::BackUpThenDelete,
            _ if self.check => KeyAction::CheckThenDelete,
            _ => KeyAction::Delete,
        }
    }
}

/// Where the keys come from.
#[derive(Debug)]
pub enum Keys {
    /// From files and stdin.
    Inputs(Inputs),
    /// From the namespace itself.
    Namespace(Box<KeySelection>),
}

/// Keys that are read.
#[derive(Debug)]
pub struct Inputs {
    /// Where they come from, in order.
    pub sources: Vec<Source>,
    /// How they are read.
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
    pub connection: Connection<NamespaceRef>,
    /// How the names begin.
    pub prefixes: Prefixes,
    /// Which of those.
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
    Check(Connection<NamespaceRef>),
    /// They are deleted from a server inside this process.
    Rehearsal,
    /// They are deleted.
    Real(Connection<NamespaceRef>),
}

/// Who asks, and where.
#[derive(Debug, Clone)]
pub struct Access {
    /// Where the API is.
    pub base_url: BaseUrl,
    /// Who asks.
    pub credentials: Credentials,
    /// Certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
}

/// What a job is about, as far as it was named.
#[derive(Debug, Clone)]
pub struct TargetIds {
    /// Where the API is.
    pub base_url: BaseUrl,
    /// Whose namespace it is.
    pub account: Option<AccountId>,
    /// The namespace.
    pub namespace: Option<NamespaceRef>,
}

/// How a namespace was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamespaceRef {
    /// By its id.
    Id(NamespaceId),
    /// By its title, exactly; its id has to be looked up.
    Title(String),
}

/// Which namespace, and who asks. Only one whose namespace is an id leads to a client.
#[derive(Debug, Clone)]
pub struct Connection<N = NamespaceId> {
    /// Where the API is.
    pub base_url: BaseUrl,
    /// Who asks.
    pub credentials: Credentials,
    /// Whose namespace it is.
    pub account: AccountId,
    /// The namespace.
    pub namespace: N,
    /// Certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
}

impl<N> Connection<N> {
    /// The same with another namespace, or the same one named in another way.
    pub(super) fn with<M>(&self, namespace: M) -> Connection<M> {
        Connection {
            base_url: self.base_url.clone(),
            credentials: self.credentials.clone(),
            account: self.account.clone(),
            namespace,
            ca_file: self.ca_file.clone(),
        }
    }
}

/// Whether somebody is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirm {
    /// On the terminal.
    Prompt,
    /// `--yes` answered it.
    AssumeYes,
}
