//! The budget of requests: whether one may be sent now, and when to try again.
//!
//! Nothing here sleeps or reads a clock; `now` is passed in, and a refusal names the moment to try again. The
//! types, from the inside out:
//!
//! - [`Rate`]: `N/DURATION`, as the user and the API's documentation write it.
//! - [`window::Window`]: keeps one rate. Exact, in any window, as the server measures it.
//! - [`pace::Pace`]: spreads requests by GCRA (`governor`).
//! - [`pause::Pause`]: the moment before which nothing is sent after a 429, and the slow start after it.
//! - [`RateLimitInfo`]: what the server reports as left; keeps processes that share a token within one quota.
//! - [`Budget`]: all of them together. [`Budget::try_take`] gives a [`Permit`] or the moment to try again.
//!
//! # How the windows and the pace are combined, and why
//!
//! The promise is "never more than N requests in *any* window of length W, as the server sees it". GCRA alone
//! cannot keep it at full speed: a bucket of burst b that refills at N/W lets b + N through in some window, so
//! b + N ≤ N leaves b = 0; and with the rate lowered to (N − b)/W a burst that lets a small job run at once halves
//! the speed of a large one. So the promise is kept by counting. A [`window::Window`] has N slots; a request
//! takes one when it is sent and gives it back W after *its answer came*. The server saw the request at some
//! moment between sending and answer. Let A be a request and B one that takes the slot A gave back: B is sent at
//! least W after A's answer, so it arrives at least W after A did, whatever the latency of either was. At every
//! moment at most N slots are taken, so no window of length W at the server holds more than N arrivals. It does
//! not matter whether the server's windows are fixed or sliding, nor where they begin. A guard of W/1000 covers
//! clocks that run at slightly different speeds.
//!
//! This costs one latency a window: 0.02 % of five minutes at 60 ms. A job smaller than N never waits for it, and a
//! long one sends N requests every W + guard + latency.
//!
//! A window of five minutes may be spent in its first seconds, and that is right: it is what "runs at once" means.
//! A window of a second must not be spent in its first millisecond by 200 connections at once, so the shortest
//! window, if it is [`SHORT`] or less, is also paced: `governor` spreads its N requests over W with a burst of a
//! tenth. The pace only ever delays; the promise never rests on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

pub(crate) mod pace;
pub(crate) mod pause;
mod rate;
mod server;
pub(crate) mod window;

use pace::Pace;
use pause::Pause;
pub use rate::{Rate, RateError};
pub use server::RateLimitInfo;
use server::Server;
use window::{LATEST, Opening, Window};

/// Windows up to this length are spread evenly.
pub(crate) const SHORT: Duration = Duration::from_secs(2);

/// The right to send one request. Given back with [`Budget::give_back`] when its answer came, or when it is
/// certain that none will. One that is dropped instead is given back by the next [`Budget::try_take`].
#[derive(Debug)]
#[must_use = "a permit is given back once its request was answered"]
pub struct Permit {
    taken_at: Instant,
    /// Takes it back; empty once it was given back.
    dropped: Option<Arc<AtomicUsize>>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(dropped) = &self.dropped {
            dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Why there is no permit now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotYet {
    /// There is none before this moment.
    Until(Instant, Limit),
    /// There is none until one of those in flight is given back.
    AnAnswer,
}

/// What keeps a request from being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// A rate of ours.
    Rate,
    /// The server: it asked for a pause, or its quota is used up.
    Server,
}

/// What all requests of a job draw on.
#[derive(Debug)]
pub struct Budget {
    rates: Vec<Rate>,
    server: Server,
    windows: Vec<Window>,
    in_flight: usize,
    /// Permits that were dropped and not yet counted as given back.
    dropped: Arc<AtomicUsize>,
    pace: Option<Pace>,
    pause: Pause,
}

impl Budget {
    /// A budget that keeps every one of `rates`; without any, requests are unlimited.
    pub fn new(rates: &[Rate], now: Instant) -> Self {
        Self {
            rates: rates.to_vec(),
            server: Server::default(),
            windows: rates.iter().copied().map(Window::new).collect(),
            in_flight: 0,
            dropped: Arc::default(),
            pace: pace(rates, now),
            pause: Pause::new(rates),
        }
    }

    /// Counts requests that an earlier process on the same job sent, before this one sends any: when each was answered, in
    /// order. [`LATEST`] of them are enough, and if there are as many, there may have been more.
    pub fn count_earlier(&mut self, answered: &[Instant]) {
        self.server.count_earlier(answered);
        self.fill_windows();
    }

    /// When the latest requests were answered, in order; at most [`LATEST`].
    pub fn latest(&self) -> impl Iterator<Item = Instant> {
        self.server.latest().iter().copied()
    }

    /// Keeps these rates from now on instead of those before. Requests that were sent already count.
    pub fn set_rates(&mut self, rates: &[Rate], now: Instant) {
        self.rates = rates.to_vec();
        self.pace = pace(rates, now);
        self.pause.set_rates(rates);
        self.fill_windows();
    }

