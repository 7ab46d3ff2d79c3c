//! The flags of `kvsweep delete`.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueHint};

use super::connection::ConnectionArgs;
use super::monitoring::MonitoringArgs;
use super::output::OutputArgs;
use super::pace::{InFlightArgs, RequestArgs};
use super::value::{
    ShardArg, bulk, count, delimiter, format_parser, glob, max_failures, moment, prefix, report_parser, source_parser,
};
use crate::input::{Column, Format, Source};
use crate::listing::{MetadataTest, Moment};
use crate::pipeline::{Batching, FailureLimit};
use crate::report::{Sync, Target};

const AFTER_LONG_HELP: &str = "\
Credentials:
  CLOUDFLARE_API_TOKEN                     an API token with the permission Workers KV Storage: Edit
  CLOUDFLARE_EMAIL, CLOUDFLARE_API_KEY     a global API key, if there is no token
  No flag takes a secret: other users can read command lines, and the shell stores them.

Durations are written 30s, 5m, 1h30m. A flag overrides its environment variable, and an empty variable counts as unset. \
kvsweep --help explains the exit codes.";

/// What an input has that a namespace has not.
const OF_INPUTS: [&str; 6] = ["inputs", "format", "column", "no_header", "delimiter", "no_dedupe"];

/// The flags of `kvsweep delete`.
#[derive(Debug, Clone, PartialEq, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(after_long_help = AFTER_LONG_HELP)]
pub struct DeleteArgs {
    /// Read keys from these files, or from stdin (-), in order
    ///
    /// gzip and zstd are detected by content. The report of a dry run is an input too: its planned rows. Without
    /// INPUT, keys are read from stdin unless it is a terminal.
    #[arg(value_name = "INPUT", value_hint = ValueHint::FilePath)]
    #[arg(value_parser = source_parser())]
    pub inputs: Vec<Source>,

    /// Read the inputs as auto, csv, lines, ndjson or json
    ///
    /// Applies to all inputs. auto goes by the extension, then by the content. csv is a column of a table; lines, one
    /// key per line; ndjson, one JSON value per line (a string, or an object with key, `key_name` or name); json, an
    /// array of those, or an API response with such an array as its `result`.
    #[arg(long, default_value = "auto", value_parser = format_parser(), hide_possible_values = true)]
    pub format: std::option::Option<Format>,

    /// Take keys from this CSV column, by name or number
    ///
    /// The default is the column named key, `key_name` or name; a file with one column needs no header. Names are
    /// compared ignoring case, surrounding blanks, and the difference between -, _ and a space. A number
    /// always means a position, counted from 1, even if a column has that number as its name.
    #[arg(long, value_name = "NAME|NUMBER", value_parser = clap::value_parser!(Column))]
    pub column: Option<Column>,

    /// Treat the first CSV row as data, not as a header
    ///
    /// Keys are then in column 1 unless --column is given. By default, the first row is a header if one of its cells
    /// is key, `key_name` or name, or the name given to --column. Several columns without a header are an error (exit
    /// code 2).
    #[arg(long)]
    pub no_header: bool,

    /// Split CSV columns at this ASCII character, or at tab
    ///
    /// The default is a comma, or a tab for files that end in .tsv.
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    pub delimiter: Option<u8>,

    /// Do not look for duplicate keys
    ///
    /// Saves the memory for it (at most 32 bytes per key); duplicates are then deleted twice, which is harmless and
    /// takes one more request.
    #[arg(long)]
    pub no_dedupe: bool,

    /// Delete every key with this prefix; repeatable
    ///
    /// Instead of an INPUT. Lists the namespace and deletes the keys of a page while the next one is fetched, within
    /// the same --rate. With --dry-run it only lists, which needs credentials. PREFIX is taken exactly; several
    /// prefixes are combined. --only, --protect and the filters below apply. A job that stopped is run again with a
    /// new report instead of --resume, because deleted keys are no longer listed.
    #[arg(long = "prefix", value_name = "PREFIX", value_parser = prefix("pass --all"), conflicts_with_all = OF_INPUTS)]
    pub prefixes: Vec<String>,

