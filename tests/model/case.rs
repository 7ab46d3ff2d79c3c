//! A job and what happens to it, as plain data, so that it can be printed and made smaller.

use kvsweep::sandbox::{Fault, MissingKey};

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
    pub(crate) limits: Limits,
    pub(crate) server: Server,
    /// Further flags from clap's definition, which the contract says change nothing about keys or reports.
    pub(crate) others: Vec<(String, Option<String>, Route)>,
    pub(crate) ndjson_report: bool,
    pub(crate) chain: Chain,
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
    /// Faults that pass.
    pub(crate) temporary: Vec<Fault>,
    /// Names of which the server refuses every request.
    pub(crate) refused: Vec<String>,
    pub(crate) url_encoding: bool,
    pub(crate) latency_us: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Int,
    Term,
    Hup,
    Kill,
}

/// What is done, one command after the other.
#[derive(Debug, Clone)]
pub(crate) enum Chain {
    Delete,
    /// Signals after so many requests, and the job resumed until it is done.
    Interrupted {
        events: Vec<(Signal, u64)>,
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
