//! Whether the server is down: closed (up), open (wait), probing (one request is in flight), ramping up.
//!
//! The breaker opens when the *first* attempts of several keys in a row failed for temporary reasons and nothing
//! succeeded in between. Retries are not counted against the server: at the end of a job only the few keys that
//! the server cannot delete are left, and they must not look like an outage. For the same reason a server that
//! answers for the namespace while deletes fail, when no untried key is left to probe with, is taken to be up: those
//! keys are then tried on their own account. Any answer that shows the server at work closes the breaker.

use std::time::Duration;

use tokio::time::Instant;

use crate::api::answer::Answer;
use crate::pipeline::retry::History;

/// So many first attempts in a row fail before the breaker opens; fewer if the job has fewer requests to make.
const OPENS_AFTER: u32 = 8;

/// The fewest failures that are not one key's own fault.
const AT_LEAST: u32 = 2;

/// So many attempts in a row fail, retries among them, before the server is no longer taken to be well. If one in ten
/// fails by chance, that is one time in a thousand.
const UNWELL_AFTER: u32 = 3;

/// The first wait before a probe, and the longest.
const PROBE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How many requests in a row have to fail before it is the server's fault and not one key's, in a job that takes at
/// least so many `requests`.
pub(crate) fn enough_failures(requests: u64) -> u32 {
    u32::try_from(requests).unwrap_or(u32::MAX).clamp(AT_LEAST, OPENS_AFTER)
}

/// What the breaker allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowance {
    /// So many requests in flight.
    InFlight(usize),
    Probe,
    /// None before this moment.
    NotBefore(Instant),
    /// None before the probe was answered.
    AwaitProbe,
}

/// What an attempt shows about the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    /// It works.
    Up,
    /// It failed for a temporary reason; at the first attempt of this key or later.
    Down {
        /// Whether it was the key's first attempt.
        first_attempt: bool,
    },
}

