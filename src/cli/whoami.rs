//! `kvsweep whoami`.

use clap::{ArgAction, ArgMatches, Args};

use super::conflict::FlagConflict;
use super::connection::ConnectionArgs;
use super::output::LogArgs;
use super::pace::RequestArgs;
use super::profile::ProfileArgs;

const AFTER_HELP: &str = "\
Examples:
  kvsweep whoami                         is the token valid?
  kvsweep whoami --namespace sessions    can it access this namespace?";

/// The flags of `kvsweep whoami`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = AFTER_HELP, disable_help_flag = true)]
pub struct WhoamiArgs {
    /// Print the result as one JSON object
    ///
    /// Its members: `credentials, token, user, account, accounts, namespace, exit_code`.
    #[arg(long, help_heading = "Output")]
    pub json: bool,

    /// The log.
    #[command(flatten, next_help_heading = "Output")]
    pub log: LogArgs,

    /// How single requests are paced and repeated.
    #[command(flatten, next_help_heading = "Pace")]
    pub requests: RequestArgs,

    /// Which namespace, and who asks.
    #[command(flatten, next_help_heading = "Connection")]
    pub connection: ConnectionArgs,

    /// Which profile.
    #[command(flatten, next_help_heading = "Connection")]
    pub profile: ProfileArgs,

    /// Show the most used flags (-h) or all flags (--help)
    #[arg(long, short, action = ArgAction::Help, help_heading = "Output")]
    help: Option<bool>,
}

impl WhoamiArgs {
    /// Finds conflicts that clap cannot see, because they depend on values.
    pub(super) fn check(&mut self, matches: &ArgMatches) -> Result<(), FlagConflict> {
        self.connection.resolve_conflicts(matches)?;
        self.requests.check()
    }
}
