//! How fast, how often, how long.

use std::time::Duration;

use clap::Args;

use super::conflict::FlagConflict;
use super::value::{bulk, duration, nonzero_duration, rate};
use crate::pipeline::Batching;
use crate::quota::Rate;

/// How single requests are paced and repeated; for every command that sends.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct RequestArgs {
    /// At most N requests in any DURATION, or none
    ///
    /// Repeatable, and retries count too. All rates hold at once, and giving one replaces the defaults, which are Cloudflare's limits
    /// for a user and for an address. The first is shared by everything that user does: leave room for it. none
    /// stands for no limit and stands alone. A namespace in instant mode has 1/1s as its default. In the environment and after one flag several are separated by
    /// commas.
    #[arg(long = "rate", value_name = "N/DURATION", env = "KVSWEEP_RATE", value_delimiter = ',')]
    #[arg(default_values = ["1200/5m", "200/1s"], value_parser = rate)]
    pub rates: Vec<std::option::Option<Rate>>,

    /// Whether a flag, the environment or the profile gave the rates.
    #[arg(skip)]
    pub rates_given: bool,

    /// Retry a call up to N times after a temporary failure
    ///
    /// Waits back off exponentially from 250 ms to 30 s, with jitter. A pause that the server asks for (429)
    /// costs no retry.
    #[arg(long, value_name = "N", env = "KVSWEEP_RETRIES", default_value = "8")]
    pub retries: u32,

    /// End an attempt after DURATION
    ///
    /// From connecting to the end of the response. An attempt that takes longer is retried.
    #[arg(long, value_name = "DURATION", env = "KVSWEEP_TIMEOUT", default_value = "30s")]
    #[arg(value_parser = nonzero_duration, hide_short_help = true)]
    pub timeout: Duration,

    /// Stop after DURATION without a successful request
    ///
    /// Counts pauses that the server asks for, outages and responses that never come, from the first request on; not the
    /// time spent on --rate, input or the prompt. If the server asks for a longer pause, the job stops at once (exit code 5).
    #[arg(long, value_name = "DURATION", env = "KVSWEEP_MAX_WAIT", default_value = "15m")]
    #[arg(value_parser = duration, hide_short_help = true)]
    pub max_wait: Duration,

    /// Stop after DURATION, with what is in flight finished
    ///
    /// Counted from the first request. The exit code is 5, and --resume continues if the job has a report. Without it there is no limit.
    #[arg(long, value_name = "DURATION", env = "KVSWEEP_DEADLINE", value_parser = nonzero_duration)]
    pub deadline: Option<Duration>,
}

impl RequestArgs {
    pub(super) fn check(&self) -> Result<(), FlagConflict> {
        if self.rates.len() > 1 && self.rates.contains(&None) {
            return FlagConflict::conflict("--rate none cannot be used with another --rate");
        }
        Ok(())
    }
}

/// How fast, how often, how long.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct PaceArgs {
    /// How single requests are paced and repeated.
    #[command(flatten)]
    pub requests: RequestArgs,

    /// Delete up to N keys with one request, 1 to 10000 (10000 without =N)
    ///
    /// The environment and profiles have true, false or N.
    /// Within the API's limits that is up to 40,000 keys a second instead of 4. Every key still has its own row and its own
    /// retries; what the server leaves undeleted is sent again. One by one stays the default, because then each key has
    /// a response of its own.
    #[arg(long, value_name = "N", env = "KVSWEEP_BULK", num_args = 0..=1, require_equals = true)]
    #[arg(default_value = "false", default_missing_value = "true", hide_default_value = true)]
    #[arg(value_parser = bulk)]
    pub bulk: Batching,

    /// Delete one by one, whatever the environment and the profile say of --bulk
    ///
    /// Of --bulk and --no-bulk the last one holds.
    #[arg(long, overrides_with = "bulk", hide_short_help = true)]
    pub no_bulk: bool,

    /// What is in flight.
    #[command(flatten)]
    pub in_flight: InFlightArgs,
}

/// How many requests are in flight, and what becomes of them at the end.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct InFlightArgs {
    /// Send up to N requests at once, 1 to 1024
    #[arg(long, value_name = "N", env = "KVSWEEP_CONCURRENCY", default_value = "32", hide_short_help = true)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub concurrency: u16,

    /// Let requests in flight finish for up to DURATION when the job stops
    ///
    /// Those without a response by then are reported as unknown. A second signal ends the wait.
    #[arg(long, value_name = "DURATION", env = "KVSWEEP_GRACE", default_value = "10s")]
    #[arg(value_parser = duration, hide_short_help = true)]
    pub grace: Duration,
}

impl PaceArgs {
    /// How many keys a request names.
    pub fn batching(&self) -> Batching {
        if self.no_bulk { Batching::Single } else { self.bulk }
    }
}
