//! `--max-wait`: how long a job has gone without a successful request.
//!
//! The clock runs while the server keeps the job waiting: a response is outstanding, the server asked for a pause, its
//! quota is used up, it is down, a failed attempt waits for its retry. It is stopped while the job waits for a rate of
//! its own, for input or for a person. A successful request sets it back to zero; a request for the namespace does not,
//! because a server that answers that may still not delete.

use std::time::Duration;

use tokio::time::Instant;

use crate::outcome::{Stop, StopReason};
use crate::pipeline::retry::Failure;
use crate::terminal::{count, duration, pluralized};

/// The clock of one job, from its first request on.
#[derive(Debug, Clone)]
pub struct MaxWait {
    most: Duration,
    /// The time that was waited before `since`.
    waited: Duration,
    /// Since when the clock runs; `None` while it is stopped.
    since: Option<Instant>,
    /// Why the last failed attempt failed.
    last: Option<String>,
    /// Attempts that failed since the last success.
    attempts: u64,
    /// Whether any request has succeeded, one for the namespace included.
    worked: bool,
}

impl MaxWait {
    /// A clock that is stopped.
    pub fn new(most: Duration) -> Self {
        Self { most, waited: Duration::ZERO, since: None, last: None, attempts: 0, worked: false }
    }

    /// How long it may be.
    pub fn most(&self) -> Duration {
        self.most
    }

    /// Whether the server keeps the job waiting from now on.
    pub fn set_running(&mut self, running: bool, now: Instant) {
        match self.since {
            None if running => self.since = Some(now),
            Some(since) if !running => {
                self.waited += now.saturating_duration_since(since);
                self.since = None;
            }
            _ => {}
        }
    }

    /// A request succeeded.
    pub fn succeeded(&mut self, now: Instant) {
        self.worked = true;
        (self.last, self.attempts) = (None, 0);
        self.waited = Duration::ZERO;
        if let Some(since) = &mut self.since {
            *since = now;
        }
    }

    /// A request for the namespace succeeded.
    pub fn namespace_found(&mut self) {
        self.worked = true;
    }

    /// An attempt failed.
    pub fn failed(&mut self, failure: &Failure) {
        self.last = Some(failure.to_string());
        self.attempts += 1;
    }

    /// Whether any request has succeeded.
    pub fn has_worked(&self) -> bool {
        self.worked
    }

    /// When it is over, if nothing succeeds before; `None` while the clock is stopped.
    pub fn ends_at(&self) -> Option<Instant> {
        self.since?.checked_add(self.most.saturating_sub(self.waited))
    }

    /// The stop, once it has lasted too long.
    pub fn exceeded(&self, now: Instant) -> Option<Stop> {
        self.ends_at().filter(|end| *end <= now).map(|_| self.over())
    }

    /// The stop of a job that was kept waiting too long.
    pub fn over(&self) -> Stop {
        let why = match &self.last {
            Some(last) => format!(
                "no request succeeded within --max-wait {}: {last} ({})",
                duration(self.most),
                pluralized(self.attempts, "attempt")
            ),
            None => format!("no response within --max-wait {}", duration(self.most)),
        };
        // A server that responds can be reached.
        let hint = self.last.as_ref().filter(|last| last.starts_with("HTTP "));
        let hint = hint.map(|_| "see https://www.cloudflarestatus.com, then run again, or raise --max-wait".to_owned());
        Stop { hint, ..Stop::new(StopReason::Outage, why) }
    }

    /// The stop, if the server wants a pause that is longer.
    pub fn refuses(&self, pause: Duration, origin: PauseOrigin) -> Option<Stop> {
        (pause > self.most).then(|| {
            let cause = match origin {
                PauseOrigin::Asked => format!("Cloudflare asked for a {} pause", adjective(pause)),
                PauseOrigin::Assumed => {
                    format!("Cloudflare asked for a pause without saying how long ({} by default)", duration(pause))
                }
                PauseOrigin::QuotaUsedUp => {
                    format!("Cloudflare's rate limit (Ratelimit) is used up for {}", duration(pause))
                }
            };
            let why = format!("{cause}, longer than --max-wait {}", duration(self.most));
            Stop { pause: Some(pause), ..Stop::new(StopReason::Outage, why) }
        })
    }
}

/// `5-minute`, `1-hour`, `90-second`.
fn adjective(time: Duration) -> String {
    let seconds = time.as_secs();
    let (number, unit) = match seconds {
        0 => (seconds, "second"),
        _ if seconds.is_multiple_of(3_600) => (seconds / 3_600, "hour"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    format!("{}-{unit}", count(number))
}

/// Where the length of a pause comes from in which the server wants nothing to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseOrigin {
    /// From `Retry-After`, `Ratelimit` or the body of a 429.
    Asked,
    /// From us, after a 429 without a time.
    Assumed,
    /// From `Ratelimit`, before the server had to refuse anything.
    QuotaUsedUp,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn only_time_that_the_server_costs_counts() {
        let start = Instant::now();
        let mut wait = MaxWait::new(10 * SECOND);
        assert_eq!((wait.ends_at(), wait.exceeded(start + 100 * SECOND)), (None, None), "nothing was requested yet");
        wait.set_running(true, start);
        assert_eq!(wait.ends_at(), Some(start + 10 * SECOND));
        wait.set_running(false, start + 4 * SECOND);
        assert_eq!(wait.exceeded(start + 100 * SECOND), None, "it waits for a person");
        wait.set_running(true, start + 100 * SECOND);
        wait.set_running(true, start + 101 * SECOND);
        assert_eq!(wait.ends_at(), Some(start + 106 * SECOND));
        wait.namespace_found();
        assert_eq!(wait.ends_at(), Some(start + 106 * SECOND), "that is no progress");
        assert!(wait.exceeded(start + 105 * SECOND).is_none() && wait.exceeded(start + 106 * SECOND).is_some());
        wait.succeeded(start + 105 * SECOND);
        assert_eq!(wait.ends_at(), Some(start + 115 * SECOND));
    }

    #[test]
    fn a_longer_pause_is_refused_at_once() {
        let wait = MaxWait::new(10 * SECOND);
        assert_eq!(wait.refuses(10 * SECOND, PauseOrigin::Asked), None);
        let why = |origin| wait.refuses(11 * SECOND, origin).map(|stop| (stop.reason, stop.why));
        for (origin, cause) in [
            (PauseOrigin::Asked, "Cloudflare asked for a 11-second pause"),
            (PauseOrigin::Assumed, "Cloudflare asked for a pause without saying how long (11s by default)"),
            (PauseOrigin::QuotaUsedUp, "Cloudflare's rate limit (Ratelimit) is used up for 11s"),
        ] {
            assert_eq!(why(origin), Some((StopReason::Outage, format!("{cause}, longer than --max-wait 10s"))));
        }
        assert!(wait.refuses(Duration::MAX, PauseOrigin::Asked).is_some());
        let adjectives = [300, 3_600, 5_400, 90].map(|seconds| adjective(Duration::from_secs(seconds)));
        assert_eq!(adjectives, ["5-minute", "1-hour", "90-minute", "90-second"]);
    }

    #[test]
    fn what_failed_last_says_how_often_and_how_long() {
        let mut wait = MaxWait::new(16 * SECOND);
        for _ in 0..9 {
            wait.failed(&Failure::unanswered("cannot connect to 127.0.0.1:1: connection refused".to_owned()));
        }
        assert_eq!(
            wait.over().why,
            "no request succeeded within --max-wait 16s: cannot connect to 127.0.0.1:1: connection refused (9 attempts)"
        );
    }
}
