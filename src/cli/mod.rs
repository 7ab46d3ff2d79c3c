//! The command line: clap definitions, their help, and the checks that need no file and no network. `resolve` turns it into
//! one typed job per command; nothing here is passed further down.
//!
//! - [`args`]: the command itself and its subcommands
//! - [`delete`]: `kvsweep delete`, its groups of flags in [`input`], [`namespace`], [`safety`], [`report`], [`pace`],
//!   [`schedule`], [`connection`] and [`output`]
//! - [`list`]: `kvsweep list`; [`namespaces`] and [`whoami`]: namespaces and credentials
//! - [`restore`]: `kvsweep restore`
//! - [`review`]: `kvsweep report`
//! - [`sandbox`]: `kvsweep sandbox`; [`config`]: `kvsweep config`
//! - [`completions`] and [`man`]: generated from these definitions
//! - [`profile`]: `--profile`, and what a profile adds to a command line
//! - [`value`]: how single values are read
//! - [`parse`]: a command line and the environment, read and checked

mod access;
pub mod args;
pub mod completions;
pub mod config;
mod conflict;
pub mod connection;
pub mod delete;
mod environment;
mod filter;
pub mod input;
pub mod list;
pub mod man;
pub mod namespace;
pub mod namespaces;
pub mod output;
pub mod pace;
pub mod parse;
pub mod profile;
pub mod report;
pub mod resolve;
pub mod restore;
pub mod review;
pub mod safety;
pub mod sandbox;
pub mod schedule;
mod scheduler;
mod secret;
pub mod value;
pub mod whoami;

pub use args::{Cli, Command};
pub use completions::CompletionsArgs;
pub use config::ConfigArgs;
pub use delete::DeleteArgs;
pub use list::ListArgs;
pub use man::ManArgs;
pub use namespaces::NamespacesArgs;
pub use parse::parse_from;
pub use restore::RestoreArgs;
pub use review::ReviewArgs;
pub use sandbox::SandboxArgs;
pub use whoami::WhoamiArgs;

#[cfg(test)]
mod tests;
