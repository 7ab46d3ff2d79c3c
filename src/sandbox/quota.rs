//! How many requests which window may hold, judged where and when they arrive.

use std::collections::VecDeque;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use thiserror::Error;
use tokio::time::Instant;

use super::lock::locked;

/// At most `count` requests in a `window`; going over blocks every call for `block`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// What `Ratelimit` and `Ratelimit-Policy` call it.
    pub name: String,
    /// How many requests a window holds.
    pub count: u32,
    /// How long a window is; not zero.
    pub window: Duration,
    /// Where windows begin.
    pub kind: WindowKind,
    /// How long every call is refused after one that was over the quota; zero for no longer than the window is full.
    pub block: Duration,
}

/// Where windows begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowKind {
    /// Every request begins one: any span of that length counts. A request exactly one window later is outside.
    Sliding,
    /// One follows the other, from the server's start on.
    Fixed,
}

/// Why a text is not a quota.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QuotaError {
    /// No `/`.
    #[error("expected COUNT/WINDOW, for example 1200/5m, 1200/5m/fixed or 200/1s/block=10s/name=burst")]
    Shape,
    /// Not a number from 1.
    #[error("`{0}` is not a number of requests from 1 to 4294967295")]
    Count(String),
    /// Not a duration, or a window of none.
    #[error("`{0}` is not a duration, for example 1s, 5m or 1h30m")]
    Duration(String),
    /// An unknown part after the window.
    #[error("`{0}` is none of sliding, fixed, block=DURATION and name=NAME (letters, digits, - and _)")]
    Part(String),
}

impl Quota {
    /// A sliding window whose block lasts as long as the window, as Cloudflare's limit for a user does; named
    /// `default`.
    pub fn sliding(count: u32, window: Duration) -> Self {
        Self { name: "default".to_owned(), count, window, kind: WindowKind::Sliding, block: window }
    }

    /// The same with fixed windows.
    pub fn fixed(count: u32, window: Duration) -> Self {
        Self { kind: WindowKind::Fixed, ..Self::sliding(count, window) }
    }
}

/// `1200/5m`, followed by any of `/fixed`, `/sliding`, `/block=DURATION`, `/name=NAME`.
impl FromStr for Quota {
    type Err = QuotaError;

    fn from_str(text: &str) -> Result<Self, QuotaError> {
        let duration = |text: &str| humantime::parse_duration(text).map_err(|_| QuotaError::Duration(text.to_owned()));
        let mut parts = text.split('/');
        let (count, window) = parts.next().zip(parts.next()).ok_or(QuotaError::Shape)?;
        let number = count.parse().ok().filter(|number| *number > 0);
        let number = number.ok_or_else(|| QuotaError::Count(count.to_owned()))?;
        let length = duration(window)?;
        if length.is_zero() {
            return Err(QuotaError::Duration(window.to_owned()));
        }
        let mut quota = Self::sliding(number, length);
        for part in parts {
            match part.split_once('=') {
                None if part == "sliding" => quota.kind = WindowKind::Sliding,
                None if part == "fixed" => quota.kind = WindowKind::Fixed,
                Some(("block", block)) => quota.block = duration(block)?,
                Some(("name", name)) if is_name(name) => name.clone_into(&mut quota.name),
                _ => return Err(QuotaError::Part(part.to_owned())),
            }
        }
        Ok(quota)
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

pub(super) struct Quotas {
    meters: Mutex<Vec<QuotaCounter>>,
    pub(super) refused: AtomicU64,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// `Some` refuses it: how long to stay away, if no other request comes meanwhile.
    pub(super) wait: Option<Duration>,
    /// The entries of `Ratelimit` and of `Ratelimit-Policy`.
    limits: Vec<String>,
    policies: Vec<String>,
}

impl Quotas {
    pub(super) fn new(quotas: &[Quota], start: Instant) -> Self {
        let meters = quotas.iter().cloned().map(|quota| QuotaCounter::new(quota, start)).collect();
        Self { meters: Mutex::new(meters), refused: AtomicU64::new(0) }
    }

    /// Counts a request that arrives at `now` against every quota and says what they make of it.
    pub(super) fn judge(&self, now: Instant) -> Verdict {
        let mut verdict = Verdict::default();
        for meter in locked(&self.meters).iter_mut() {
            let (wait, remaining, reset) = meter.judge(now);
            let Quota { name, count, window, .. } = &meter.quota;
            verdict.wait = verdict.wait.max(wait);
            verdict.limits.push(format!("\"{name}\";r={remaining};t={}", ceil_seconds(reset)));
            verdict.policies.push(format!("\"{name}\";q={count};w={}", ceil_seconds(*window)));
        }
        if verdict.wait.is_some() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        verdict
    }
}

impl Verdict {
    /// Adds `Ratelimit` and `Ratelimit-Policy` where there are quotas.
    pub(super) fn add_headers(&self, headers: &mut HeaderMap) {
        for (name, entries) in [("ratelimit", &self.limits), ("ratelimit-policy", &self.policies)] {
            if let (false, Ok(value)) = (entries.is_empty(), HeaderValue::from_str(&entries.join(", "))) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

pub(super) fn ceil_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

struct QuotaCounter {
    quota: Quota,
    start: Instant,
    /// The latest arrivals, no more than the quota's count: older ones cannot decide anything.
    latest: VecDeque<Instant>,
    blocked_until: Option<Instant>,
}

impl QuotaCounter {
    fn new(quota: Quota, start: Instant) -> Self {
        Self { quota, start, latest: VecDeque::new(), blocked_until: None }
    }

    /// How long to stay away, if it is over the quota; how many requests are left, and for how long.
    fn judge(&mut self, now: Instant) -> (Option<Duration>, u32, Duration) {
        let (within, remaining, reset) = self.count(now);
        let blocked = self.blocked_until.is_some_and(|until| until > now);
        if !within && !blocked {
            self.blocked_until = Some(now + self.quota.block);
        }
        let wait = (blocked || !within).then(|| {
            let block = self.blocked_until.map_or(Duration::ZERO, |until| until - now);
            if within { block } else { block.max(reset) }
        });
        (wait, if wait.is_some() { 0 } else { remaining }, wait.unwrap_or(reset))
    }

    /// Counts an arrival: whether it is within the quota, how many more would be, and when there is more room.
    fn count(&mut self, now: Instant) -> (bool, u32, Duration) {
        let Quota { count, window, kind, .. } = self.quota;
        let in_window = (now - self.start).as_nanos() % window.as_nanos().max(1);
        let in_window = Duration::from_nanos(u64::try_from(in_window).unwrap_or(u64::MAX));
        let is_over = |age: Duration| match kind {
            WindowKind::Sliding => age >= window,
            WindowKind::Fixed => age > in_window,
        };
        while self.latest.front().is_some_and(|at| is_over(now - *at)) {
            self.latest.pop_front();
        }
        let before = u32::try_from(self.latest.len()).unwrap_or(u32::MAX);
        self.latest.push_back(now);
        if before >= count {
            self.latest.pop_front();
        }
        let oldest = *self.latest.front().unwrap_or(&now);
        let reset = match kind {
            WindowKind::Sliding => oldest + window - now,
            WindowKind::Fixed => window.saturating_sub(in_window),
        };
        (before < count, count.saturating_sub(before + 1), reset)
    }
}

#[cfg(test)]
mod tests;
