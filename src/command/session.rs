//! What every command that sends requests has once: runtime, request budget, totals, random source, signals, deadline,
//! progress and retry options.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep_until};

use crate::api::answer::Reply;
use crate::outcome::{Stop, StopReason};
use crate::pipeline::Options;
use crate::pipeline::call::{ApiCaller, CallError, RetryNotice};
use crate::platform;
use crate::progress::{ProgressOptions, stderr_is_terminal};
use crate::terminal::{Escaped, duration};

use super::error::Error;
use super::job::{JobOptions, RunOptions};
use super::signals;

impl JobOptions {
    /// How progress is shown, of a job whose records are not counted yet.
    pub(super) fn progress_options(&self) -> ProgressOptions {
        ProgressOptions {
            mode: self.progress,
            stderr_is_terminal: stderr_is_terminal(),
            lines: self.lines,
            ..ProgressOptions::default()
        }
    }
}

/// What all requests of a command share.
pub(super) struct Session<'a> {
    pub(super) options: &'a JobOptions,
    pub(super) runtime: &'static Runtime,
    /// Budget, retries, random source and totals.
    pub(super) caller: ApiCaller,
    /// When the first request was made.
    pub(super) began: Option<Instant>,
}

impl<'a> Session<'a> {
    pub(super) fn new(options: &'a JobOptions) -> Result<Self, Error> {
        let rng = StdRng::from_rng(&mut rand::rng());
        let caller = ApiCaller::new(&options.rates, options.retry, options.max_wait, rng);
        Ok(Self { options, runtime: runtime()?, caller, began: None })
    }

    /// The moment at which `--deadline` ends the job; the first request is made now, if none was made before.
    pub(super) fn deadline(&mut self) -> Option<Instant> {
        let began = *self.began.get_or_insert_with(Instant::now);
        self.options.deadline.map(|deadline| began + deadline)
    }

    /// Makes single calls, until a signal or the deadline comes.
    pub(super) fn run<T>(&mut self, work: impl AsyncFnOnce(&mut ApiCaller) -> Result<T, Error>) -> Result<T, Error> {
        let deadline = self.deadline();
        let work = async {
            tokio::select! {
                biased;
                done = work(&mut self.caller) => done,
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    let hint = Some("run again with a longer --deadline".to_owned());
                    let stop = Stop::new(StopReason::Deadline, "the --deadline passed before the first key");
                    Err(Stop { hint, ..stop }.into())
                }
            }
        };
        self.runtime.block_on(signals::unless_signalled(work))?
    }

    /// The options of a pipeline that continues these calls.
    pub(super) fn pipeline_options(&mut self, run: &RunOptions) -> Options {
        Options {
            concurrency: run.concurrency,
            retry: self.options.retry,
            max_wait: self.options.max_wait,
            deadline: self.deadline(),
            grace: run.grace,
            ..Options::default()
        }
    }
}

/// A runtime that is never dropped, because that would wait for a name that is still being looked up, or for a file on a
/// disk that does not answer. The process ends soon after.
pub(super) fn runtime() -> Result<&'static Runtime, Error> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map(|runtime| &*Box::leak(Box::new(runtime))).map_err(Error::system("start the runtime"))
}

impl ApiCaller {
    /// Makes a call until it has a result. The job ends where the server refuses it: it needs `what`; `otherwise` is the
    /// reason unless the credentials are.
    pub(super) async fn call<T>(
        &mut self,
        what: &str,
        otherwise: StopReason,
        call: impl AsyncFn() -> Result<T, Reply>,
    ) -> Result<T, Stop> {
        let mut waiting = Waiting::for_answer(what, self.max_wait.most());
        let result = self.call_with_retry(|notice| waiting.warn(&notice), call).await;
        result.map_err(|error| stop(error, what, otherwise))
    }
}

/// A longer wait is one that the server asked for.
const LONG_WAIT: Duration = Duration::from_mins(1);

