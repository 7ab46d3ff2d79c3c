//! Single calls outside of the stream of keys: each made patiently, and told of while it waits.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep_until};

use crate::api::answer::Reply;
use crate::exit::ExitCode;
use crate::outcome::{Stop, StopReason};
use crate::pipeline::RetryPolicy;
use crate::pipeline::call::{ApiCaller, CallError, RetryNotice};
use crate::pipeline::retry::Failure;
use crate::quota::Rate;
use crate::terminal::{Escaped, duration};

use super::error::Error;
use super::runtime::runtime;
use super::signals;
use super::summary::advice;

/// How a command asks that makes nothing but single calls.
#[derive(Debug, Clone)]
pub struct CallOptions {
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

impl ApiCaller {
    /// ApiCaller of a job that makes its first request now.
    pub(super) fn start(rates: &[Rate], policy: RetryPolicy, max_wait: Duration) -> Self {
        Self::new(rates, policy, max_wait, StdRng::from_rng(&mut rand::rng()))
    }

    /// Makes a call until it has a result; `what` cannot be read meanwhile.
    pub(super) async fn make<T, Fut>(&mut self, what: &str, call: impl Fn() -> Fut) -> Result<T, CallError>
    where
        Fut: Future<Output = Result<T, Reply>>,
    {
        self.call_with_retry(|waiting| warn(what, &waiting), call).await
    }
}

/// `what` cannot be read yet.
pub(super) fn warn(what: &str, waiting: &RetryNotice<'_>) {
    let (error, wait) = (waiting.failure.to_string(), duration(waiting.wait));
    tracing::warn!("{what} cannot be read yet: {}; trying again in {wait}", Escaped(&error));
}

/// The end of a job that needs `what`, which the server is there for and does not give.
pub(super) fn refused(what: &str, failure: &Failure, otherwise: StopReason) -> Stop {
    let reason = match failure.http_status {
        Some(401 | 403) => StopReason::Unauthorized,
        _ => otherwise,
    };
    let why = format!("{what} cannot be read: {failure}; is --base-url right?");
    // Without a code it was not the API that answered, but a firewall, say, or a server of another kind.
    Stop { from_api: failure.detail.error_code.is_some(), ..Stop::new(reason, why) }
}

/// Runs a command that makes nothing but single calls, to its end, a signal or the deadline.
pub(super) fn ask<T>(
    call_options: &CallOptions,
    work: impl AsyncFnOnce(&mut ApiCaller) -> Result<T, Stop>,
) -> Result<Result<T, Stop>, Error> {
    runtime()?.block_on(async {
        let mut signals = signals::listen();
        let started = Instant::now();
        let mut caller = ApiCaller::start(&call_options.rates, call_options.retry, call_options.max_wait);
        let deadline = call_options.deadline.map(|deadline| started + deadline);
        Ok(tokio::select! {
            biased;
            Some(signal) = signals.recv() => Err(Stop::signalled(signal)),
            done = work(&mut caller) => done,
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
