//! How fast, how often, how long.

use std::time::Duration;

use clap::Args;

use super::value::{duration, nonzero_duration, rate, whole};
use crate::quota::Rate;

/// How single requests are paced and repeated; for every command that sends.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct RequestArgs {
    /// Send at most N requests in any DURATION, or none for no limit
    ///
    /// Repeatable; all rates apply at once, and retries count. One --rate replaces the defaults, which are
    /// Cloudflare's limits per user and per IP address. All tokens of a user and the dashboard share the user's limit,
    /// so leave some for them; a token that the account owns has its own. For delete and restore in a namespace with mode
    /// instant, the default is 1/1s. In the environment, separate rates by commas.
    #[arg(long = "rate", value_name = "N/DURATION", env = "KVSWEEP_RATE", value_delimiter = ',')]
    #[arg(default_values = ["1200/5m", "200/1s"], value_parser = rate)]
    pub rates: Vec<std::option::Option<Rate>>,

    /// Whether a flag or the environment gave the rates.
    #[arg(skip)]
    pub rates_given: bool,

    /// Retry a request up to N times after a temporary failure
    ///
    /// Backs off exponentially from 250 ms to 30 s, with jitter. A pause that Cloudflare asks for (HTTP 429) uses up
    /// no retries.
    #[arg(long, value_name = "N", env = "KVSWEEP_RETRIES", default_value = "8", value_parser = whole::<u32>(0, 1_000_000))]
    pub retries: u32,

    /// Give up an attempt after DURATION and retry it
    ///
    /// Counted from connecting to the end of the response.
    #[arg(long, value_name = "DURATION", env = "KVSWEEP_TIMEOUT", default_value = "30s")]
    #[arg(value_parser = nonzero_duration, hide_short_help = true)]
    pub timeout: Duration,

    /// Stop after DURATION without a successful request
    ///
    /// Counts pauses that Cloudflare asks for, outages and missing responses, from the first request on; not the time
    /// spent waiting for --rate, input or confirmation. If Cloudflare asks for a longer pause, kvsweep stops at once
    /// (exit code 5).
    #[arg(long, value_name = "DURATION", env = "KVSWEEP_MAX_WAIT", default_value = "15m")]
    #[arg(value_parser = duration, hide_short_help = true)]
    pub max_wait: Duration,

    /// Stop after DURATION, finishing requests in flight
    ///
    /// Counted from the first request. The exit code is 5. By default there is no limit.
    #[arg(long, value_name = "DURATION", env = "KVSWEEP_DEADLINE", value_parser = nonzero_duration)]
    pub deadline: Option<Duration>,
}

/// How many requests are in flight, and what becomes of them at the end.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct InFlightArgs {
    /// Send up to N requests at once (1 to 1,024)
    ///
    /// Values above what --rate allows have no effect.
    #[arg(long, value_name = "N", env = "KVSWEEP_CONCURRENCY", default_value = "32", hide_short_help = true)]
    #[arg(value_parser = whole::<u16>(1, 1_024))]
    pub concurrency: u16,

    /// Wait up to DURATION for requests in flight when the job stops
    ///
    /// Requests without a response by then are reported as unknown. A second signal ends the wait.
    #[arg(long, value_name = "DURATION", env = "KVSWEEP_GRACE", default_value = "10s")]
    #[arg(value_parser = duration, hide_short_help = true)]
    pub grace: Duration,
}