/// What is said while `what` cannot be read yet: once, and each long wait; the rest with `-v`.
pub(super) struct Waiting<'a> {
    what: &'a str,
    max_wait: Duration,
    is_said: bool,
}

impl<'a> Waiting<'a> {
    pub(super) fn for_answer(what: &'a str, max_wait: Duration) -> Self {
        Self { what, max_wait, is_said: false }
    }

    pub(super) fn warn(&mut self, notice: &RetryNotice<'_>) {
        let why = format!("{} cannot be read yet: {}", self.what, Escaped(&notice.failure.to_string()));
        let wait = duration(notice.wait);
        if notice.wait >= LONG_WAIT {
            tracing::warn!("{why}; trying again in {wait}");
        } else if self.is_said {
            tracing::info!("{why}; trying again in {wait}");
        } else {
            tracing::warn!("{why}; trying again for up to {}", duration(self.max_wait));
            self.is_said = true;
        }
    }
}

/// The end of a job that needs `what`.
pub(super) fn stop(error: CallError, what: &str, otherwise: StopReason) -> Stop {
    let failure = match error {
        CallError::Stop(stop) => return stop,
        CallError::Refused(failure) => failure,
    };
    let reason = if let Some(401 | 403) = failure.refusal.http_status { StopReason::Unauthorized } else { otherwise };
    // Without a code it was not the API that answered, but a firewall, say, or a server of another kind.
    let from_api = failure.refusal.code.is_some();
    let hint = (!from_api).then(|| "check --base-url: that was no response of the API".to_owned());
    Stop { hint, from_api, ..Stop::new(reason, format!("{what} cannot be read: {failure}")) }
}

/// What a signal may end at once, because nothing has to be finished.
///
/// # Errors
/// Those of `work`, and [`Error::Stopped`].
pub fn interruptible<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    or_panicked(|| signals::blocking(work).unwrap_or_else(|stop| Err(stop.into())))
}

/// A panic is an error like any other: metrics, pings and the exit code tell of it.
pub(super) fn or_panicked<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Error::Panicked))
}

/// Everything besides connections to the API: inputs, report, backup, terminal, pings, the runtime's own.
const OTHERS: u64 = 32;

/// A request's connection, and one while the host's name is looked up; in a rehearsal both ends are in this process.
const PER_REQUEST: u64 = 2;

/// Raises the soft limit of open files as far as `concurrency` requests at once need it and the hard limit allows. Fewer where
/// they do not fit, with a warning: without a descriptor every request fails as if there were no network.
pub(super) fn fit_descriptors(concurrency: usize) -> usize {
    let needed = needed(concurrency);
    let Some(allowed) = platform::fit_open_files(needed) else { return concurrency };
    let fitting = fitting(allowed).min(concurrency);
    if fitting < concurrency {
        tracing::warn!(
            "at most {fitting} requests at once instead of {concurrency}: this process may open only {allowed} files and \
             connections\nhint: raise the limit (ulimit -Hn {needed}), or pass --concurrency {fitting}"
        );
    }
    fitting
}

fn needed(concurrency: usize) -> u64 {
    OTHERS + PER_REQUEST * concurrency as u64
}

fn fitting(allowed: u64) -> usize {
    usize::try_from(allowed.saturating_sub(OTHERS) / PER_REQUEST).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::ExitCode;

    #[test]
    fn a_panic_is_an_error_with_a_code() {
        let ended = or_panicked::<ExitCode>(|| panic!("a bug"));
        assert_eq!(ended.map_err(|error| error.exit_code()), Err(ExitCode::Error));
    }

    #[test]
    fn as_many_fit_as_are_needed_for_and_never_none() {
        for concurrency in [1, 32, 1024] {
            assert_eq!(fitting(needed(concurrency)), concurrency);
        }
        assert_eq!((fitting(0), fitting(OTHERS), fitting(256)), (1, 1, 112));
    }
}