    fn fill_windows(&mut self) {
        let latest = self.server.latest();
        self.windows = self.rates.iter().map(|rate| Window::after(*rate, latest)).collect();
        if latest.len() >= LATEST {
            self.windows.iter_mut().for_each(Window::assume_more);
        }
    }

    /// The moment before which the rates allow no request, if they allow none now.
    pub fn full_until(&mut self, now: Instant) -> Option<Instant> {
        if let Opening::At(moment) = self.opening(now) { Some(moment) } else { None }
    }

    /// How many more requests the rates allow whose windows are longer than `wait`, and when that will be more, unless all of
    /// them are in flight or none was sent; `None` without such a rate.
    pub(crate) fn left(&mut self, wait: Duration, now: Instant) -> Option<(u64, Option<Instant>)> {
        let in_flight = self.in_flight;
        let windows = self.rates.iter().zip(&mut self.windows).filter(|(rate, _)| rate.window() > wait);
        windows.map(|(_, window)| window.left(in_flight, now)).min_by_key(|(left, _)| *left)
    }

    /// When all windows of ours have a free slot.
    fn opening(&mut self, now: Instant) -> Opening {
        let openings = self.windows.iter_mut().map(|window| window.opening(self.in_flight, now));
        openings.max().unwrap_or(Opening::Now)
    }

    /// The right to send one request now.
    ///
    /// # Errors
    /// [`NotYet`], with the moment to try again.
    pub fn try_take(&mut self, now: Instant) -> Result<Permit, NotYet> {
        for _ in 0..self.dropped.swap(0, Ordering::Relaxed) {
            self.answered(now);
        }
        if let Some(until) = self.pause.not_before(now) {
            return Err(NotYet::Until(until, Limit::Server));
        }
        let (ours, servers) = (self.opening(now), self.server.opening(self.in_flight, now));
        match ours.max(servers) {
            Opening::Now => {}
            Opening::At(moment) if ours >= servers => return Err(NotYet::Until(moment, Limit::Rate)),
            Opening::At(moment) => return Err(NotYet::Until(moment, Limit::Server)),
            Opening::AfterAnAnswer => return Err(NotYet::AnAnswer),
        }
        // A pace counts what it lets through, so it is checked last.
        let pace = match self.pause.slow_start_pace(now) {
            Some(pace) => Some(pace),
            None => self.pace.as_mut(),
        };
        if let Some(Err(moment)) = pace.map(|pace| pace.check(now)) {
            return Err(NotYet::Until(moment, Limit::Rate));
        }
        self.in_flight += 1;
        Ok(Permit { taken_at: now, dropped: Some(Arc::clone(&self.dropped)) })
    }

    /// Takes a permit back at the moment its answer came or was given up.
    pub fn give_back(&mut self, mut permit: Permit, now: Instant) {
        permit.dropped = None;
        self.answered(now);
    }

    fn answered(&mut self, now: Instant) {
        self.in_flight = self.in_flight.saturating_sub(1);
        for window in &mut self.windows {
            window.answered(now);
        }
        self.server.answered(now);
    }

    /// Permits that were neither given back nor dropped.
    pub fn in_flight(&self) -> usize {
        self.in_flight.saturating_sub(self.dropped.load(Ordering::Relaxed))
    }

    /// Takes in what the response to the request of `permit` reports as left of the server's quota. Call it before the permit is
    /// given back.
    pub fn observe(&mut self, info: &RateLimitInfo, permit: &Permit, now: Instant) {
        self.server.observe(info, &self.rates, permit.taken_at, self.in_flight.saturating_sub(1), now);
    }

    /// A 429 came for the request of `permit`: nothing is sent for as long as the server `asked`, or, if it did
    /// not say, for 5 s doubling to 5 min with every 429 that comes soon after a pause.
    ///
    /// Returns the pause; does not give the permit back.
    pub fn throttled(&mut self, permit: &Permit, asked: Option<Duration>, now: Instant) -> Duration {
        self.pause.throttled(permit.taken_at, asked, now)
    }

    /// The moment before which nothing may be sent because of a 429; `None` if there is no pause.
    pub fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.pause.not_before(now)
    }
}

/// Spreads the shortest window, if it is short enough to be spread.
fn pace(rates: &[Rate], now: Instant) -> Option<Pace> {
    let shortest = rates.iter().filter(|rate| rate.window() <= SHORT).min_by_key(|rate| rate.window());
    shortest.map(|rate| Pace::spread(*rate, now))
}

/// The shortest time in which `requests` can be sent under `rates` by a job that starts with a full budget;
/// latency not counted.
pub(crate) fn least_time(rates: &[Rate], requests: u64) -> Duration {
    let last = requests.saturating_sub(1);
    rates.iter().fold(Duration::ZERO, |longest, rate| {
        let count = u64::from(rate.count().get());
        let full_windows = u32::try_from(last / count).unwrap_or(u32::MAX);
        let mut time = rate.window().saturating_mul(full_windows);
        if rate.window() <= SHORT {
            time += rate.window().mul_f64((last % count) as f64 / count as f64);
        }
        longest.max(time)
    })
}

#[cfg(test)]
mod tests;