    /// Delete every key of the namespace
    ///
    /// Instead of an INPUT. An empty --prefix is rejected, because an unset variable looks the same. The prompt asks
    /// for the title of the namespace; --yes skips it.
    #[arg(long, conflicts_with_all = OF_INPUTS, conflicts_with = "prefixes")]
    pub all: bool,

    /// Delete only keys that expire before WHEN: a time, or a duration from now
    ///
    /// For example 2026-12-31T00:00:00Z or 7d. Needs --prefix or --all. Keys without an expiration are not selected.
    #[arg(long, value_name = "WHEN", value_parser = moment, conflicts_with = "without_expiration")]
    pub expiring_before: Option<Moment>,

    /// Delete only keys that never expire
    ///
    /// Needs --prefix or --all. Keys with an expiration are not selected: Cloudflare removes them itself.
    #[arg(long)]
    pub without_expiration: bool,

    /// Delete only keys whose metadata has PATH, or PATH=VALUE; repeatable
    ///
    /// Needs --prefix or --all. PATH consists of the member names and array positions (from 0) in the metadata's JSON,
    /// separated by dots.
    #[arg(long, value_name = "PATH[=VALUE]")]
    pub metadata: Vec<MetadataTest>,

    /// Show what would be deleted; send nothing
    ///
    /// Checks and counts the inputs, then shows the keys, the largest prefixes, invalid records by reason, and the
    /// requests, time and cost, one by one and with --bulk; with --json as the member `plan`. Needs no credentials
    /// or ids except for --prefix, --all and --check. With --report it writes a plan, which can be an INPUT later, so
    /// that exactly what was reviewed is deleted.
    #[arg(long, env = "KVSWEEP_DRY_RUN", value_parser = BoolishValueParser::new())]
    #[arg(conflicts_with_all = ["sandbox", "resume", "failures"])]
    pub dry_run: bool,

    /// Rehearse the whole job against a server in memory
    ///
    /// The server is part of this process, contains the keys of the inputs and a few others, and is gone afterwards.
    /// Nothing is sent over the network, and no credentials or ids are needed.
    #[arg(long, conflicts_with_all = ["backup", "resume"])]
    pub sandbox: bool,

    /// Check which keys exist, and delete only those
    ///
    /// The others are reported as absent. Takes one more request per 100 keys (more if their values are large), and one
    /// per key that seems absent; a job with --backup takes none. With --dry-run, existing keys are planned and nothing is deleted. Keys written within the
    /// last minute may not be visible yet.
    #[arg(long, env = "KVSWEEP_CHECK", value_parser = BoolishValueParser::new())]
    pub check: bool,

    /// Save values, metadata and expirations to FILE before deleting
    ///
    /// A key is deleted only once its record is on disk. A key that cannot be backed up is failed or unknown; a key
    /// that does not exist is absent. The format is NDJSON, compressed if the name ends in .gz or .zst; kvsweep
    /// restore reads it, and wrangler kv bulk put takes the same records in a JSON array. Takes two more requests per key. --resume appends to FILE and
    /// --overwrite replaces it; otherwise FILE must not exist. By default nothing is saved.
    #[arg(long, value_name = "FILE", env = "KVSWEEP_BACKUP", value_hint = ValueHint::FilePath)]
    pub backup: Option<PathBuf>,

    /// Do not ask for confirmation
    ///
    /// By default kvsweep asks on the terminal; if there is none, nothing is sent and the exit code is 2.
    #[arg(long, short)]
    pub yes: bool,

    /// Stop if there are more than N keys
    ///
    /// Counts distinct keys after filters. Files are counted first; if they contain more, nothing is sent. With
    /// stdin, --prefix and --all, N keys are deleted before the job stops. By default there is no limit.
    #[arg(long, value_name = "N", env = "KVSWEEP_MAX_KEYS", value_parser = count)]
    pub max_keys: Option<NonZeroU64>,

