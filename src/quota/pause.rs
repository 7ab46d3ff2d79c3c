//! The pause after a 429, kept as a moment ("not before"), and the slow start after it.

use std::time::Duration;

use tokio::time::Instant;

use super::Rate;
use super::pace::Pace;

/// The first pause if the server does not say how long, and the longest (the API blocks for five minutes).
const UNASKED: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(5));

/// Added to what the server asks, so that a clock that is a little fast does not make the first request early.
const MARGIN: Duration = Duration::from_millis(200);

/// The slow start without a rate: a request every 250 ms, the API's documented average, for so long.
const SLOW_START: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(40));

/// A pause, and the slow start after it.
#[derive(Debug)]
pub(crate) struct Pause {
    /// The slowest rate's even spacing, and its window: the spacing of the slow start, and its length.
    slow_start: (Duration, Duration),
    state: State,
    /// How many pauses in a row the server gave no length for.
    unasked: u32,
}

#[derive(Debug)]
enum State {
    Free,
    Paused { since: Instant, until: Instant },
    SlowStart { until: Instant, pace: Box<Pace> },
}

impl Pause {
    /// No pause; `rates` give the spacing of the slow start after one.
    pub(crate) fn new(rates: &[Rate]) -> Self {
        Self { slow_start: slow_start(rates), state: State::Free, unasked: 0 }
    }

    /// From now on `rates` give the spacing of the slow start.
    pub(crate) fn set_rates(&mut self, rates: &[Rate]) {
        self.slow_start = slow_start(rates);
    }

    /// The moment before which nothing is sent; `None` if sending is allowed.
    pub(crate) fn not_before(&self, now: Instant) -> Option<Instant> {
        match self.state {
            State::Paused { until, .. } if now < until => Some(until),
            _ => None,
        }
    }

    /// The pace of the slow start, while it lasts.
    pub(crate) fn slow_start_pace(&mut self, now: Instant) -> Option<&mut Pace> {
        let (spacing, length) = self.slow_start;
        match self.state {
            State::Paused { until, .. } if until <= now => {
                self.state = State::SlowStart { until: now + length, pace: Box::new(Pace::steady(spacing, now)) };
            }
            State::SlowStart { until, .. } if until <= now => {
                self.state = State::Free;
                self.unasked = 0;
            }
            _ => {}
        }
        if let State::SlowStart { pace, .. } = &mut self.state { Some(pace) } else { None }
    }

    /// A 429 answered a request that was sent at `sent`. Returns how long nothing is sent from now on.
    pub(crate) fn throttled(&mut self, sent: Instant, asked: Option<Duration>, now: Instant) -> Duration {
        // Requests that were in flight when the pause began are part of the same refusal.
        let (since, pending) = match self.state {
            State::Paused { since, until } if sent <= since => (since, Some(until)),
            _ => (now, None),
        };
        let until = match asked {
            Some(asked) => now + asked + MARGIN,
            None => pending.unwrap_or_else(|| {
                let pause = UNASKED.0.saturating_mul(1 << self.unasked.min(16)).min(UNASKED.1);
                self.unasked += 1;
                now + pause
            }),
        };
        let until = pending.map_or(until, |pending| pending.max(until));
        self.state = State::Paused { since, until };
        until.saturating_duration_since(now)
    }
}

fn slow_start(rates: &[Rate]) -> (Duration, Duration) {
    let even = |rate: &Rate| rate.window() / rate.count().get();
    rates.iter().map(|rate| (even(rate), rate.window())).max().unwrap_or(SLOW_START)
}
