//! Single calls outside of the stream of keys: each made patiently, and told of while it waits.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep_until};

use crate::api::answer::Reply;
use crate::exit::ExitCode;
use crate::outcome::StopReason;
use crate::pipeline::call::{Calls, Failed, Waiting};
use crate::pipeline::retry::Verdict;
use crate::pipeline::{RetryPolicy, Stop};
use crate::quota::Rate;
use crate::terminal::{Escaped, duration};

use super::error::Error;
use super::runtime::runtime;
use super::signals;
use super::summary::advice;

/// How a command asks that makes nothing but single calls.
#[derive(Debug, Clone)]
pub struct Patience {
    /// The rates to keep; none for no limit.
    pub rates: Vec<Rate>,
    /// How often and how soon a call is repeated.
    pub retry: RetryPolicy,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// The longest pause that is waited out.
    pub max_wait: Duration,
    /// How long all calls together may take.
    pub deadline: Option<Duration>,
}

impl Calls {
    /// Calls of a job that makes its first request now.
    pub(super) fn start(rates: &[Rate], policy: RetryPolicy, max_wait: Duration) -> Self {
        Self::new(rates, policy, max_wait, StdRng::from_rng(&mut rand::rng()))
    }

    /// Makes a call until it has a result; `what` cannot be read meanwhile.
    pub(super) async fn make<T, Fut>(&mut self, what: &str, call: impl Fn() -> Fut) -> Result<T, Failed>
    where
        Fut: Future<Output = Result<T, Reply>>,
    {
        self.call_with_retry(|waiting| warn(what, &waiting), call).await
    }
}

/// `what` cannot be read yet.
pub(super) fn warn(what: &str, waiting: &Waiting<'_>) {
    let (error, wait) = (waiting.verdict.to_string(), duration(waiting.wait));
    tracing::warn!("{what} cannot be read yet: {}; trying again in {wait}", Escaped(&error));
}

/// The end of a job that needs `what`, which the server is there for and does not give.
pub(super) fn refused(what: &str, verdict: &Verdict, otherwise: StopReason) -> Stop {
    let reason = match verdict.http_status {
        Some(401 | 403) => StopReason::Unauthorized,
        _ => otherwise,
    };
    let why = format!("{what} cannot be read: {verdict}; is --base-url right?");
    // Without a code it was not the API that answered, but a firewall, say, or a server of another kind.
    Stop { told: verdict.detail.error_code.is_some(), ..Stop::new(reason, why) }
}

/// Runs a command that makes nothing but single calls, to its end, a signal or the deadline.
pub(super) fn ask<T>(
    patience: &Patience,
    work: impl AsyncFnOnce(&mut Calls) -> Result<T, Stop>,
) -> Result<Result<T, Stop>, Error> {
    runtime()?.block_on(async {
        let mut signals = signals::listen();
        let started = Instant::now();
        let mut calls = Calls::start(&patience.rates, patience.retry, patience.max_wait);
        let deadline = patience.deadline.map(|deadline| started + deadline);
        Ok(tokio::select! {
            biased;
            Some(signal) = signals.recv() => Err(Stop::signalled(signal)),
            done = work(&mut calls) => done,
            () = sleep_until(deadline.unwrap_or(started)), if deadline.is_some() => {
                Err(Stop::new(StopReason::Deadline, "the deadline came"))
            }
        })
    })
}

/// Says why such a command did not come to its end.
pub(super) fn stopped(stop: &Stop) -> ExitCode {
    let next = advice(stop).map(|advice| format!("; {advice}")).unwrap_or_default();
    tracing::error!("{}{next}", Escaped(&stop.why));
    ExitCode::for_stop(stop.reason, stop.signal)
}