    /// Stop after N failures, or if more than P percent fail
    ///
    /// Failed and unknown keys count. A percentage is evaluated once 1,000 keys have been attempted, including those
    /// of earlier runs. none removes the limit.
    #[arg(long, value_name = "N|P%|none", env = "KVSWEEP_MAX_FAILURES", default_value = "50%")]
    #[arg(value_parser = max_failures)]
    pub max_failures: std::option::Option<FailureLimit>,

    /// Delete nothing if the inputs contain fewer than N keys
    ///
    /// Counts distinct keys after filters; fewer are exit code 8. Needs files that can be counted first. By default
    /// an empty input is only a warning.
    #[arg(long, value_name = "N", env = "KVSWEEP_MIN_KEYS", value_parser = count)]
    pub min_keys: Option<NonZeroU64>,

    /// Process the records before the error in a truncated or malformed input
    ///
    /// By default a truncated archive, an unclosed quote or broken JSON means that nothing is sent. The exit code is
    /// 1 either way. With stdin, which cannot be read twice, the records before the error are always processed.
    #[arg(long, env = "KVSWEEP_ALLOW_PARTIAL", value_parser = BoolishValueParser::new())]
    pub allow_partial: bool,

    /// Delete nothing unless the inputs contain exactly N keys
    ///
    /// Counts distinct keys after filters, including those finished by an earlier run. Needs files that can be counted
    /// first. By default any number is accepted.
    #[arg(long, value_name = "N", env = "KVSWEEP_EXPECT", value_parser = count)]
    pub expect: Option<NonZeroU64>,

    /// Delete the first N keys alone, and continue only if all succeed
    ///
    /// Otherwise the job stops with exit code 8. By default all keys are sent together.
    #[arg(long, value_name = "N", env = "KVSWEEP_CANARY", value_parser = count)]
    pub canary: Option<NonZeroU64>,

    /// Never delete keys that match GLOB; repeatable
    ///
    /// Such keys are reported as kept, with the pattern, and the exit code stays 0. `*` matches any characters
    /// including /, `?` one character, `[a-z]`, `[!a]` and `[[:digit:]]` one of a set, `{a,b}` alternatives; `\`
    /// escapes. `KVSWEEP_PROTECT` has one pattern per line, and adds to the flag. By default no key is protected.
    #[arg(long, value_name = "GLOB", env = "KVSWEEP_PROTECT", value_parser = glob)]
    pub protect: Vec<String>,

    /// Never delete keys that match a pattern in this file, one per line
    ///
    /// Empty lines and lines that begin with # are skipped; a file without patterns is an error. The file of
    /// `KVSWEEP_PROTECT_FROM` is read in addition. By default no file is read.
    #[arg(long, value_name = "PATH", env = "KVSWEEP_PROTECT_FROM", value_hint = ValueHint::FilePath)]
    pub protect_from: Option<PathBuf>,

    /// Delete keys that the profile protects
    ///
    /// Overrides protect and protect-from of the profile, which otherwise apply in addition to the flags. No other flag
    /// does, nor does the environment. The profile's only, and the patterns of flags and environment, still apply.
    #[arg(long)]
    pub allow_protected: bool,

    /// Delete only keys that match GLOB; repeatable
    ///
    /// Other keys are reported as kept. --protect overrides it. `KVSWEEP_ONLY` has one pattern per line; a key has to match
    /// one of the flag and one of `KVSWEEP_ONLY`. By default every key may be deleted.
    #[arg(long, value_name = "GLOB", env = "KVSWEEP_ONLY", value_parser = glob)]
    pub only: Vec<String>,

    /// Write a row for every record to PATH (- for stdout, or none)
    ///
    /// The format follows the extension: .csv, .ndjson or .jsonl; stdout gets CSV. By default a dry run writes no
    /// report, and other jobs write one to the current folder.
    ///
    /// [default: kvsweep-report-YYYYMMDDTHHMMSSZ.csv]
    #[arg(long, value_name = "PATH", env = "KVSWEEP_REPORT", value_parser = report_parser())]
    #[arg(value_hint = ValueHint::FilePath)]
    pub report: Option<Target>,

