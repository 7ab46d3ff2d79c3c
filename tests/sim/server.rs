//! The simulated server: which keys it holds, what arrived when, and what it answered.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use kvsweep::internals::{Answer, Fatal, RateLimitInfo, Refusal, TransientError};
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::Instant;

use crate::faults::{Faults, OutageKind};
use crate::log::{Kind, Log};
use crate::world::{SECOND, World, one_of};

pub(crate) struct Server {
    pub(crate) keys: BTreeSet<String>,
    pub(crate) log: Log,
    /// What it deleted, as often as it did.
    pub(crate) deleted: Vec<String>,
    /// The backup's disk, which outlives every process.
    pub(crate) kept: BTreeSet<String>,
    pub(crate) world: World,
    pub(crate) faults: Faults,
    pub(crate) rng: StdRng,
    /// Keys that are on their way to be deleted, by the request's number.
    pub(crate) under_way: BTreeMap<usize, Vec<String>>,
    run_began: Instant,
    epoch: Instant,
    window: VecDeque<Instant>,
    blocked_until: Instant,
}

pub(crate) type Shared = Rc<RefCell<Server>>;

/// What comes of a request that arrives.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) answer: Answer,
    /// Keys that a bulk call names as left undeleted, or that were looked for with others and are not there.
    pub(crate) left: Vec<String>,
    /// Whether a bulk call says which of its keys it deleted.
    pub(crate) accounted: bool,
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        Self { answer, left: Vec::new(), accounted: false }
    }
}

pub(crate) fn refusal(status: u16, code: Option<u64>) -> Refusal {
    Refusal { http_status: Some(status), code, message: format!("answer \"{status}\", of a simulation") }
}

pub(crate) fn failing(status: u16) -> Answer {
    Answer::Transient(TransientError::Refused(refusal(status, None)))
}

pub(crate) fn unexpected(status: u16) -> Answer {
    Answer::Transient(TransientError::Unexpected(refusal(status, None)))
}

fn throttled(status: u16, code: Option<u64>, pause: Option<Duration>) -> Answer {
    Answer::Throttled { error: TransientError::Refused(refusal(status, code)), pause }
}

fn absent() -> Answer {
    Answer::Absent(refusal(404, Some(10_009)))
}

impl Server {
    pub(crate) fn new(world: World, keys: BTreeSet<String>, rng: StdRng, now: Instant) -> Self {
        Self {
            keys,
            log: Log::default(),
            deleted: Vec::new(),
            kept: BTreeSet::new(),
            world,
            faults: Faults::none(),
            rng,
            under_way: BTreeMap::new(),
            run_began: now,
            epoch: now,
            window: VecDeque::new(),
            blocked_until: now,
        }
    }

    /// A run begins.
    pub(crate) fn begin(&mut self, faults: Faults, now: Instant) {
        self.faults = faults;
        self.run_began = now;
        self.log = Log::default();
    }

    /// A run is over: what was still on its way arrives, or does not.
    pub(crate) fn end(&mut self) -> Log {
        for key in std::mem::take(&mut self.under_way).into_values().flatten() {
            if self.rng.random_bool(0.5) {
                self.delete(&key);
            }
        }
        std::mem::take(&mut self.log)
    }

    fn delete(&mut self, key: &str) -> bool {
        let there = self.keys.remove(key);
        if there {
            self.deleted.push(key.to_owned());
        }
        there
    }

    pub(crate) fn one_in_a_thousand(&mut self, share: u32) -> bool {
        share > 0 && self.rng.random_range(0..1_000) < share
    }

    pub(crate) fn latency(&mut self) -> Duration {
        let (least, most) = self.faults.latency;
        self.rng.random_range(least..=most) / 2
    }

