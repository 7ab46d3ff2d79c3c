//! One rate, kept exactly: N slots, each free again a window's length after its request was answered.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::Rate;

/// So many requests are remembered whatever the rates are: what the API allows in its longest window.
pub(crate) const LATEST: usize = 1_200;

/// Bounds of the guard for clocks that run at different speeds.
const GUARD: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(250));

/// Counts the answered requests that still count towards one rate. Those in flight are counted by the budget, which has
/// one number for all windows.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) count: usize,
    hold: Duration,
    answered: VecDeque<Instant>,
}

/// Whether a window has a free slot. One that opens later is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Opening {
    /// Yes.
    Now,
    /// One becomes free at this moment.
    At(Instant),
    /// One becomes free some time after the next answer.
    AfterAnAnswer,
}

impl Window {
    /// A window with all slots free.
    pub(crate) fn new(rate: Rate) -> Self {
        let guard = (rate.window() / 1_000).clamp(GUARD.0, GUARD.1);
        Self { count: rate.count().get() as usize, hold: rate.window() + guard, answered: VecDeque::new() }
    }

    /// A window after requests that were `answered` at these moments, in order.
    pub(crate) fn after(rate: Rate, answered: &VecDeque<Instant>) -> Self {
        let mut window = Self::new(rate);
        let skipped = answered.len().saturating_sub(window.count);
        window.answered.extend(answered.iter().skip(skipped));
        window
    }

    /// There were more requests before the first that is remembered. In doubt as many as the rate allows, and only just
    /// before.
    pub(crate) fn assume_more(&mut self) {
        if let Some(&oldest) = self.answered.front() {
            for _ in self.answered.len()..self.count {
                self.answered.push_front(oldest);
            }
        }
    }

    /// How many requests weigh on the rate now.
    pub(crate) fn used(&mut self, in_flight: usize, now: Instant) -> usize {
        self.forget(now);
        in_flight + self.answered.len()
    }

    /// How many more may be sent beside `in_flight` others, and when the next slot of an answered request is free again.
    pub(crate) fn left(&mut self, in_flight: usize, now: Instant) -> (u64, Option<Instant>) {
        let left = self.count.saturating_sub(self.used(in_flight, now));
        (left as u64, self.answered.front().map(|answered| *answered + self.hold))
    }

    fn forget(&mut self, now: Instant) {
        while self.answered.front().is_some_and(|answered| *answered + self.hold <= now) {
            self.answered.pop_front();
        }
    }

    /// Forgets all of those answered but the latest `most`: the server's windows are fixed, and it has forgotten them.
    pub(crate) fn keep_latest(&mut self, most: usize) {
        let excess = self.answered.len().saturating_sub(most);
        self.answered.drain(..excess);
    }

    /// Whether one more request may be sent beside `in_flight` others.
    pub(crate) fn opening(&mut self, in_flight: usize, now: Instant) -> Opening {
        self.forget(now);
        let Some(excess) = (in_flight + self.answered.len()).checked_sub(self.count) else {
            return Opening::Now;
        };
        match self.answered.get(excess) {
            Some(answered) => Opening::At(*answered + self.hold),
            None => Opening::AfterAnAnswer,
        }
    }

    /// A request that was in flight has its answer. No more of them are remembered than the rate holds: an older one has
    /// had its time, or is one of another's quota that is used up without it.
    pub(crate) fn answered(&mut self, now: Instant) {
        if self.answered.len() >= self.count {
            self.answered.pop_front();
        }
        insert(&mut self.answered, now);
    }
}

/// Adds a moment, in order: what an earlier process left under way may count as answered later than now.
pub(super) fn insert(answered: &mut VecDeque<Instant>, moment: Instant) {
    let earlier = match answered.back() {
        Some(last) if *last > moment => answered.partition_point(|answered| *answered <= moment),
        _ => answered.len(),
    };
    answered.insert(earlier, moment);
}
