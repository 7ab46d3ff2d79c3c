//! The command line: clap definitions, their help, and the checks that need no file and no network. `resolve` turns it into
//! one typed job per command; nothing here is passed further down.
//!
//! - [`args`]: the command itself and its subcommands
//! - [`delete`]: `kvsweep delete`; what it shares with others in [`pace`], [`monitoring`], [`connection`] and [`output`]
//! - [`list`]: `kvsweep list`; [`namespaces`] and [`whoami`]: namespaces and credentials
//! - [`restore`]: `kvsweep restore`
//! - [`review`]: `kvsweep report`
//! - [`sandbox`]: `kvsweep sandbox`; [`config`]: `kvsweep config`
//! - [`completions`] and [`man`]: generated from these definitions
//! - [`help`]: how help is laid out
//! - [`profile`]: `--profile`, and what a profile adds to a command line
//! - [`value`]: how single values are read
//! - [`mistake`]: what is wrong with a command line, in words
//! - [`conflict`]: flags that contradict each other
//! - [`parse`]: a command line and the environment, read and checked
//! - [`unstarted`](mod@unstarted): what is monitored of a job that cannot begin

mod access;
pub(crate) mod args;
mod auto_shard;
pub(crate) mod completions;
pub(crate) mod config;
mod conflict;
pub(crate) mod connection;
pub(crate) mod delete;
mod environment;
mod help;
pub(crate) mod list;
pub(crate) mod man;
mod mistake;
pub(crate) mod monitoring;
pub(crate) mod namespaces;
pub(crate) mod output;
pub(crate) mod pace;
pub(crate) mod parse;
mod patterns;
pub(crate) mod profile;
pub(crate) mod resolve;
pub(crate) mod restore;
pub(crate) mod review;
pub(crate) mod sandbox;
mod unstarted;
pub(crate) mod value;
pub(crate) mod whoami;

pub use args::{Cli, Command};
pub use completions::CompletionsArgs;
pub use config::ConfigArgs;
pub use delete::DeleteArgs;
pub use list::ListArgs;
pub use man::ManArgs;
pub use mistake::print_usage;
pub use namespaces::NamespacesArgs;
pub use parse::parse_from;
pub use restore::RestoreArgs;
pub use review::ReviewArgs;
pub use sandbox::SandboxArgs;
pub use unstarted::{unparsed, unstarted};
pub use whoami::WhoamiArgs;

#[cfg(test)]
mod tests;
