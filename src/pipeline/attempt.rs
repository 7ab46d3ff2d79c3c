//! The attempts at one thing: at a key in its present stage, at a page, at the namespace, or at a single call.
//!
//! A backoff spares a server that is overloaded. At the end of a job whose server is up it only costs time: one key in a
//! thousand that failed three times by chance would delay the end by seconds. So a key whose retry is due later is tried
//! speculatively before that, if nothing else is to be sent and the server is up. If it fails, it waits from the moment at
//! which it was due: it has lost a retry, but its last one comes no sooner than without speculation. That happens to
//! a key four times at most and never with its last retry; a few failures in a row end all speculation until the next success,
//! so that a server that goes down takes no retries; and a pause that the server asked for is never cut short. In bulk there
//! is none: there a call succeeds and leaves keys behind, which says nothing of them.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::Instant;

use crate::outcome::{Status, Stop};
use crate::pipeline::retry::{Failure, History};
use crate::terminal::{Escaped, duration};

/// How long a key waits before its first speculative retry; each time twice as long as before.
const FIRST_SPECULATIVE: Duration = Duration::from_millis(10);

/// How many speculative retries a key has.
const MOST_SPECULATIVE: u32 = 4;

#[derive(Debug, Clone, Default)]
pub(crate) struct Attempt {
    /// Requests sent.
    pub(crate) sent: u32,
    pub(crate) history: History,
    /// Why the last one failed.
    pub(crate) last: Option<Box<Failure>>,
    /// The moment of the next one; while it is in flight before that, it was sent speculatively.
    pub(crate) due: Option<Instant>,
    /// From when the next one may be sent speculatively, if at all, and how many were.
    pub(crate) speculative_from: Option<Instant>,
    pub(crate) speculative_tries: u32,
    /// How many failures fell into which epoch (the time between two successes), so that an outage can give them back.
    recent: (u64, u32),
}

impl Attempt {
    /// Counts a failure in this epoch, of which at most `retries` are followed by another attempt, after `wait`.
    pub(super) fn retry(&mut self, epoch: u64, retries: u32, wait: Duration, now: Instant) {
        let speculates = self.speculative_tries < MOST_SPECULATIVE && self.history.failures + 1 < retries;
        self.speculative_from = speculates.then(|| now + FIRST_SPECULATIVE * 2u32.pow(self.speculative_tries));
        // Sent speculatively, it has lost a retry, but its last one comes no sooner.
        self.due = Some(self.due.map_or(now, |due| due.max(now)) + wait);
        self.history.failures += 1;
        self.recent = match self.recent {
            (same, count) if same == epoch => (epoch, count + 1),
            _ => (epoch, 1),
        };
    }

    /// Takes back the failures of this epoch: they were the server's.
    pub(crate) fn forgive_failures(&mut self, epoch: u64) {
        if self.recent.0 == epoch {
            self.history.failures -= std::mem::take(&mut self.recent.1);
        }
    }

    /// Logs that `what` is sent again, when and why.
    pub(super) fn log_retry(&self, what: impl Display, now: Instant) {
        let Some(failure) = &self.last else { return };
        let failure = failure.to_string();
        let wait = self.due.map(|due| due.saturating_duration_since(now)).filter(|wait| !wait.is_zero());
        let wait = wait.map(|wait| format!(" in {}", duration(wait))).unwrap_or_default();
        tracing::info!("retrying {what}{wait}: {}", Escaped(&failure));
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.due.is_none_or(|due| due <= now)
    }

    /// What decides, without times and texts.
    #[cfg(test)]
    pub(crate) fn fingerprint(&self, epoch: u64) -> impl std::hash::Hash + Ord + use<> {
        let last = self.last.as_ref().map(|failure| (failure.status as u8, failure.is_transient));
        let forgivable = if self.recent.0 == epoch { self.recent.1 } else { 0 };
        let due = (self.due.is_some(), self.speculative_from.is_some(), self.speculative_tries);
        (self.sent == 0, self.history.failures, self.history.resent, last, due, forgivable)
    }
}

/// What follows from an attempt.
#[derive(Debug)]
pub(crate) enum Next {
    Success,
    /// It has another final state.
    Settle(Failure),
    /// It is sent again, before others, once it is due.
    Again,
    /// It is sent again after others: the server is down, and another key may show if it is up.
    AgainLast,
    /// The job ends; this is what became of the attempt.
    Stop(Stop, Failure),
}

/// What the failure of a request proves about its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// It is about the one key, or the server named the key.
    Named,
    /// A call for several keys whose response does not account for them: each of them may or may not be deleted.
    Unaccounted,
}

impl Proof {
    pub(crate) fn failure(self, failure: Failure) -> Failure {
        match (self, failure.status) {
            (Self::Unaccounted, Status::Failed) => Failure { status: Status::Unknown, ..failure },
            _ => failure,
        }
    }
}
