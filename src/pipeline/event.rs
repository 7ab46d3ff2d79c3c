//! What a running job reports to a listener (the progress display, the log).

use tokio::time::Instant;

use crate::outcome::{Status, StopReason};

/// Something that happened. Sent synchronously from the loop that decides, so a listener has to be quick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A record has its final state, and its row goes to the report.
    Settled(Status),
    /// A record was settled by an earlier run of this job.
    Resumed,
    /// A request is sent that repeats an earlier one.
    Retrying,
    /// Nothing is sent before `until`.
    Paused {
        /// When sending resumes; a later `Paused` replaces it.
        until: Instant,
        cause: PauseCause,
    },
    /// Sending resumes after a pause.
    Running,
    /// No new request is started; `in_flight` are still waited for.
    Draining {
        /// Why the job ends early.
        reason: StopReason,
        /// Requests whose answers are outstanding.
        in_flight: usize,
    },
}

/// Why nothing is sent for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseCause {
    /// The server asked for a pause: a 429, or another temporary status with `Retry-After`.
    Throttled,
    /// The rates that are kept allow nothing more for now.
    Rate,
    /// Most recent attempts failed for temporary reasons; one probe at a time is sent.
    Outage,
}
