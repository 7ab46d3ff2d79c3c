//! `kvsweep whoami`.

use clap::Args;

use super::connection::ConnectionArgs;
use super::output::LogArgs;
use super::pace::RequestArgs;

const AFTER_HELP: &str = "\
Examples:
  kvsweep whoami                         is the token valid?
  kvsweep whoami --namespace sessions    can it access this namespace?";

/// The flags of `kvsweep whoami`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = AFTER_HELP)]
pub struct WhoamiArgs {
    /// Print the result as one JSON object
    ///
    /// Its members: `credentials, token, user, account, accounts, namespace, exit_code`.
    #[arg(long, help_heading = "Output")]
    pub json: bool,

    #[command(flatten, next_help_heading = "Output")]
    pub log: LogArgs,

    #[command(flatten, next_help_heading = "Pace")]
    pub requests: RequestArgs,

    #[command(flatten, next_help_heading = "Connection")]
    pub connection: ConnectionArgs,
}
