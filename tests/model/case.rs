//! A job and what happens to it, as plain data, so that it can be printed and made smaller.

use kvsweep::sandbox::{MissingKey, Quota, RetryAfter};

use crate::front::Tls;
use crate::glob::Part;

/// Everything about one job and what is done with it.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is drawn on its own")]
pub(crate) struct Case {
    pub(crate) seed: u64,
    /// The names in each input, in order.
    pub(crate) inputs: Vec<Vec<String>>,
    pub(crate) form: Form,
    pub(crate) from_stdin: bool,
    pub(crate) stdin: Stdin,
    /// The second input is the file of the first.
    pub(crate) same_file: bool,
    /// What is wrong with the last input.
    pub(crate) damage: Option<Damage>,
    pub(crate) allow_partial: bool,
    pub(crate) protect: Vec<Vec<Part>>,
    /// Where the patterns to protect are written.
    pub(crate) protect_route: ProtectRoute,
    pub(crate) only: Vec<Vec<Part>>,
    pub(crate) no_dedupe: bool,
    pub(crate) bulk: Option<u32>,
    pub(crate) check: bool,
    pub(crate) backup: bool,
    pub(crate) concurrency: u32,
    /// `--rate`: so many requests in so many milliseconds.
    pub(crate) rate: Option<(u32, u64)>,
    pub(crate) limits: Limits,
    pub(crate) server: Server,
    /// Further flags from clap's definition, which the contract says change nothing about keys or reports.
    pub(crate) others: Vec<(String, Option<String>, Route)>,
    pub(crate) ndjson_report: bool,
    pub(crate) chain: Chain,
}

/// What standard input is, if keys come from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stdin {
    File,
    Pipe,
    /// A FIFO that is named as an input.
    Fifo,
}

/// How a flag is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Flag,
    Environment,
    Profile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProtectRoute {
    Flag,
    Profile,
    File { bom: bool, crlf: bool, comment: bool },
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    /// How far from the number of distinct keys to delete.
    pub(crate) max_keys: Option<i64>,
    pub(crate) min_keys: Option<i64>,
    pub(crate) expect: Option<i64>,
}

/// How the names are written.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is drawn on its own")]
pub(crate) struct Form {
    pub(crate) format: Format,
    pub(crate) compression: Compression,
    pub(crate) bom: bool,
    pub(crate) crlf: bool,
    pub(crate) final_newline: bool,
    pub(crate) named_after_format: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Format {
    Lines,
    /// The heading of the key column, if there is a header; how many columns before and after; whether `--column` is given.
    Csv {
        heading: Option<String>,
        before: usize,
        after: usize,
        delimiter: char,
        column: Column,
        quoted: bool,
    },
    Ndjson {
        member: Option<&'static str>,
    },
    Json {
        member: Option<&'static str>,
        result: bool,
        pretty: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Recognised,
    ByName,
    ByNumber,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    /// The compressed file ends early.
    Truncated,
    /// A quote, string or array that is never closed.
    Open,
    /// Another kind of file.
    Html,
    Zip,
}

#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// Every nth name is not in the namespace.
    pub(crate) missing: usize,
    pub(crate) missing_key: MissingKey,
    /// Faults that are temporary, as the sandbox spells them.
    pub(crate) temporary: Vec<String>,
    /// Faults after which it is open what becomes of the keys in these requests.
    pub(crate) refusing: Vec<String>,
    /// Names of which the server refuses every request.
    pub(crate) refused: Vec<String>,
    /// What it says of those.
    pub(crate) refusal: String,
    pub(crate) url_encoding: bool,
    pub(crate) latency_us: u64,
    pub(crate) quota: Option<Quota>,
    pub(crate) retry_after: RetryAfter,
    /// Connections are closed after so many idle milliseconds.
    pub(crate) idle_close: Option<u64>,
    pub(crate) tls: Option<Tls>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Int,
    Term,
    Hup,
    Kill,
}

/// A signal after so many requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) signal: Signal,
    pub(crate) after: u64,
    /// A second one follows at once.
    pub(crate) twice: bool,
}

/// Which keys of the namespace are meant, besides the patterns.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    /// All keys if there is none.
    pub(crate) prefixes: Vec<String>,
    pub(crate) expires: Option<Expires>,
    /// A member of the metadata, and its value.
    pub(crate) metadata: Option<(&'static str, Option<&'static str>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expires {
    BeforeDays(u64),
    Never,
}

/// What is done with the keys that are listed.
#[derive(Debug, Clone)]
pub(crate) enum Listed {
    Delete,
    /// A dry run, and the plan executed.
    Plan,
    /// `list` into a file, interrupted and resumed, and the file as an input.
    List {
        extension: &'static str,
        events: Vec<Event>,
    },
}

/// A flag that may stop a job before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    MaxFailures(u32),
    Canary(u32),
    /// So many milliseconds.
    Deadline(u64),
}

/// Where an output stream of the job leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    File,
    Closed,
    /// A pipe whose reader is gone.
    Unread,
    /// A pipe whose reader reads nothing.
    Stuck,
    /// A disk without space.
    Full,
}

/// What a second job does with the report of the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Second {
    Same,
    Resume,
    Overwrite,
    /// Neither of them names its report.
    Unnamed,
}

/// What is done, one command after the other.
#[derive(Debug, Clone)]
pub(crate) enum Chain {
    Delete,
    /// Signals after so many requests, and the job resumed until it is done.
    Interrupted {
        events: Vec<Event>,
    },
    /// A dry run, whose report is edited and executed.
    Plan {
        edit: Edit,
    },
    /// A rehearsal, and an attempt to resume its report for real.
    Rehearsal,
    /// Interrupted, and resumed as another job.
    Changed {
        after: u64,
        change: Change,
    },
    Failures,
    /// Stopped by a guard, if it comes to that, and resumed without it.
    Guarded {
        guard: Guard,
    },
    /// An output is one of the inputs.
    OutputIsInput {
        output: Output,
    },
    /// An input is replaced, or the report moved away, after so many requests.
    Disturbed {
        after: u64,
        what: Disturbance,
    },
    /// Deleted with a backup, and restored from it.
    Restore,
    /// Parts of one job.
    Shards {
        count: u32,
    },
    /// Keys of the namespace, with so many more in it.
    Listing {
        selection: Selection,
        more: usize,
        what: Listed,
        limits: Limits,
    },
    /// Another job while this one runs.
    Together {
        after: u64,
        second: Second,
    },
    /// Files may not grow beyond so many blocks of 512 bytes; then the job is resumed without that limit.
    FullDisk {
        blocks: u64,
    },
    /// An output is on a disk without space.
    FullDevice {
        output: Output,
    },
    Streams {
        stdout: Stream,
        stderr: Stream,
    },
    /// A dry run of so many long names.
    Large {
        names: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Report,
    Failures,
    Backup,
    Stdout,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disturbance {
    InputRewritten,
    InputReplaced,
    ReportRemoved,
    ReportReplaced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edit {
    Nothing,
    AddColumn,
    Reorder,
    Capitals,
    DropOthers,
    OnlyPlanned,
    NoHeader,
    NoStatus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Protect,
    Only,
    Input,
    ShorterInput,
    Namespace,
    DryRun,
}
