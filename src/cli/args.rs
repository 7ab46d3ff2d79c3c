//! The command itself and its subcommands.

use clap::{Parser, Subcommand};

use super::profile::AppliedProfile;
use super::{
    CompletionsArgs, ConfigArgs, DeleteArgs, ListArgs, ManArgs, NamespacesArgs, RestoreArgs, ReviewArgs, SandboxArgs,
    WhoamiArgs,
};
use crate::command::CommandLine;
use crate::logging::LogOptions;

const AFTER_HELP: &str = "\
Examples (kvsweep delete --help explains every flag):
  kvsweep delete keys.csv --dry-run      show what would be deleted
  kvsweep delete keys.csv --sandbox      rehearse against a server in memory
  kvsweep delete keys.csv                delete the keys, after confirmation";

/// The usual one without an empty line, so that everything stays within 24 lines.
const TEMPLATE: &str = "{about-with-newline}{usage-heading} {usage}\n\n{all-args}{after-help}";

const AFTER_LONG_HELP: &str = "\
Examples:
  kvsweep delete keys.csv --dry-run      show what would be deleted
  kvsweep delete keys.csv --sandbox      rehearse against a server in memory
  kvsweep delete keys.csv                delete the keys, after confirmation

Exit codes:
  0    every key is deleted or deliberately kept, or the dry run found no problem
  1    an input or the report cannot be read or written, or a bug
  2    usage or configuration error, or not confirmed: nothing was sent
  3    finished, but some keys are failed, unknown or invalid: run again with --resume
  5    stopped early (--max-wait, daily limit, --deadline): run again later with --resume
  7    fatal response (credentials, account, namespace): fix it, then run with --resume
  8    stopped by a guard (--max-keys, --min-keys, --expect, --max-failures, --canary)
  11   another run is writing the report
  129  the terminal was closed (SIGHUP): run again with --resume
  130  interrupted (SIGINT): run again with --resume
  143  terminated (SIGTERM): run again with --resume

kvsweep delete --help explains every flag.";

/// `0.1.0 (commit 0123456789ab, x86_64-unknown-linux-gnu)`
const LONG_VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("KVSWEEP_BUILD"), ")");

/// Delete keys from a Cloudflare Workers KV namespace in bulk.
///
/// Reads keys from files or stdin, deletes them within Cloudflare's rate limits, and writes a report with one row per record.
/// An interrupted job is resumed with --resume.
#[derive(Debug, Clone, PartialEq, Parser)]
#[command(name = "kvsweep", version, long_version = LONG_VERSION, max_term_width = 100, arg_required_else_help = true)]
#[command(help_template = TEMPLATE, after_help = AFTER_HELP, after_long_help = AFTER_LONG_HELP)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    /// What a profile gave; it is in the values of the command already.
    #[arg(skip)]
    pub used: Option<Box<AppliedProfile>>,

    /// How it was typed.
    #[arg(skip)]
    pub command_line: CommandLine,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum Command {
    /// Delete keys by name or prefix, or all keys, and report on each
    ///
    /// Every record of the inputs, and every key selected with --prefix or --all, gets one row in the report: deleted,
    /// absent, kept, failed, unknown, invalid or duplicate. Requests stay within --rate, temporary failures are
    /// retried, and an interrupted job is resumed with --resume. Before anything is sent, files are read once to
    /// count and check the keys, and you are asked to confirm.
    Delete(Box<DeleteArgs>),
    /// List the keys of a namespace, in a format that delete reads
    ///
    /// Writes names page by page within --rate; memory grows by about 24 bytes per key. stdout carries only the list; a
    /// listing into a file is resumed with --resume.
    List(Box<ListArgs>),
    /// Restore the keys of a backup
    ///
    /// Writes values, metadata and expirations exactly as they were, and never over an existing key unless
    /// --overwrite-values is given. Records that have expired are reported as invalid. An interrupted restore is
    /// resumed with --resume.
    Restore(Box<RestoreArgs>),
    /// List the namespaces of an account, with id and title
    ///
    /// One per line, the id first, sorted by title.
    Namespaces(Box<NamespacesArgs>),
    /// Check the credentials and show what they can access
    ///
    /// Prints a checklist of what can be checked without changing anything: ✓ works, ✗ does not, ? is unknown. Verifies the
    /// token, reads its policies if it can, recognises the session of `wrangler login`, and checks the account and the
    /// namespace. The exit code is 7 if something is refused.
    Whoami(Box<WhoamiArgs>),
    /// Summarise finished reports as text, JSON or HTML
    ///
    /// Counts, causes of failure with sample keys, requests and time per key, and a timeline with pauses; for one
    /// report, or for the parts of a sharded job together. --diff compares a dry run with what was done.
    Report(Box<ReviewArgs>),
    /// Show the effective settings and where each comes from
    ///
    /// A profile is a named set of flags in kvsweep.toml: account, namespace, rate, protected keys, report and more.
    /// A flag overrides the environment, which overrides the profile.
    Config(ConfigArgs),
    /// Serve the KV API from memory, to rehearse and test
    ///
    /// Listens on loopback. It imitates the real service: responses, key rules, limits, and the block after too many
    /// requests. Each namespace has its own keys; namespaces can be created, renamed and deleted. Its contents are
    /// gone when it ends.
    Sandbox(SandboxArgs),
    /// Print shell completions
    ///
    /// A script that lets the shell complete commands, flags and files.
    Completions(CompletionsArgs),
    /// Print the manual, or write its pages into a folder
    ///
    /// As man pages: one for kvsweep, and one for each subcommand.
    Man(ManArgs),
}

impl Cli {
    /// What the log is to be like.
    pub fn log_options(&self) -> LogOptions {
        match &self.command {
            Command::Delete(args) => args.output.log.options(),
            Command::List(args) => args.output.log.options(),
            Command::Restore(args) => args.output.log.options(),
            Command::Namespaces(args) => args.log.options(),
            Command::Whoami(args) => args.log.options(),
            Command::Report(args) => args.log.options(),
            Command::Config(args) => args.command.log().options(),
            Command::Sandbox(args) => args.log.options(),
            Command::Completions(_) | Command::Man(_) => LogOptions::default(),
        }
    }
}
