//! What the server reports as left (`Ratelimit`, `Ratelimit-Policy`), when others spend the same quota.
//!
//! Our own windows keep our own requests within the rate; they cannot see another process with the same token.
//! The server can: of a quota q it reports that r are left. What we sent in that window is known, so our share of the
//! q − r that are spent is too, and of the r that are left we take the same share, a part of it at a time. All
//! processes that do so run out together, and each stops before the server has to refuse. When the window is over,
//! one request shows how much there is now.
//!
//! Answers overtake each other. One is newer than another when it leaves less, or when its request was sent after the
//! other had been answered; otherwise it is ignored. So the r that counts includes every request of ours that
//! was answered, and only those in flight may be missing.
//!
//! If the share is all of it, nobody else uses the quota, and our own exact windows do better than a number of whole
//! seconds.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::rate::Rate;
use super::window::{LATEST, Opening, Window, insert};

/// From this share on we are taken to be alone: answers arrive out of order, so it is rarely exactly 1.
const SOLE_USER_SHARE: f64 = 0.97;

/// Below this part of the quota, or this many requests, in use, our share of it means nothing yet: of a quota of ten a
/// single request, which is always ours, would be more than the part.
const MIN_SIGNAL: (f64, f64) = (0.05, 3.0);

/// While others spend too, the last report lacks what all of us have in flight: of our share of the rest a third is
/// sent at a time, and nothing once it is below two. That leaves a handful of requests of a window unspent, which
/// is cheaper than the block after one too many.
const SHARED_LIMIT: (usize, usize) = (2, 3);

/// No share is taken to be smaller. One that lost a window to others counts no more than a request or two of its own,
/// and would send one a window for ever, even after the others are done. Several of them at once still send less
/// than is left, because each sends only a part at a time.
const MIN_SHARE: f64 = 0.125;

/// While more than this part of the quota and more than so many requests are left, one may be in flight whatever our
/// share is. Of a small quota the parts above come to none, and one request a window would never show that we are alone
/// again.
const AMPLE_REST: (f64, f64) = (1.0 / 3.0, 2.0);

/// More policies than this are not kept: a server has two or three.
const MOST_POLICIES: usize = 8;

/// A larger quota is not counted, at 16 bytes a request: what is left of it still is a limit.
const MOST_COUNTED: u32 = 100_000;

/// One entry of `Ratelimit`, joined with the `Ratelimit-Policy` entry of the same name
/// (draft-ietf-httpapi-ratelimit-headers).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimitInfo {
    /// The policy's name, `default` or `burst` for example.
    pub name: String,
    /// How many requests are left in the window (`r`).
    pub remaining: u64,
    /// Time until the window resets (`t`, seconds).
    pub reset_after: Duration,
    /// How many requests the policy allows (`q`) in which window (`w`, seconds).
    pub policy: Option<Rate>,
}

/// What is known of every policy that the server named.
#[derive(Debug, Default)]
pub(crate) struct Server {
    policies: Vec<Policy>,
    /// When the latest [`LATEST`] of ours were answered: the server has counted those too that were answered before
    /// it named a policy.
    before: VecDeque<Instant>,
}

#[derive(Debug)]
struct Policy {
    name: String,
    own: Option<Window>,
    /// What we spent of what all spent, from 0 to 1.
    share: f64,
    /// Whether one of our own windows keeps this policy if we are alone.
    kept_by_us: bool,
    /// What is left, until when, and when that was reported.
    remaining: usize,
    until: Instant,
    heard: Instant,
}

impl Server {
    /// Takes in the response to a request of the moment `sent`. `in_flight` others are in flight, `ours`
    /// are the rates that we keep anyway.
    pub(crate) fn observe(
        &mut self,
        info: &RateLimitInfo,
        ours: &[Rate],
        sent: Instant,
        in_flight: usize,
        now: Instant,
    ) {
        let is_known = self.policies.iter().any(|policy| policy.name == info.name);
        if !is_known && self.policies.len() < MOST_POLICIES {
            self.policies.push(Policy::new(info, ours, &self.before, now));
        }
        if let Some(policy) = self.policies.iter_mut().find(|policy| policy.name == info.name) {
            policy.observe(info, sent, in_flight, now);
        }
    }

