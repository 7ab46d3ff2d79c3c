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
    /// Send nothing: check the inputs, count, show the plan
    ///
    /// The plan: first and last keys, the biggest prefixes, name lengths, invalid records by reason, requests and least
    /// time one by one and with --bulk, and Cloudflare's list price; with --json it is the member `plan`. Needs no
    /// credentials, but for --prefix, --all and --check. With --report it writes what would be done, and that report can
    /// be given as INPUT later, so that what was reviewed is what is deleted.
    #[arg(long, conflicts_with_all = ["sandbox", "resume", "failures"])]
    pub dry_run: bool,

    /// Rehearse: run the whole job against a server inside this process
    ///
    /// The server holds the keys of the input and some others, speaks real HTTP, and is gone afterwards. Nothing
    /// is sent anywhere else; needs no credentials.
    #[arg(long, conflicts_with_all = ["backup", "resume"])]
    pub sandbox: bool,

    /// Look which keys are there, and delete only those
    ///
    /// The others are absent, with no delete sent. It takes one request for 100 keys more, one for fewer where their values
    /// are large, and none with --backup, which looks anyway. With --dry-run the keys that are there are planned, and
    /// nothing is changed. The service may not see yet what was written in the last minute.
    #[arg(long, hide_short_help = true)]
    pub check: bool,

    /// Write every key with all it holds to FILE before it is deleted
    ///
    /// A key is deleted only once its value, metadata and expiration are on the disk; one that cannot be backed up is
    /// failed or unknown, and one that does not exist is absent, with no delete sent. NDJSON, packed where the name ends in .gz or .zst,
    /// as wrangler kv bulk put reads it; kvsweep restore puts it back. Each key takes two requests more. With --resume more
    /// is written behind it, and --overwrite replaces it; otherwise FILE must not exist. Without it nothing is kept.
    #[arg(long, value_name = "FILE", env = "KVSWEEP_BACKUP", value_hint = ValueHint::FilePath)]
    #[arg(hide_short_help = true)]
    pub backup: Option<PathBuf>,

    /// Do not ask before deleting
    ///
    /// Without it you are asked on the terminal; if there is none, nothing is sent and the exit code is 2.
    #[arg(long, short)]
    pub yes: bool,

    /// Delete nothing when the inputs name more than N keys
    ///
    /// Files are counted before anything is sent; a job that reads stdin or lists stops once N keys were taken. Without
    /// it there is no limit.
    #[arg(long, value_name = "N", env = "KVSWEEP_MAX_KEYS", value_parser = count)]
    pub max_keys: Option<NonZeroU64>,

    /// Stop once N keys or more than P percent failed
    ///
    /// unknown keys count as failed; none removes the limit. A percentage is evaluated once 1,000 keys have been attempted, those that an earlier
    /// run deleted among them. 1 stops at the first failure.
    #[arg(long, value_name = "N|P%|none", env = "KVSWEEP_MAX_FAILURES", default_value = "50%")]
    #[arg(value_parser = max_failures)]
    pub max_failures: std::option::Option<FailureLimit>,

    /// Delete nothing if the inputs name fewer than N keys
    ///
    /// Counts as --expect does: a list that is empty or cut short by mistake is exit code 8. Needs files, which can be counted
    /// first. Without it an empty input only triggers a warning.
    #[arg(long, value_name = "N", env = "KVSWEEP_MIN_KEYS", value_parser = count, hide_short_help = true)]
    pub min_keys: Option<NonZeroU64>,

    /// Process the records before the break of an input
    ///
    /// A truncated archive, a quote that is never closed, broken JSON: without it nothing is sent. The exit code is 1 either
    /// way. Of stdin, which cannot be read twice, what came before the break is always processed.
    #[arg(long, env = "KVSWEEP_ALLOW_PARTIAL", value_parser = BoolishValueParser::new(), hide_short_help = true)]
    pub allow_partial: bool,

    /// Delete nothing unless the inputs name exactly N keys
    ///
    /// Distinct keys after filters, those that an earlier run settled among them. Needs files, which can be counted first.
    /// Without it any number is taken.
    #[arg(long, value_name = "N", env = "KVSWEEP_EXPECT", value_parser = count, hide_short_help = true)]
    pub expect: Option<NonZeroU64>,

    /// Delete the first N keys alone, and go on only if all of them succeeded
    ///
    /// Otherwise the job stops (exit code 8). Without it there is no such trial.
    #[arg(long, value_name = "N", env = "KVSWEEP_CANARY", value_parser = count, hide_short_help = true)]
    pub canary: Option<NonZeroU64>,

    /// Never delete a key that matches; repeatable
    ///
    /// Its row is kept and names the pattern, and the exit code stays 0. * stands for any characters, / among them; ? for
    /// one; `[a-z]`, `[!a]` and `[[:digit:]]` for one of a set, `{a,b}` for alternatives; `\` escapes. With --prefix or
    /// --all such a key is just not taken. Without it every key may be deleted.
    #[arg(long, value_name = "GLOB", env = "KVSWEEP_PROTECT", value_parser = glob, hide_short_help = true)]
    pub protect: Vec<String>,

    /// As --protect, with a pattern on every line of a file
    ///
    /// Empty lines and lines that begin with # are skipped; a file without a pattern is an error. Without it no file is
    /// read.
    #[arg(long, value_name = "PATH", env = "KVSWEEP_PROTECT_FROM", value_hint = ValueHint::FilePath)]
    #[arg(hide_short_help = true)]
    pub protect_from: Option<PathBuf>,

    /// Delete keys, too, that the profile keeps by its protect, protect-from and only
    ///
    /// No other flag lifts those, and neither can the environment or the profile itself. What --protect, --protect-from
    /// and --only say still holds.
    #[arg(long, hide_short_help = true)]
    pub allow_protected: bool,

    /// Delete only keys that match; repeatable
    ///
    /// Others are kept as by --protect, which wins over it. Without it every key may be deleted.
    #[arg(long, value_name = "GLOB", env = "KVSWEEP_ONLY", value_parser = glob, hide_short_help = true)]
    pub only: Vec<String>,
}
