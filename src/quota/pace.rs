//! Requests spread over time by GCRA: `governor`, with a clock of ours.
//!
//! `governor`'s own waiting reads the real clock and wakes waiters in random order; only its decision is used.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

use super::Rate;

/// A clock that is set by hand.
#[derive(Debug, Clone, Default)]
struct ManualClock(Arc<AtomicU64>);

impl Clock for ManualClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.load(Ordering::Relaxed).into()
    }
}

/// Lets one request through every period, and a burst after idleness.
#[derive(Debug)]
pub(crate) struct Pace {
    limiter: RateLimiter<NotKeyed, InMemoryState, ManualClock, NoOpMiddleware<Nanos>>,
    clock: ManualClock,
    origin: Instant,
}

impl Pace {
    /// `rate` spread over its window, with a burst of a tenth of it.
    pub(crate) fn spread(rate: Rate, now: Instant) -> Self {
        let burst = NonZeroU32::new(rate.count().get() / 10).unwrap_or(NonZeroU32::MIN);
        Self::new(rate.window() / rate.count().get(), burst, now)
    }

    /// One request every `period`, however long nothing was sent before.
    pub(crate) fn steady(period: Duration, now: Instant) -> Self {
        Self::new(period, NonZeroU32::MIN, now)
    }

    fn new(period: Duration, burst: NonZeroU32, now: Instant) -> Self {
        let period = period.max(Duration::from_nanos(1));
        #[expect(clippy::expect_used, reason = "with_period refuses zero only, and the line above excludes it")]
        let quota = Quota::with_period(period).expect("a period above zero").allow_burst(burst);
        let clock = ManualClock::default();
        Self { limiter: RateLimiter::direct_with_clock(quota, clock.clone()), clock, origin: now }
    }

    /// Counts one request, or names the moment from which it would be let through.
    ///
    /// # Errors
    /// The moment to try again.
    pub(crate) fn check(&mut self, now: Instant) -> Result<(), Instant> {
        let since = now.saturating_duration_since(self.origin);
        self.clock.0.store(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.limiter.check().map_err(|not_until| self.origin + Duration::from(not_until.earliest_possible()))
    }
}