    fn since_start(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.run_began)
    }

    pub(crate) fn outage(&self, kind: Kind, now: Instant) -> Option<OutageKind> {
        let since = self.since_start(now);
        let mut on = self.faults.outages.iter().filter(|outage| (outage.from..outage.to).contains(&since));
        on.find(|outage| outage.kind != OutageKind::Hanging || kind != Kind::Namespace).map(|outage| outage.kind)
    }

    /// A 503 with a time to wait, from the API or from what stands in front of it.
    pub(crate) fn busy(&mut self) -> Answer {
        let pause = Some(SECOND * self.rng.random_range(1..20));
        match throttled(503, None, pause) {
            Answer::Throttled { .. } if self.rng.random_bool(0.5) => {
                Answer::Throttled { error: TransientError::NoAnswer(refusal(503, None)), pause }
            }
            of_the_api => of_the_api,
        }
    }

    /// Counts an arrival against the quota: the refusal, if it is one too many.
    fn over_quota(&mut self, now: Instant) -> Option<Answer> {
        let quota = self.world.quota?;
        let response = |until: Instant| {
            let pause = quota.retry_after.then(|| whole_seconds(until.saturating_duration_since(now)));
            throttled(429, Some(971), pause)
        };
        if now < self.blocked_until {
            return Some(response(self.blocked_until));
        }
        let length = quota.rate.window();
        let begins = |at: Instant| (at - self.epoch).as_nanos() / length.as_nanos();
        let this = begins(now);
        if quota.fixed {
            self.window.retain(|at| begins(*at) == this);
        } else {
            self.window.retain(|at| *at + length > now);
        }
        if self.window.len() >= quota.rate.count().get() as usize {
            self.blocked_until = now + quota.penalty;
            return Some(response(self.blocked_until));
        }
        self.window.push_back(now);
        None
    }

    /// Until when the server says that its quota is used up.
    pub(crate) fn used_up_until(&self, now: Instant) -> Option<Instant> {
        let (from, length) = self.faults.used_up?;
        let (from, until) = (self.run_began + from, self.run_began + from + length);
        (from..until).contains(&now).then_some(until)
    }

    pub(crate) fn news(&self, now: Instant) -> Vec<RateLimitInfo> {
        let used_up = self.used_up_until(now).map(|until| RateLimitInfo {
            name: "day".to_owned(),
            remaining: 0,
            reset_after: whole_seconds(until - now),
            policy: None,
        });
        let quota = self.world.quota.filter(|_| self.world.tells_quota).map(|quota| {
            let count = u64::from(quota.rate.count().get());
            RateLimitInfo {
                name: "default".to_owned(),
                remaining: count.saturating_sub(self.window.len() as u64),
                reset_after: quota.rate.window(),
                policy: Some(quota.rate),
            }
        });
        quota.into_iter().chain(used_up).collect()
    }

    /// What happens to a request that arrives.
    pub(crate) fn arrive(&mut self, kind: Kind, keys: &[String], now: Instant) -> Outcome {
        self.log.arrivals.push(now);
        if let Some(answer) = self.refuses(kind, now) {
            return answer.into();
        }
        if kind.is_read() && self.world.denies_reads && keys.iter().any(|key| denied(&self.world, key).is_some()) {
            return self.denies(keys).into();
        }
        let answer = match kind {
            Kind::Page if self.one_in_a_thousand(self.faults.page_refused) => Answer::Refused(refusal(400, None)),
            Kind::Page if self.one_in_a_thousand(self.faults.page_denied) => {
                Answer::Fatal(Fatal::Unauthorized, refusal(403, Some(10_000)))
            }
            Kind::Namespace | Kind::Page => Answer::Success,
            Kind::Presence if keys.len() > self.world.looked_for => Answer::Refused(refusal(413, None)),
            Kind::Presence if keys.len() > 1 || self.world.is_put() => {
                let left = keys.iter().filter(|key| !self.keys.contains(*key)).cloned().collect();
                return Outcome { answer: Answer::Success, left, accounted: false };
            }
            Kind::Presence | Kind::Metadata | Kind::Value if self.keys.contains(&keys[0]) => Answer::Success,
            Kind::Presence | Kind::Metadata | Kind::Value => absent(),
            Kind::Delete if self.world.batch.is_some() => return self.delete_many(keys),
            Kind::Delete => self.delete_one(&keys[0]),
        };
        answer.into()
    }

    /// A value comes onto the backup's disk, if there is room.
    pub(crate) fn keep(&mut self, key: &str) -> bool {
        let room = self.faults.backup_room.is_none_or(|room| self.log.kept < room);
        if room {
            self.log.kept += 1;
            self.kept.insert(key.to_owned());
        }
        room
    }

    fn refuses(&mut self, kind: Kind, now: Instant) -> Option<Answer> {
        if let Some(throttled) = self.over_quota(now) {
            return Some(throttled);
        }
        let since = self.since_start(now);
        if self.faults.token_expires.is_some_and(|after| since >= after) {
            return Some(Answer::Fatal(Fatal::Unauthorized, refusal(401, Some(10_000))));
        }
        if kind == Kind::Delete && self.faults.day_is_over.is_some_and(|after| since >= after) {
            return Some(Answer::DailyLimit(refusal(429, Some(10_048))));
        }
        if self.one_in_a_thousand(self.faults.refused) {
            return Some(failing(500));
        }
        if self.one_in_a_thousand(self.faults.unexpected) {
            return Some(unexpected(one_of(&mut self.rng, [302, 403, 410])));
        }
        self.one_in_a_thousand(self.faults.busy).then(|| self.busy())
    }

    fn denies(&self, keys: &[String]) -> Answer {
        let fatal = keys.iter().find_map(|key| denied(&self.world, key)).unwrap_or(Fatal::Unauthorized);
        let (status, code) = match fatal {
            Fatal::Unauthorized | Fatal::NoToken => (403, 10_000),
            Fatal::NamespaceNotFound => (404, 10_013),
            Fatal::AccountNotFound => (404, 7_003),
        };
        Answer::Fatal(fatal, refusal(status, Some(code)))
    }

    fn delete_one(&mut self, key: &str) -> Answer {
        if denied(&self.world, key).is_some() {
            return self.denies(&[key.to_owned()]);
        }
        match bad(&self.world, key) {
            Some(Bad::Refused) => return Answer::Refused(refusal(400, Some(10_014))),
            Some(Bad::Broken) => return failing(500),
            None => {}
        }
        let was_there = self.delete(key);
        match () {
            () if self.one_in_a_thousand(self.faults.refused_after) => failing(502),
            () if self.world.says_absent && !was_there => absent(),
            () => Answer::Success,
        }
    }

    fn delete_many(&mut self, keys: &[String]) -> Outcome {
        if keys.iter().any(|key| denied(&self.world, key).is_some()) {
            return self.denies(keys).into();
        }
        // A bulk call with one name that is refused is refused whole.
        if keys.iter().any(|key| bad(&self.world, key) == Some(Bad::Refused)) {
            return Answer::Refused(refusal(400, Some(10_014))).into();
        }
        let fails = [self.faults.accounted, self.faults.unaccounted, self.faults.contradicted];
        let fails = fails.map(|share| self.one_in_a_thousand(share));
        // A call that fails does so after any part of its keys.
        let share = if fails == [false; 3] { self.faults.left } else { self.rng.random_range(0..=1_000) };
        let mut left = Vec::new();
        for key in keys {
            if bad(&self.world, key) == Some(Bad::Broken) || self.one_in_a_thousand(share) {
                left.push(key.clone());
            } else {
                self.delete(key);
            }
        }
        match fails {
            [true, ..] => Outcome { answer: self.failure(), left, accounted: true },
            [_, true, _] => self.failure().into(),
            [_, _, true] => Answer::Success.into(),
            _ if self.one_in_a_thousand(self.faults.refused_after) => failing(502).into(),
            _ => Outcome { answer: Answer::Success, left, accounted: true },
        }
    }

    /// A status that a bulk call ends with which has deleted some of its keys.
    fn failure(&mut self) -> Answer {
        match self.rng.random_range(0..4) {
            0 => Answer::Refused(refusal(400, Some(10_014))),
            1 => failing(500),
            2 => unexpected(410),
            _ => throttled(429, Some(971), Some(SECOND * self.rng.random_range(1..5))),
        }
    }
}

/// As the header has them: rounded up.
fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(u64::try_from(duration.as_nanos().div_ceil(1_000_000_000)).expect("seconds").max(1))
}

/// How a key is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bad {
    Refused,
    Broken,
}

fn hash(key: &str) -> Option<u32> {
    let number: u32 = key.strip_prefix("key-")?.parse().ok()?;
    Some(number.wrapping_mul(2_654_435_761) >> 8)
}

/// Whether the server can never delete this key. A matter of its name.
pub(crate) fn bad(world: &World, key: &str) -> Option<Bad> {
    let hash = hash(key)?;
    (hash % 100 < world.bad).then_some(if hash & 0x1000 == 0 { Bad::Refused } else { Bad::Broken })
}

/// Whether it answers for this key, and for it alone, as if the credentials or an id were wrong.
pub(crate) fn denied(world: &World, key: &str) -> Option<Fatal> {
    let hash = hash(key)?;
    let fatal = [Fatal::Unauthorized, Fatal::NamespaceNotFound, Fatal::AccountNotFound][(hash >> 16) as usize % 3];
    (hash % 100 >= 100 - world.denied).then_some(fatal)
}
