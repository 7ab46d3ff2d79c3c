//! `kvsweep namespaces`.

use clap::Args;

use super::connection::AccountArgs;
use super::output::LogArgs;
use super::pace::RequestArgs;

/// The flags of `kvsweep namespaces`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct NamespacesArgs {
    /// Print a JSON array of objects
    ///
    /// Their members: `id, title, supports_url_encoding`, and, if the namespace has them, `jurisdiction, mode`.
    #[arg(long, help_heading = "Output")]
    pub json: bool,

    #[command(flatten, next_help_heading = "Output")]
    pub log: LogArgs,

    #[command(flatten, next_help_heading = "Pace")]
    pub requests: RequestArgs,

    #[command(flatten, next_help_heading = "Connection")]
    pub account: AccountArgs,
}
