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
  kvsweep delete keys.csv --dry-run      see what would be deleted
  kvsweep delete keys.csv --sandbox      rehearse it against a server in memory
  kvsweep delete keys.csv                do it, after a question";

/// The usual one without an empty line, so that everything stays within 24 lines.
const TEMPLATE: &str = "{about-with-newline}{usage-heading} {usage}\n\n{all-args}{after-help}";

const AFTER_LONG_HELP: &str = "\
Examples:
  kvsweep delete keys.csv --dry-run      see what would be deleted
  kvsweep delete keys.csv --sandbox      rehearse it against a server in memory
  kvsweep delete keys.csv                do it, after a question

Exit codes:
  0    every key is gone or kept on purpose, or the dry run found nothing wrong
  1    an input or the report cannot be read or written, or a bug
  2    wrong usage or not confirmed: nothing was sent
  3    finished, but some keys are failed, unknown or invalid: resume with --resume
  5    stopped for a temporary reason (outage, daily limit, deadline): --resume later
  7    stopped by a fatal response: wrong credentials, account or namespace
  8    stopped by --max-keys or --max-failures
  11   another run holds the report
  129  the terminal is gone (SIGHUP): resume with --resume
  130  interrupted (SIGINT): resume with --resume
  143  terminated (SIGTERM): resume with --resume

`kvsweep delete --help` explains every flag.";

/// `0.1.0 (commit 0123456789ab, x86_64-unknown-linux-gnu)`
const LONG_VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("KVSWEEP_BUILD"), ")");

/// Deletes keys from a Cloudflare Workers KV namespace in bulk.
///
/// Reads keys from files or stdin, deletes each of them within the API's rate limits, and writes a report with
/// one row for every record. An interrupted job resumes with --resume.
#[derive(Debug, Clone, PartialEq, Parser)]
#[command(name = "kvsweep", version, long_version = LONG_VERSION, max_term_width = 100, arg_required_else_help = true)]
#[command(help_template = TEMPLATE, after_help = AFTER_HELP, after_long_help = AFTER_LONG_HELP)]
pub struct Cli {
    /// What to do.
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
    /// Delete the keys of files or of a prefix, and report on each
    ///
    /// Every record of the inputs, or key that is listed with --prefix or --all, gets one row in the report: deleted,
    /// absent, kept, failed, unknown, invalid or duplicate. Requests stay within --rate, temporary failures are retried, and a
    /// job that ends early resumes with --resume. Before anything is sent, files are read once to count and check
    /// the keys, and you are asked.
    Delete(Box<DeleteArgs>),
    /// List the keys of a namespace, ready to be an input of delete
    ///
    /// Streams names page by page within --rate and in constant memory. stdout carries nothing but the list; a listing
    /// into a file resumes with --resume.
    List(Box<ListArgs>),
    /// Put back what a backup of delete holds
    ///
    /// Values, metadata and expirations are written exactly as they were, never over a key that is there now unless
    /// --overwrite-values is given. What has expired meanwhile is skipped with a row that says so. A restore that ends early
    /// resumes with --resume.
    Restore(Box<RestoreArgs>),
    /// List the namespaces of an account, with id and title
    ///
    /// A line each, the id first, sorted by title.
    Namespaces(Box<NamespacesArgs>),
    /// Check the credentials and show what they can access
    ///
    /// Prints a checklist of what can be seen without changing anything: ✓ works, ✗ does not, ? is not known. It verifies
    /// the token, reads its policies if it may, recognises the session of `wrangler login`, and looks at the account and
    /// the namespace. The exit code is 7 if something is refused.
    Whoami(Box<WhoamiArgs>),
    /// Summarise finished reports as text, JSON or HTML
    ///
    /// Counts, causes of failure with sample keys, requests and time per key, what was sent when and the pauses between;
    /// for one report, or for the parts of a sharded job together. --diff compares a dry run with what was done.
    Report(Box<ReviewArgs>),
    /// Show the effective settings and where each comes from
    ///
    /// A profile is a set of flags that goes by a name in kvsweep.toml: account, namespace, rate, protected keys, report
    /// and more. A flag wins over the environment, and that over the profile.
    Config(ConfigArgs),
    /// Serve the KV API from memory, to rehearse and test
    ///
    /// On loopback of this machine. It behaves as the real service does: the same answers, key rules, limits, and block
    /// after too many requests. What it holds is gone when it ends.
    Sandbox(SandboxArgs),
    /// Print the completions of a shell
    ///
    /// A script that lets the shell complete commands, flags and files.
    Completions(CompletionsArgs),
    /// Print the manual, or write its pages into a folder
    ///
    /// In the form that man reads: a page for kvsweep, and one for each subcommand.
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
