//! What is wrong with a command line, its environment, or the files that it names. Nothing was sent.

use std::io;
use std::num::NonZeroU32;
use std::path::PathBuf;

use thiserror::Error;

use crate::files::{folder_of, text::TextError};
use crate::key::IdError;
use crate::listing::Checkpoint;
use crate::plan::filter::PatternError;
use crate::quota::Rate;
use crate::review::ReviewError;
use crate::sandbox::FaultError;
use crate::shard::Shard;
use crate::terminal::{Escaped, Quoted, count, pluralized, shell_word, shortened_key};

/// An error of a module that this one does not know.
type Source = Box<dyn std::error::Error + Send + Sync>;

/// What to do if the account cannot be looked up.
const NAME_ACCOUNT: &str = "pass --account-id ID, or set CLOUDFLARE_ACCOUNT_ID";

#[derive(Debug, Error)]
pub enum UsageError {
    /// Settings that are missing or cannot be used, and how to give them.
    #[error("{0}")]
    Settings(String),
    #[error("--binding: the current folder cannot be determined: {0}")]
    BindingFolder(io::Error),
    #[error("--binding: {0}")]
    NoWranglerFile(Source),
    #[error("--binding: {}: {source}{}", Escaped(&file.to_string_lossy()), not_evaluated(.program.as_ref()))]
    Binding { file: PathBuf, source: Source, program: Option<PathBuf> },
    #[error("the credentials can access no account\nhint: {NAME_ACCOUNT}")]
    NoAccount,
    #[error("the credentials can access {}:{list}\nhint: {NAME_ACCOUNT}", pluralized(*.number, "account"))]
    Accounts { number: u64, list: String },
    #[error("the namespace {} cannot be used: {source}", Quoted(.title))]
    NamespaceId { title: String, source: IdError },
    #[error(
        "{} namespaces are titled {}\nhint: pass --namespace-id with one of {}", .ids.len(), Quoted(.title), .ids.join(", ")
    )]
    SameTitle { title: String, ids: Vec<String> },
    #[error(
        "the namespace {} does not support URL encoding, which {} would need (such as {}): nothing was sent\nhint: {hint}",
        Escaped(.title), pluralized(*.keys, "key"), shortened_key(.first)
    )]
    NeedsEncoding { title: String, keys: u64, first: String, hint: &'static str },
    #[error("the address of the rehearsal: {0}")]
    Rehearsal(Source),
    #[error(
        "--expect needs inputs that can be counted first: files, not a pipe\nhint: write the keys to a file, or pass \
         --max-keys"
    )]
    ExpectOfPipe,
    #[error("--min-keys above {} needs inputs that can be counted first: files, not a pipe", count(*.0))]
    MinKeysOfPipe(u64),
    #[error("no terminal to confirm on, nothing {0}\nhint: check with --dry-run, then pass --yes")]
    NoTerminal(&'static str),
    #[error("not confirmed, nothing {0}")]
    NotConfirmed(&'static str),
    #[error("{0} and {1} are the same stream, which can be read only once\nhint: put one of them into a file")]
    ReadTwice(String, String),
    #[error("{0} is the same file as {1}\nhint: choose another file")]
    SameFile(String, String),
    #[error(
        "--failures {} would list keys that were to be restored, and a list of keys is what delete takes\nhint: resume the \
         restore instead: kvsweep restore BACKUP --resume --report REPORT", Escaped(&.0.to_string_lossy())
    )]
    FailuresOfRestore(PathBuf),
    #[error("{} exists\nhint: pass --overwrite to replace it, or choose another file", Escaped(&.0.to_string_lossy()))]
    Exists(PathBuf),
    #[error(
        "{} cannot be created: the folder {} does not exist\nhint: run: mkdir -p {}",
        .0.display(), folder_of(.0).display(), shell_word(folder_of(.0).as_os_str())
    )]
    NoFolder(PathBuf),
    #[error(
        "--metrics-file {} cannot be created: the folder {} does not exist\nhint: create it, or choose another path",
        .0.display(), folder_of(.0).display()
    )]
    NoMetricsFolder(PathBuf),
    #[error("--html {} exists: use --overwrite to replace it", .0.display())]
    PageExists(PathBuf),
    #[error(transparent)]
    Review(ReviewError),
    #[error(
        "{} is complete or not a listing of kvsweep: there is no {} to resume from\nhint: pass --overwrite to list from \
         scratch", .0.display(), Checkpoint::path(.0).display()
    )]
    NoCheckpoint(PathBuf),
    #[error(
        "{} belongs to another listing\nhint: resume it with the same namespace, format and selection, or pass --overwrite to \
         list from scratch", Checkpoint::path(.0).display()
    )]
    OtherListing(PathBuf),
    #[error(
        "{} is shorter than {} says, so it has been changed\nhint: pass --overwrite to list from scratch",
        .0.display(), Checkpoint::path(.0).display()
    )]
    ShorterListing(PathBuf),
    #[error(
        "{0} cannot be restored from: a backup is read twice, so it has to be a regular file\nhint: write it to a file first, \
         and pass that"
    )]
    NotRegular(String),
    #[error(transparent)]
    Patterns(#[from] PatternError),
    #[error("the profile {profile}: {source}")]
    PatternsOfProfile { profile: String, source: PatternError },
    /// `place` is a file and what named it, or a variable.
    #[error("{}: {source}", Escaped(.place))]
    PatternFile { place: String, source: TextError },
    #[error("{}, line {line}: {}: {source}", Escaped(.place), Quoted(.text))]
    Pattern { place: String, line: u64, text: String, source: Source },
    #[error("{} contains no pattern\nhint: write one pattern per line, or omit the setting", Escaped(.0))]
    NoPattern(String),
    #[error("the environment variable {0} is empty\nhint: give it a value, or unset it")]
    EmptyVariable(&'static str),
    #[error("--shard auto/{count}: {source}\nhint: pass the number yourself: --shard K/{count}")]
    AutoShard { count: NonZeroU32, source: Source },
    #[error("--rate {rate} has no request for shard {shard}\nhint: pass a higher --rate, or fewer shards")]
    NoShareOfRate { rate: Rate, shard: Shard },
    #[error("--fault {}: {source}", Escaped(.spec))]
    Fault { spec: String, source: FaultError },
}

/// The hint that a program beside a wrangler file might have the binding.
fn not_evaluated(program: Option<&PathBuf>) -> String {
    let hint = |program: &PathBuf| format!("\nhint: {} is not evaluated", Escaped(&program.to_string_lossy()));
    program.map(hint).unwrap_or_default()
}