    /// Resume the job whose report is at --report PATH
    ///
    /// Sends only records without a deleted, absent, kept, invalid or duplicate row, and appends new rows. The inputs
    /// must be the same. If there is no file at PATH, the job starts from scratch.
    #[arg(long, conflicts_with = "overwrite")]
    pub resume: bool,

    /// Replace existing output files
    ///
    /// By default existing files are never touched: nothing is sent and the exit code is 2.
    #[arg(long)]
    pub overwrite: bool,

    /// Write failed keys to PATH, for another run of delete
    ///
    /// Contains failed and unknown keys. The format follows the extension: .csv, .ndjson or .jsonl.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub failures: Option<PathBuf>,

    /// Print the summary as one JSON object on stdout
    ///
    /// Its members: `records, deleted, absent, failed, unknown, invalid, duplicate, planned, resumed, requests,
    /// retries, throttled, elapsed_s, rate_per_s, stopped, exit_code, kept, restored, restorable, not_attempted,
    /// schema_version, version, kind, account_id, namespace_id, namespace_title, started_at, report, causes`.
    /// docs/schema/summary.schema.json describes them.
    #[arg(long)]
    pub json: bool,

    /// Flush the report to disk never, once per second, or always
    ///
    /// Rows that are not on disk may be lost in a power cut; --resume then sends their keys again. Rows leave this
    /// process every second in any case.
    #[arg(long, value_enum, default_value_t, env = "KVSWEEP_SYNC", value_name = "WHEN")]
    pub sync: Sync,

    #[command(flatten)]
    pub requests: RequestArgs,

    /// Delete up to N keys per request (1 to 10,000, default 10,000)
    ///
    /// Up to 40,000 keys per second instead of 4 within Cloudflare's limits. Every key still has its own row and its
    /// own retries; keys that the server does not delete are sent again. The default is one key per request, because
    /// then each key has its own response. In the environment and in profiles: true, false or N.
    #[arg(long, value_name = "N", env = "KVSWEEP_BULK", num_args = 0..=1, require_equals = true)]
    #[arg(default_value = "false", default_missing_value = "true", hide_default_value = true)]
    #[arg(value_parser = bulk)]
    pub bulk: Batching,

    /// Delete one key per request, overriding the environment and the profile
    ///
    /// If both --bulk and --no-bulk are given, the last one counts.
    #[arg(long, overrides_with = "bulk")]
    pub no_bulk: bool,

    #[command(flatten)]
    pub in_flight: InFlightArgs,

    /// Delete only part K of N of the keys, such as 2/4
    ///
    /// A hash of its name assigns each key to one part, in every release, so that N machines with the same inputs
    /// delete each key once. Each part takes its share of every --rate. Records of other parts have no row; `kvsweep
    /// report PART...` combines the reports. With --prefix or --all, every part lists the whole namespace.
    ///
    /// auto/N takes K from `JOB_COMPLETION_INDEX` (Kubernetes), `AWS_BATCH_JOB_ARRAY_INDEX`, `CLOUD_RUN_TASK_INDEX`
    /// or `SLURM_ARRAY_TASK_ID`. N must be the number of tasks there.
    #[arg(long, value_name = "K/N", env = "KVSWEEP_SHARD")]
    pub shard: Option<ShardArg>,

    #[command(flatten)]
    pub monitoring: MonitoringArgs,

    #[command(flatten)]
    pub connection: ConnectionArgs,

    #[command(flatten)]
    pub output: OutputArgs,
}

impl DeleteArgs {
    /// Whether keys are listed instead of read.
    pub(super) fn lists(&self) -> bool {
        self.all || !self.prefixes.is_empty()
    }

    /// Whether requests are sent: an account, a namespace and credentials are needed.
    pub(super) fn needs_connection(&self) -> bool {
        self.lists() || (!self.sandbox && (self.check || !self.dry_run))
    }

    /// How many keys a request names.
    pub(super) fn batching(&self) -> Batching {
        if self.no_bulk { Batching::Single } else { self.bulk }
    }
}
