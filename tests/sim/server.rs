//! The simulated server: which keys it holds, what arrived when, and what it said.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use kvsweep::api::advice::QuotaNews;
use kvsweep::api::answer::{Answer, Fatal, Refusal, Reply, Trouble};
use kvsweep::api::{Accounting, BulkReply, Metadata, Presence};
use kvsweep::key::KeyName;
use kvsweep::pipeline::{Course, Request, Response};
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep};

use crate::world::{OutageKind, SECOND, Weather, World};

/// The client's limit for one attempt.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What the client was told about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    Deleted,
    /// What was asked for; of a value, that it is on the backup's disk.
    Read,
    /// A value that was read, and that the backup's disk has no room for.
    Unkept,
    Absent,
    /// For good.
    Refused,
    /// It may pass.
    Failing,
    Throttled(Option<Duration>),
    Fatal,
    /// Nothing readable.
    Nothing,
    Stale,
}

/// What is asked about keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Namespace,
    Presence,
    Metadata,
    Value,
    Delete,
}

impl Kind {
    pub(crate) fn is_read(self) -> bool {
        matches!(self, Self::Presence | Self::Metadata | Self::Value)
    }
}

/// One request: which keys (none for the namespace), when it was sent, and what was told when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) kind: Kind,
    pub(crate) keys: Vec<String>,
    pub(crate) at: Instant,
    pub(crate) told: Option<(Instant, Said)>,
    /// Keys that a bulk call left undeleted, or that were looked for with others and are not there.
    pub(crate) left: Vec<String>,
}

impl Sent {
    /// What was told of one of its keys.
    pub(crate) fn told_of(&self, key: &str) -> Option<(Instant, Said)> {
        let left = self.left.iter().any(|left| left == key);
        let of_left = if self.kind == Kind::Presence { Said::Absent } else { Said::Failing };
        self.told.map(|(at, said)| (at, if left { of_left } else { said }))
    }

    pub(crate) fn what(&self) -> String {
        format!("{:?} {}", self.kind, self.keys.join(" "))
    }
}

/// The log of one run.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) sent: Vec<Sent>,
    pub(crate) arrivals: Vec<Instant>,
    pub(crate) most_in_flight: usize,
    /// Records that came onto the backup's disk.
    pub(crate) kept: usize,
    /// Keys that are on their way to be deleted, by the request's number.
    under_way: BTreeMap<usize, Vec<String>>,
    in_flight: usize,
}

pub(crate) struct Server {
    pub(crate) keys: BTreeSet<String>,
    pub(crate) log: Log,
    /// What it deleted, as often as it did.
    pub(crate) deleted: Vec<String>,
    /// The backup's disk, which outlives every process.
    kept: BTreeSet<String>,
    world: World,
    weather: Weather,
    run_began: Instant,
    epoch: Instant,
    window: VecDeque<Instant>,
    blocked_until: Instant,
    rng: StdRng,
}

pub(crate) type Shared = Rc<RefCell<Server>>;

fn refusal(status: u16, code: Option<u64>) -> Refusal {
    Refusal { http_status: Some(status), code, message: format!("answer \"{status}\", of a simulation") }
}

fn failing(status: u16, retry_after: Option<Duration>) -> Answer {
    let trouble = Trouble::Refused(refusal(status, None));
    match retry_after {
        Some(pause) => Answer::Throttled { trouble, pause: Some(pause) },
        None => Answer::Passing(trouble),
    }
}

fn absent() -> Answer {
    Answer::Absent(refusal(404, Some(10_009)))
}

fn nothing(what: &str) -> Answer {
    Answer::Passing(Trouble::no_answer(what))
}

fn said(kind: Kind, answer: &Answer) -> Said {
    match answer {
        Answer::Success if kind.is_read() => Said::Read,
        Answer::Success => Said::Deleted,
        Answer::Absent(_) => Said::Absent,
        Answer::Refused(_) => Said::Refused,
        Answer::Throttled { pause, .. } => Said::Throttled(*pause),
        Answer::DailyLimit(_) | Answer::Fatal(..) => Said::Fatal,
        Answer::Passing(Trouble::Refused(_)) => Said::Failing,
        Answer::Passing(Trouble::NoAnswer(_) | Trouble::Unexpected(_)) => Said::Nothing,
        Answer::Stale { .. } => Said::Stale,
    }
}

