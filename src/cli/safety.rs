//! What keeps a mistake small.

use std::num::NonZeroU64;

use clap::Args;

use super::value::{MaxFailures, count};

/// What keeps a mistake small.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct SafetyArgs {
    /// Send nothing: check the inputs, count, estimate the time
    ///
    /// Needs no credentials. With --report it writes what would be done, and that report can be given as INPUT
    /// later, so that what was reviewed is what is deleted.
    #[arg(long, conflicts_with_all = ["sandbox", "resume", "failures"])]
    pub dry_run: bool,

    /// Rehearse: run the whole job against a server inside this process
    ///
    /// The server holds the keys of the input and some others, speaks real HTTP, and is gone afterwards. Nothing
    /// is sent anywhere else; needs no credentials.
    #[arg(long)]
    pub sandbox: bool,

    /// Do not ask before deleting
    ///
    /// Without it you are asked on the terminal; where nobody can be asked, nothing is sent and the exit code
    /// is 2.
    #[arg(long, short)]
    pub yes: bool,

    /// Delete nothing when the inputs name more than N keys
    ///
    /// Files are counted before anything is sent; a job that reads stdin stops once N keys were taken. Without
    /// it there is no limit.
    #[arg(long, value_name = "N", env = "KVSWEEP_MAX_KEYS", value_parser = count)]
    pub max_keys: Option<NonZeroU64>,

    /// Stop when N keys, or P percent of them, have failed
    ///
    /// Keys whose fate is unknown count as failed. 1 stops at the first failure. Without it there is no limit.
    #[arg(long, value_name = "N|P%", env = "KVSWEEP_MAX_FAILURES", value_parser = clap::value_parser!(MaxFailures))]
    pub max_failures: Option<MaxFailures>,
}