    /// Whether the server's quota allows one more request.
    pub(crate) fn opening(&self, in_flight: usize, now: Instant) -> Opening {
        self.policies.iter().map(|policy| policy.opening(in_flight, now)).max().unwrap_or(Opening::Now)
    }

    /// When the latest [`LATEST`] of ours were answered, in order.
    pub(crate) fn latest(&self) -> &VecDeque<Instant> {
        &self.before
    }

    /// An earlier process on the same job sent these: they are ours.
    pub(crate) fn count_earlier(&mut self, answered: &[Instant]) {
        self.before.extend(answered);
        self.before.make_contiguous().sort_unstable();
        let excess = self.before.len().saturating_sub(LATEST);
        self.before.drain(..excess);
    }

    /// One of ours was answered.
    pub(crate) fn answered(&mut self, now: Instant) {
        if self.before.len() >= LATEST {
            self.before.pop_front();
        }
        insert(&mut self.before, now);
        for window in self.policies.iter_mut().filter_map(|policy| policy.own.as_mut()) {
            window.answered(now);
        }
    }
}

impl Policy {
    fn new(info: &RateLimitInfo, ours: &[Rate], before: &VecDeque<Instant>, now: Instant) -> Self {
        let keeps = |rate: Rate| ours.iter().any(|our| our.count() <= rate.count() && our.window() >= rate.window());
        Self {
            name: info.name.clone(),
            own: info.policy.filter(|rate| rate.count().get() <= MOST_COUNTED).map(|rate| Window::after(rate, before)),
            share: 1.0,
            kept_by_us: info.policy.is_some_and(keeps),
            remaining: usize::MAX,
            until: now,
            heard: now,
        }
    }

    fn observe(&mut self, info: &RateLimitInfo, sent: Instant, in_flight: usize, now: Instant) {
        let remaining = usize::try_from(info.remaining).unwrap_or(usize::MAX);
        if remaining > self.remaining && sent < self.heard {
            return;
        }
        if let Some(window) = &mut self.own {
            let quota = window.count as f64;
            let used = quota - info.remaining as f64;
            // The server counts all of ours that were answered before, and this one. Where it knows of fewer, a fixed
            // window has ended; counting those of the last one would make our share too large.
            window.keep_latest(window.count.saturating_sub(remaining).saturating_sub(1));
            if used >= (quota * MIN_SIGNAL.0).max(MIN_SIGNAL.1).min(quota) {
                // The request that was answered with this is neither in flight any more nor in the window yet.
                self.share = (window.used(in_flight + 1, now) as f64 / used).clamp(0.0, 1.0);
            }
        }
        self.remaining = remaining;
        self.until = now + info.reset_after;
        self.heard = now;
    }

    /// How many of our requests may be in flight.
    fn most_in_flight(&self, alone: bool) -> usize {
        if alone {
            return self.remaining;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a whole number")]
        let ours = (self.remaining as f64 * self.share.max(MIN_SHARE)) as usize;
        let ample = self.own.as_ref().is_some_and(|window| {
            let least = (window.count as f64 * AMPLE_REST.0).max(AMPLE_REST.1);
            self.remaining as f64 > least
        });
        if ours < SHARED_LIMIT.0 { usize::from(ample) } else { (ours / SHARED_LIMIT.1).max(1) }
    }

    fn opening(&self, in_flight: usize, now: Instant) -> Opening {
        let alone = self.share >= SOLE_USER_SHARE;
        if (alone && self.kept_by_us) || in_flight < self.most_in_flight(alone) {
            return Opening::Now;
        }
        match (now >= self.until, in_flight) {
            (true, 0) => Opening::Now,
            (_, 1..) => Opening::AfterAnAnswer,
            (false, 0) => Opening::At(self.until),
        }
    }
}

#[cfg(test)]
mod tests;