impl Server {
    pub(crate) fn new(world: World, keys: BTreeSet<String>, rng: StdRng, now: Instant) -> Self {
        let weather = Weather::calm();
        Self {
            keys,
            log: Log::default(),
            deleted: Vec::new(),
            kept: BTreeSet::new(),
            world,
            weather,
            run_began: now,
            epoch: now,
            window: VecDeque::new(),
            blocked_until: now,
            rng,
        }
    }

    /// A run begins.
    pub(crate) fn begin(&mut self, weather: Weather, now: Instant) {
        self.weather = weather;
        self.run_began = now;
        self.log = Log::default();
    }

    /// A run is over: what was still on its way arrives, or does not.
    pub(crate) fn end(&mut self) -> Log {
        for key in std::mem::take(&mut self.log.under_way).into_values().flatten() {
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

    fn one_in_a_thousand(&mut self, share: u32) -> bool {
        share > 0 && self.rng.random_range(0..1_000) < share
    }

    fn latency(&mut self) -> Duration {
        let (least, most) = self.weather.latency;
        self.rng.random_range(least..=most) / 2
    }

    fn outage(&self, now: Instant) -> Option<OutageKind> {
        let since = now.saturating_duration_since(self.run_began);
        self.weather.outage.filter(|(from, to, _)| (*from..*to).contains(&since)).map(|(_, _, kind)| kind)
    }

    /// Counts an arrival against the quota: the refusal, if it is one too many.
    fn over_quota(&mut self, now: Instant) -> Option<Answer> {
        let quota = self.world.quota?;
        let told = |until: Instant| {
            // Whole seconds, as the header has them, rounded up.
            let seconds = until.saturating_duration_since(now).as_millis().div_ceil(1_000);
            let pause = quota.retry_after.then(|| Duration::from_secs(u64::try_from(seconds).unwrap().max(1)));
            Answer::Throttled { trouble: Trouble::Refused(refusal(429, Some(971))), pause }
        };
        if now < self.blocked_until {
            return Some(told(self.blocked_until));
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
            return Some(told(self.blocked_until));
        }
        self.window.push_back(now);
        None
    }

    fn news(&self) -> Vec<QuotaNews> {
        let Some(quota) = self.world.quota.filter(|_| self.world.tells_quota) else { return Vec::new() };
        let count = u64::from(quota.rate.count().get());
        vec![QuotaNews {
            name: "default".to_owned(),
            remaining: count.saturating_sub(self.window.len() as u64),
            reset_after: quota.rate.window(),
            policy: Some((count, quota.rate.window())),
        }]
    }

    /// What happens to a request that arrives: the answer, and the keys that it leaves undeleted.
    fn arrive(&mut self, kind: Kind, keys: &[String], now: Instant) -> (Answer, Vec<String>) {
        self.log.arrivals.push(now);
        match self.refuses(now) {
            Some(answer) => (answer, Vec::new()),
            None => match kind {
                Kind::Namespace => (Answer::Success, Vec::new()),
                Kind::Presence if keys.len() > self.world.looked_for => {
                    (Answer::Refused(refusal(413, None)), Vec::new())
                }
                Kind::Presence if keys.len() > 1 => {
                    let gone = keys.iter().filter(|key| !self.keys.contains(*key));
                    (Answer::Success, gone.cloned().collect())
                }
                Kind::Presence | Kind::Metadata | Kind::Value if self.keys.contains(&keys[0]) => {
                    (Answer::Success, Vec::new())
                }
                Kind::Presence | Kind::Metadata | Kind::Value => (absent(), Vec::new()),
                Kind::Delete => self.carry_out(keys),
            },
        }
    }

    /// A value comes onto the backup's disk, if there is room.
    fn keep(&mut self, key: &str) -> bool {
        let room = self.weather.backup_room.is_none_or(|room| self.log.kept < room);
        if room {
            self.log.kept += 1;
            self.kept.insert(key.to_owned());
        }
        room
    }

    fn refuses(&mut self, now: Instant) -> Option<Answer> {
        if let Some(throttled) = self.over_quota(now) {
            return Some(throttled);
        }
        if self.weather.token_expires.is_some_and(|after| now >= self.run_began + after) {
            return Some(Answer::Fatal(Fatal::Unauthorized, refusal(401, Some(10_000))));
        }
        if self.one_in_a_thousand(self.weather.refused) {
            return Some(failing(500, None));
        }
        let busy = self.one_in_a_thousand(self.weather.busy);
        busy.then(|| failing(503, Some(SECOND * self.rng.random_range(1..20))))
    }

    fn carry_out(&mut self, keys: &[String]) -> (Answer, Vec<String>) {
        let is_bulk = self.world.batch.is_some();
        let mut left = Vec::new();
        // A bulk call with one name that is refused is refused whole.
        if keys.iter().any(|key| bad(&self.world, key) == Some(Bad::Refused)) {
            return (Answer::Refused(refusal(400, Some(10_014))), left);
        }
        let mut was_there = false;
        for key in keys {
            if bad(&self.world, key) == Some(Bad::Broken) {
                if !is_bulk {
                    return (failing(500, None), left);
                }
                left.push(key.clone());
            } else if is_bulk && self.one_in_a_thousand(self.weather.left) {
                left.push(key.clone());
            } else {
                was_there = self.delete(key);
            }
        }
        if self.one_in_a_thousand(self.weather.refused_after) {
            return (failing(502, None), Vec::new());
        }
        let says_absent = !is_bulk && self.world.says_absent && !was_there;
        (if says_absent { absent() } else { Answer::Success }, left)
    }
}

/// How a key is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bad {
    Refused,
    Broken,
}

/// Whether the server can never delete this key. A matter of its name.
pub(crate) fn bad(world: &World, key: &str) -> Option<Bad> {
    let number: u32 = key.strip_prefix("key-")?.parse().ok()?;
    let hash = number.wrapping_mul(2_654_435_761) >> 8;
    (hash % 100 < world.bad).then_some(if hash & 0x1000 == 0 { Bad::Refused } else { Bad::Broken })
}

/// Sends one request to it.
pub(crate) async fn send(server: Shared, request: Request) -> Response {
    let names = |keys: &[KeyName]| keys.iter().map(|key| key.as_str().to_owned()).collect();
    let (kind, keys): (_, Vec<String>) = match &request {
        Request::Delete(key) => (Kind::Delete, vec![key.as_str().to_owned()]),
        Request::DeleteMany(keys) => (Kind::Delete, names(keys)),
        Request::Presence(keys) => (Kind::Presence, names(keys)),
        Request::Metadata(key) => (Kind::Metadata, vec![key.as_str().to_owned()]),
        Request::BackUp(key, metadata) => {
            assert_eq!(*metadata, metadata_of(key.as_str()), "what was read is what is kept");
            (Kind::Value, vec![key.as_str().to_owned()])
        }
        Request::Namespace => (Kind::Namespace, Vec::new()),
        Request::Page(_) => unreachable!("keys are read, not listed"),
    };
    let number = {
        let mut server = server.borrow_mut();
        if kind == Kind::Delete && server.world.course == Course::BackUpAndDelete {
            assert!(keys.iter().all(|key| server.kept.contains(key)), "{keys:?} before the backup is on the disk");
        }
        let log = &mut server.log;
        let number = log.sent.len();
        log.sent.push(Sent { kind, keys: keys.clone(), at: Instant::now(), told: None, left: Vec::new() });
        log.in_flight += 1;
        log.most_in_flight = log.most_in_flight.max(log.in_flight);
        if kind == Kind::Delete {
            log.under_way.insert(number, keys.clone());
        }
        number
    };
    let (answer, left) = attempt(&server, number, kind, &keys).await;
    let kept = if kind == Kind::Value && answer == Answer::Success {
        let disk = server.borrow().weather.disk;
        sleep(disk).await;
        server.borrow_mut().keep(&keys[0])
    } else {
        true
    };
    let mut server = server.borrow_mut();
    let quota = server.news();
    server.log.in_flight -= 1;
    let sent = &mut server.log.sent[number];
    sent.told = Some((Instant::now(), if kept { said(kind, &answer) } else { Said::Unkept }));
    sent.left.clone_from(&left);
    let http_status = match &answer {
        Answer::Success => Some(200),
        Answer::Absent(refusal)
        | Answer::Refused(refusal)
        | Answer::Throttled { trouble: Trouble::Refused(refusal), .. }
        | Answer::DailyLimit(refusal)
        | Answer::Fatal(_, refusal)
        | Answer::Passing(Trouble::Refused(refusal)) => refusal.http_status,
        Answer::Throttled { .. } | Answer::Passing(_) | Answer::Stale { .. } => None,
    };
    let reply = Reply { answer, http_status, quota };
    match request {
        Request::Delete(_) => Response::Delete(reply),
        Request::DeleteMany(_) => {
            let unprocessed = left.into_iter().map(String::into_boxed_str).collect();
            Response::DeleteMany(BulkReply { reply, accounting: Accounting::Complete { unprocessed } })
        }
        Request::Namespace if reply.answer == Answer::Success => Response::Namespace(Ok(())),
        Request::Namespace => Response::Namespace(Err(reply)),
        Request::Page(_) => unreachable!("keys are read, not listed"),
        Request::Presence(_) => {
            let found = |key: &String| if left.contains(key) { Presence::Gone } else { Presence::There };
            let found = keys.iter().map(found).collect();
            Response::Presence(reply, found)
        }
        Request::Metadata(key) => {
            let metadata = metadata_of(key.as_str()).filter(|_| reply.answer == Answer::Success);
            Response::Metadata(reply, metadata)
        }
        Request::BackUp(..) if kept => Response::BackedUp(Ok(reply)),
        Request::BackUp(..) => Response::BackedUp(Err("the disk is full".to_owned())),
    }
}

/// Every other key has some.
fn metadata_of(key: &str) -> Option<Metadata> {
    let raw = serde_json::value::to_raw_value(key).expect("JSON");
    key.len().is_multiple_of(2).then(|| Metadata::new(&raw)).flatten()
}

async fn attempt(server: &Shared, number: usize, kind: Kind, keys: &[String]) -> (Answer, Vec<String>) {
    let told = |answer| (answer, Vec::new());
    let there = server.borrow_mut().latency();
    sleep(there).await;
    let outage = server.borrow().outage(Instant::now());
    let lost = {
        let mut server = server.borrow_mut();
        server.log.under_way.remove(&number);
        let (lost, stale) = (server.weather.lost_before, server.weather.stale);
        if server.one_in_a_thousand(stale) {
            return told(Answer::Stale { text: "the connection was closed".to_owned(), unprocessed: false });
        }
        server.one_in_a_thousand(lost)
    };
    match outage {
        Some(OutageKind::Refused) => return told(nothing("connection refused")),
        Some(OutageKind::Unavailable) => return told(failing(503, None)),
        Some(OutageKind::Silent) => {
            {
                let mut server = server.borrow_mut();
                if server.rng.random_bool(0.3) {
                    server.arrive(kind, keys, Instant::now());
                }
            }
            sleep(TIMEOUT.saturating_sub(there)).await;
            return told(nothing("timed out"));
        }
        None if lost => return told(nothing("connection reset")),
        None => {}
    }
    let (arrived, back, lost) = {
        let mut server = server.borrow_mut();
        let arrived = server.arrive(kind, keys, Instant::now());
        let (back, share) = (server.latency(), server.weather.lost_after);
        (arrived, back, server.one_in_a_thousand(share))
    };
    sleep(back).await;
    if lost { told(nothing("connection reset")) } else { arrived }
}
