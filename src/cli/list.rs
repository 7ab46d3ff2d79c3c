//! `kvsweep list`.

use std::path::Path;

use clap::{Args, ValueHint};

use super::connection::ConnectionArgs;
use super::output::OutputArgs;
use super::pace::RequestArgs;
use super::value::{glob, moment, prefix, source_parser};
use crate::input::Source;
use crate::listing::{Format, MetadataTest, Moment};

const AFTER_HELP: &str = "\
Examples:
  kvsweep list --prefix tmp: | kvsweep delete - --yes
  kvsweep list --format ndjson --output keys.ndjson --resume";

/// The flags of `kvsweep list`.
#[derive(Debug, Clone, PartialEq, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(after_help = AFTER_HELP)]
pub struct ListArgs {
    /// List only keys with this prefix; repeatable
    ///
    /// Taken exactly. Several prefixes are combined, each key once. An empty one is rejected, because an unset variable
    /// looks the same. By default all keys are listed.
    #[arg(long = "prefix", value_name = "PREFIX", value_parser = prefix("omit --prefix"), help_heading = "Keys")]
    pub prefixes: Vec<String>,

    /// List only keys that match GLOB; repeatable
    ///
    /// `*` matches any characters including /, `?` one character; `[ab]`, `{a,b}` and `\` as for delete. The whole
    /// namespace is read to find them: --prefix is faster.
    #[arg(long, value_name = "GLOB", value_parser = glob, help_heading = "Keys")]
    pub only: Vec<String>,

    /// Skip keys that match GLOB; repeatable
    ///
    /// Overrides --only.
    #[arg(long, value_name = "GLOB", value_parser = glob, help_heading = "Keys")]
    pub protect: Vec<String>,

    /// List only keys that expire before WHEN: a time, or a duration from now
    ///
    /// For example 2026-12-31T00:00:00Z or 7d. Keys that never expire are skipped.
    #[arg(long, value_name = "WHEN", value_parser = moment, help_heading = "Keys", conflicts_with = "without_expiration")]
    pub expiring_before: Option<Moment>,

    /// List only keys that never expire
    #[arg(long, help_heading = "Keys")]
    pub without_expiration: bool,

    /// List only keys whose metadata has PATH, or PATH=VALUE; repeatable
    ///
    /// PATH consists of the member names and array positions (from 0) in the metadata's JSON, separated by dots.
    /// Strings are compared as they are; numbers, true, false and null as JSON writes them. All conditions must hold.
    #[arg(long, value_name = "PATH[=VALUE]", help_heading = "Keys")]
    pub metadata: Vec<MetadataTest>,

    /// Write keys as lines, csv or ndjson
    ///
    /// The default follows the extension of --output, or is lines. With lines, names containing a line break are
    /// skipped with a warning, and the exit code is 3; csv and ndjson contain every name, with expiration and
    /// metadata. On a terminal, characters that could move the cursor are escaped.
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Output", hide_possible_values = true)]
    pub format: Option<Format>,

    /// Write the list to PATH instead of stdout (-)
    ///
    /// PATH.cursor beside it stores the position until the list is complete.
    #[arg(long = "output", value_name = "PATH", help_heading = "Output", value_hint = ValueHint::FilePath)]
    #[arg(value_parser = source_parser())]
    pub output_path: Option<Source>,

    /// Resume the interrupted listing at --output PATH
    ///
    /// The other flags must be the same. If there is no file at PATH, the listing starts from scratch.
    #[arg(long, conflicts_with = "overwrite", help_heading = "Output")]
    pub resume: bool,

    /// Replace an existing --output file
    ///
    /// By default an existing file is never touched, and the exit code is 2.
    #[arg(long, help_heading = "Output")]
    pub overwrite: bool,

    /// Print a summary as one JSON object on stdout
    ///
    /// Needs --output PATH, because stdout carries the list otherwise. Its members: `listed, skipped, pages,
    /// requests, retries, throttled, elapsed_s, stopped, exit_code`.
    #[arg(long, help_heading = "Output")]
    pub json: bool,

    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,

    #[command(flatten, next_help_heading = "Pace")]
    pub requests: RequestArgs,

    #[command(flatten, next_help_heading = "Connection")]
    pub connection: ConnectionArgs,
}

impl ListArgs {
    pub(super) fn file(&self) -> Option<&Path> {
        match &self.output_path {
            Some(Source::File(path)) => Some(path),
            Some(Source::Stdin) | None => None,
        }
    }

    /// How keys are written: as was said, else by the extension.
    pub(super) fn format(&self) -> Format {
        self.format.or_else(|| self.file().and_then(by_extension)).unwrap_or(Format::Lines)
    }
}

pub(super) fn by_extension(file: &Path) -> Option<Format> {
    match file.extension()?.to_str()? {
        "txt" | "lines" | "keys" | "list" => Some(Format::Lines),
        "csv" => Some(Format::Csv),
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        _ => None,
    }
}
