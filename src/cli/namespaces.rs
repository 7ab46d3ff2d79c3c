//! `kvsweep namespaces`.

use clap::{ArgAction, ArgMatches, Args};

use super::conflict::FlagConflict;
use super::connection::AccountArgs;
use super::output::LogArgs;
use super::pace::RequestArgs;
use super::profile::ProfileArgs;

/// The flags of `kvsweep namespaces`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(disable_help_flag = true)]
pub struct NamespacesArgs {
    /// Print a JSON array of objects
    ///
    /// Their members: `id, title, supports_url_encoding`, and, if the namespace has them, `jurisdiction, mode`.
    #[arg(long, help_heading = "Output")]
    pub json: bool,

    /// The log.
    #[command(flatten, next_help_heading = "Output")]
    pub log: LogArgs,

    /// How single requests are paced and repeated.
    #[command(flatten, next_help_heading = "Pace")]
    pub requests: RequestArgs,

    /// Which account, and who asks.
    #[command(flatten, next_help_heading = "Connection")]
    pub account: AccountArgs,

    /// Which profile.
    #[command(flatten, next_help_heading = "Connection")]
    pub profile: ProfileArgs,

    /// Show the most used flags (-h) or all flags (--help)
    #[arg(long, short, action = ArgAction::Help, help_heading = "Output")]
    help: Option<bool>,
}

impl NamespacesArgs {
    /// Finds conflicts that clap cannot see, because they depend on values.
    pub(super) fn check(&mut self, matches: &ArgMatches) -> Result<(), FlagConflict> {
        self.account.resolve_conflicts(matches)?;
        self.requests.check()
    }
}
