//! What keeps a mistake small.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueHint};

use super::value::{count, glob, max_failures};
use crate::pipeline::FailureLimit;

/// What keeps a mistake small.
#[derive(Debug, Clone, PartialEq, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct SafetyArgs {
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
    #[arg(long, env = "KVSWEEP_CHECK", value_parser = BoolishValueParser::new(), hide_short_help = true)]
    pub check: bool,

    /// Save values, metadata and expirations to FILE before deleting
    ///
    /// A key is deleted only once its record is on disk. A key that cannot be backed up is failed or unknown; a key
    /// that does not exist is absent. The format is NDJSON, compressed if the name ends in .gz or .zst; kvsweep
    /// restore reads it, and wrangler kv bulk put takes the same records in a JSON array. Takes two more requests per key. --resume appends to FILE and
    /// --overwrite replaces it; otherwise FILE must not exist. By default nothing is saved.
    #[arg(long, value_name = "FILE", env = "KVSWEEP_BACKUP", value_hint = ValueHint::FilePath)]
    #[arg(hide_short_help = true)]
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
    #[arg(long, value_name = "N", env = "KVSWEEP_MIN_KEYS", value_parser = count, hide_short_help = true)]
    pub min_keys: Option<NonZeroU64>,

    /// Process the records before the error in a truncated or malformed input
    ///
    /// By default a truncated archive, an unclosed quote or broken JSON means that nothing is sent. The exit code is
    /// 1 either way. With stdin, which cannot be read twice, the records before the error are always processed.
    #[arg(long, env = "KVSWEEP_ALLOW_PARTIAL", value_parser = BoolishValueParser::new(), hide_short_help = true)]
    pub allow_partial: bool,

    /// Delete nothing unless the inputs contain exactly N keys
    ///
    /// Counts distinct keys after filters, including those finished by an earlier run. Needs files that can be counted
    /// first. By default any number is accepted.
    #[arg(long, value_name = "N", env = "KVSWEEP_EXPECT", value_parser = count, hide_short_help = true)]
    pub expect: Option<NonZeroU64>,

    /// Delete the first N keys alone, and continue only if all succeed
    ///
    /// Otherwise the job stops with exit code 8. By default all keys are sent together.
    #[arg(long, value_name = "N", env = "KVSWEEP_CANARY", value_parser = count, hide_short_help = true)]
    pub canary: Option<NonZeroU64>,

    /// Never delete keys that match GLOB; repeatable
    ///
    /// Such keys are reported as kept, with the pattern, and the exit code stays 0. `*` matches any characters
    /// including /, `?` one character, `[a-z]`, `[!a]` and `[[:digit:]]` one of a set, `{a,b}` alternatives; `\`
    /// escapes. `KVSWEEP_PROTECT` has one pattern per line, and adds to the flag. By default no key is protected.
    #[arg(long, value_name = "GLOB", env = "KVSWEEP_PROTECT", value_parser = glob, hide_short_help = true)]
    pub protect: Vec<String>,

    /// Never delete keys that match a pattern in this file, one per line
    ///
    /// Empty lines and lines that begin with # are skipped; a file without patterns is an error. The file of
    /// `KVSWEEP_PROTECT_FROM` is read in addition. By default no file is read.
    #[arg(long, value_name = "PATH", env = "KVSWEEP_PROTECT_FROM", value_hint = ValueHint::FilePath)]
    #[arg(hide_short_help = true)]
    pub protect_from: Option<PathBuf>,

    /// Delete keys that the profile protects
    ///
    /// Overrides protect and protect-from of the profile, which otherwise apply in addition to the flags. No other flag
    /// does, nor does the environment. The profile's only, and the patterns of flags and environment, still apply.
    #[arg(long, hide_short_help = true)]
    pub allow_protected: bool,

    /// Delete only keys that match GLOB; repeatable
    ///
    /// Other keys are reported as kept. --protect overrides it. `KVSWEEP_ONLY` has one pattern per line; a key has to match
    /// one of the flag and one of `KVSWEEP_ONLY`. By default every key may be deleted.
    #[arg(long, value_name = "GLOB", env = "KVSWEEP_ONLY", value_parser = glob, hide_short_help = true)]
    pub only: Vec<String>,
}