impl Health {
    /// `None` if it was only about the connection, the quota or the token.
    pub(crate) fn of(answer: &Answer, history: History, first_attempt: bool) -> Option<Self> {
        match answer {
            Answer::Success | Answer::Absent(_) | Answer::Refused(_) | Answer::DailyLimit(_) | Answer::Fatal(..) => {
                Some(Self::Up)
            }
            Answer::Transient(_) => Some(Self::Down { first_attempt }),
            Answer::ConnectionClosed { unprocessed, .. } if !history.allows_resend(*unprocessed) => {
                Some(Self::Down { first_attempt })
            }
            Answer::ConnectionClosed { .. } | Answer::Throttled { .. } | Answer::TokenReplaced(_) => None,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct CircuitBreaker {
    state: State,
    concurrency: usize,
    /// First attempts that failed since the last success.
    failed_in_a_row: u32,
    /// The same of reads, which say nothing about deletes.
    failed_reads: u32,
    /// The same of both, with no success of either in between.
    failed_of_both: u32,
    /// The server responds, except for the keys that are left: stays closed until one of them is deleted.
    forced_closed: bool,
    /// The last probe met a connection that was closed, which may have been an idle one.
    last_probe_reset: bool,
    /// Attempts of any kind that failed since the last success; counted as far as `UNWELL_AFTER`.
    failures: u32,
    /// Successes so far.
    pub(crate) successes: u64,
    /// The same without reads, so that failures since the last one can be counted.
    pub(crate) epoch: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open { probe_at: Instant, wait: Duration },
    Probing { wait: Duration },
    Ramping { allowed: usize },
}

impl CircuitBreaker {
    /// A closed breaker over at most `concurrency` requests in flight.
    pub(crate) fn new(concurrency: usize) -> Self {
        Self {
            state: State::Closed,
            concurrency,
            failed_in_a_row: 0,
            failed_reads: 0,
            failed_of_both: 0,
            forced_closed: false,
            last_probe_reset: false,
            failures: 0,
            successes: 0,
            epoch: 0,
        }
    }

    /// What decides, without times.
    #[cfg(test)]
    pub(crate) fn fingerprint(&self) -> impl std::hash::Hash + use<> {
        let state = match self.state {
            State::Closed => (0, 0),
            State::Open { .. } => (1, 0),
            State::Probing { .. } => (2, 0),
            State::Ramping { allowed } => (3, allowed),
        };
        let failed = (self.failed_in_a_row, self.failed_reads, self.failed_of_both, self.failures);
        (state, failed, self.forced_closed, self.last_probe_reset, self.successes > 0)
    }

    /// What may be sent now.
    pub(crate) fn allowance(&self, now: Instant) -> Allowance {
        match self.state {
            State::Closed => Allowance::InFlight(self.concurrency),
            State::Ramping { allowed } => Allowance::InFlight(allowed),
            State::Open { probe_at, .. } if probe_at <= now => Allowance::Probe,
            State::Open { probe_at, .. } => Allowance::NotBefore(probe_at),
            State::Probing { .. } => Allowance::AwaitProbe,
        }
    }

    /// The probe that was allowed was sent.
    pub(crate) fn probe_sent(&mut self) {
        if let State::Open { wait, .. } = self.state {
            self.state = State::Probing { wait };
        }
    }

    pub(crate) fn is_down(&self) -> bool {
        matches!(self.state, State::Open { .. } | State::Probing { .. })
    }

    /// Whether the server is up, and one of the last attempts that show anything about it succeeded.
    pub(crate) fn is_well(&self) -> bool {
        self.successes > 0 && self.failures < UNWELL_AFTER && !self.is_down()
    }

    /// Whether the last attempts failed, and it is not known yet if that is the server's fault or a few keys'.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.failures >= UNWELL_AFTER && !self.forced_closed && !self.is_down()
    }

    pub(crate) fn namespace_answered(&mut self) {
        (self.failed_in_a_row, self.failed_of_both) = (0, 0);
        self.forced_closed = true;
        self.state = State::Ramping { allowed: 1 };
    }

    /// The probe's connection was closed without an answer: perhaps it had only been idle for too long, so probe again
    /// at once. A second time in a row it is the server.
    pub(crate) fn probe_was_reset(&mut self, now: Instant) {
        if std::mem::replace(&mut self.last_probe_reset, true) {
            self.observe(Health::Down { first_attempt: false }, true, 0, now);
        } else {
            self.probe_said_nothing(now);
        }
    }

    /// The response to the probe says nothing about the server (a 429): probe again at once.
    pub(crate) fn probe_said_nothing(&mut self, now: Instant) {
        if let State::Probing { wait } = self.state {
            self.state = State::Open { probe_at: now, wait };
        }
    }

    /// As [`CircuitBreaker::observe`], of an attempt to read. That reads are answered does not hide that deletes are not: it
    /// closes the breaker only if it was the probe.
    pub(crate) fn observe_read(&mut self, health: Health, probe: bool, requests: u64, now: Instant) {
        if health == Health::Up && !probe && self.is_down() {
            self.failed_reads = 0;
            self.successes += 1;
            return;
        }
        let (forced_closed, epoch) = (self.forced_closed, self.epoch);
        std::mem::swap(&mut self.failed_in_a_row, &mut self.failed_reads);
        self.observe(health, probe, requests, now);
        std::mem::swap(&mut self.failed_in_a_row, &mut self.failed_reads);
        (self.forced_closed, self.epoch) = (forced_closed, epoch);
    }

    /// Counts an attempt. `requests` is how many the keys that the job has seen so far take at least.
    pub(crate) fn observe(&mut self, health: Health, probe: bool, requests: u64, now: Instant) {
        self.last_probe_reset &= !probe && health != Health::Up;
        self.successes += u64::from(health == Health::Up);
        self.epoch += u64::from(health == Health::Up);
        self.failures = if health == Health::Up { 0 } else { (self.failures + 1).min(UNWELL_AFTER) };
        match (health, self.state) {
            (Health::Up, state) => {
                (self.failed_in_a_row, self.failed_of_both) = (0, 0);
                self.forced_closed = false;
                self.state = match state {
                    State::Closed => State::Closed,
                    State::Ramping { allowed } if allowed + 1 >= self.concurrency => State::Closed,
                    State::Ramping { allowed } => State::Ramping { allowed: allowed + 1 },
                    State::Open { .. } | State::Probing { .. } => State::Ramping { allowed: 1 },
                };
            }
            (Health::Down { .. }, State::Probing { wait }) if probe => {
                let wait = (wait * 2).min(PROBE.1);
                self.state = State::Open { probe_at: now + wait, wait };
            }
            (Health::Down { .. }, State::Open { .. } | State::Probing { .. })
            | (Health::Down { first_attempt: false }, State::Closed) => {}
            (Health::Down { .. }, _) if self.forced_closed => {}
            // While few requests are allowed, retries go first and no key may have its first attempt.
            (Health::Down { .. }, State::Closed | State::Ramping { .. }) => {
                self.failed_in_a_row += 1;
                self.failed_of_both += 1;
                let failed = self.failed_in_a_row.max(self.failed_of_both);
                if failed >= enough_failures(requests) {
                    self.state = State::Open { probe_at: now + PROBE.0, wait: PROBE.0 };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
