//! Small jobs, and every order in which anything can happen to them: a breadth-first search over all that a record, a
//! response of each kind, a row that is taken, a moment that comes, a signal and the end of the input lead to. What is
//! promised has to be true in each state, and something has to be able to happen next. From each state the job also has to
//! end, whatever the server does from then on.
//!
//! A state cannot be copied, so a node of the search is a path, and is reached again by replaying it. States that differ
//! only in when things happened are the same node. Bounds keep the search finite: a path holds only so many responses
//! that are not a success. `KVSWEEP_TEST_LONG=1` allows more.

use super::*;
use crate::quota::Rate;

mod responses;
mod world;

use responses::{Kind, Server};
use world::{Event, World};

const MAX_WAIT: Duration = Duration::from_secs(20);

/// A job to explore, and the bounds of the search.
#[derive(Debug, Clone)]
struct Job {
    options: Options,
    /// A key to delete or to write, a duplicate, a kept key, an invalid record, one that was settled before: `k`, `w`, `d`, `p`,
    /// `i`, `s`. It may end earlier.
    records: &'static str,
    /// How many keys each page has, if records are requested in pages.
    pages: &'static [usize],
    rates: Vec<Rate>,
    max_keys: Option<u64>,
    deadline: Option<Duration>,
    kinds: &'static [Kind],
    may_break: bool,
    /// Responses in a path that are not a success.
    faults: u32,
    signals: u32,
}

/// The bounds of every run, or those of a long one.
fn either<T>(short: T, long: T) -> T {
    if std::env::var_os("KVSWEEP_TEST_LONG").is_some() { long } else { short }
}

fn job(records: &'static str, concurrency: usize, faults: u32) -> Job {
    let retry = RetryPolicy { retries: 1, base: SECOND, cap: SECOND };
    Job {
        options: Options { concurrency, retry, max_wait: MAX_WAIT, most_rows: 1, ..Options::default() },
        records,
        pages: &[],
        rates: Vec::new(),
        max_keys: None,
        deadline: None,
        kinds: Kind::ALL,
        may_break: true,
        faults,
        signals: 2,
    }
}

fn bulk(records: &'static str, most: u32, concurrency: usize, faults: u32) -> Job {
    let mut job = job(records, concurrency, faults);
    job.options.batching = Batching::Bulk(BatchLimit { keys: most.try_into().unwrap(), bytes: 1_000 });
    job
}

/// Prints the path that a failure has taken.
struct PathOnPanic<'a>(&'a str, &'a Job, &'a [Event]);

impl Drop for PathOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (first, rest) = self.2.split_at(self.2.len().min(40));
            eprintln!("{}: {:?}\nafter {first:?} and {} more", self.0, self.1, rest.len());
        }
    }
}

/// The states that were found: the state before, what happened then, and the numbers of the states that follow if the
/// server is good, or silent, from then on.
#[derive(Debug, Default)]
struct Found {
    nodes: Vec<(usize, Option<Event>, [Option<usize>; 2])>,
    numbers: HashMap<(u64, u32, u64), usize>,
}

impl Found {
    /// The number of the state that follows `parent` after `event`.
    fn number(&mut self, fingerprint: (u64, u32, u64), parent: usize, event: Option<Event>) -> usize {
        *self.numbers.entry(fingerprint).or_insert_with(|| {
            self.nodes.push((parent, event, [None; 2]));
            self.nodes.len() - 1
        })
    }

    fn path(&self, mut node: usize) -> Vec<Event> {
        let mut path = Vec::new();
        while let (parent, Some(event), _) = self.nodes[node] {
            path.push(event);
            node = parent;
        }
        path.reverse();
        path
    }

    /// States from which the job does not end within this search if the server is good, or silent.
    fn endless(&self, server: usize) -> Vec<usize> {
        let mut round = vec![0; self.nodes.len()];
        let mut endless = Vec::new();
        for first in 0..self.nodes.len() {
            let mut at = first;
            while round[at] == 0 {
                round[at] = first + 1;
                let Some(next) = self.nodes[at].2[server] else { break };
                if round[next] == first + 1 {
                    endless.push(next);
                }
                at = next;
            }
        }
        endless
    }
}

fn explore(name: &str, job: &Job) {
    let start = Instant::now();
    let mut found = Found::default();
    found.number(World::new(job, start).fingerprint(), 0, None);
    let (mut at, mut edges, mut longest) = (0, 0, 0);
    let mut known = Server::ALL.map(|_| HashSet::new());
    while at < found.nodes.len() {
        let mut path = found.path(at);
        longest = longest.max(path.len());
        let world = World::replay(job, start, &path);
        let if_server_is = [Server::Good, Server::Silent].map(|server| world.next_with(server));
        let events = world.enabled();
        for (server, known) in Server::ALL.into_iter().zip(&mut known) {
            if !known.contains(&world.fingerprint_whatever_came_before()) {
                assert_ends(name, job, start, &path, server, known);
            }
        }
        let mut world = Some(world);
        for event in events {
            path.push(event);
            let on_panic = PathOnPanic(name, job, &path);
            let mut child = world.take().unwrap_or_else(|| World::replay(job, start, &path[..path.len() - 1]));
            child.apply(event);
            edges += 1;
            let number = found.number(child.fingerprint(), at, Some(event));
            for (server, _) in if_server_is.iter().enumerate().filter(|(_, next)| **next == Some(event)) {
                found.nodes[at].2[server] = Some(number);
            }
            drop(on_panic);
            path.pop();
        }
        at += 1;
    }
    for (index, server) in [Server::Good, Server::Silent].into_iter().enumerate() {
        for node in found.endless(index) {
            // Time passes from round to round, which the search does not see.
            assert_ends(name, job, start, &found.path(node), server, &mut HashSet::new());
        }
    }
    println!("{name}: {at} states, {edges} events, at most {longest} in a row");
}

/// After this path the job ends if the server is like that from now on. `known` are states from which it does.
fn assert_ends(name: &str, job: &Job, start: Instant, path: &[Event], server: Server, known: &mut HashSet<u64>) {
    let mut path = path.to_vec();
    let mut world = World::replay(job, start, &path);
    let from = world.elapsed();
    let mut passed = vec![world.fingerprint_whatever_came_before()];
    while !known.contains(&passed[passed.len() - 1])
        && let Some(event) = world.next_with(server)
    {
        path.push(event);
        let on_panic = PathOnPanic(name, job, &path);
        world.apply(event);
        passed.push(world.fingerprint_whatever_came_before());
        assert!(passed.len() < 400, "it does not end with a server that is {server:?}");
        drop(on_panic);
    }
    known.extend(passed);
    if world.wait.is_none() && server != Server::Good && job.rates.is_empty() {
        let took = world.elapsed().saturating_sub(from);
        let on_panic = PathOnPanic(name, job, &path);
        assert!(took <= MAX_WAIT + job.options.grace + 12 * SECOND, "{took:?} with a server that is {server:?}");
        drop(on_panic);
    }
}

const TEMPORARY: &[Kind] = &[Kind::Success, Kind::Down, Kind::Lost, Kind::ConnectionClosed, Kind::Pause];
const OF_BULK: &[Kind] =
    &[Kind::Success, Kind::Refused, Kind::Down, Kind::Lost, Kind::Pause, Kind::Fatal, Kind::DailyLimit];

#[test]
fn deletes_one_by_one() {
    explore("one at a time", &job(either("kk", "kkk"), 1, 1));
    explore("two at a time", &job(either("kk", "kkk"), 2, 1));
    explore("two faults", &Job { signals: 1, ..job(either("k", "kk"), 2, 2) });
    explore("records that are not sent", &job("kdpis", 2, either(0, 1)));
    let mut rows = Job { signals: 0, ..job(either("kk", "kkk"), 2, 1) };
    rows.options.most_rows = 2;
    explore("two rows may wait", &rows);
}

#[test]
fn outages() {
    explore("two keys", &job_of_outage("kk", 2, either(2, 3)));
    explore("three keys", &job_of_outage(either("k", "kkk"), 2, 2));
    let of_two = &[Kind::Success, Kind::Down];
    explore("four keys", &Job { kinds: of_two, ..job_of_outage("kkkk", either(1, 2), either(2, 4)) });
    let mut retries = job_of_outage("kk", 1, either(2, 4));
    retries.options.retry.retries = 2;
    explore("two retries", &retries);
}

fn job_of_outage(records: &'static str, concurrency: usize, faults: u32) -> Job {
    Job { kinds: TEMPORARY, signals: 0, may_break: false, ..job(records, concurrency, faults) }
}

#[test]
fn bulk_deletes() {
    let short = &[("kk", 2, 1)][..];
    for (records, most, concurrency) in either(short, &[("kk", 1, 2), ("kkk", 2, 1), ("kkk", 2, 2), ("kkkk", 4, 1)]) {
        let job = Job { kinds: OF_BULK, signals: 1, ..bulk(records, *most, *concurrency, 1) };
        explore(&format!("{records} in calls of {most}, {concurrency} at a time"), &job);
    }
    explore("two faults in bulk", &Job { kinds: OF_BULK, signals: 0, ..bulk(either("k", "kk"), 2, 1, 2) });
}

#[test]
fn keys_that_are_looked_for() {
    for (what, concurrency) in [(KeyAction::Check, 1), (KeyAction::CheckThenDelete, either(1, 2))] {
        let mut job = Job { kinds: either(OF_BULK, Kind::ALL), ..job("kk", concurrency, 1) };
        (job.options.action, job.signals) = (what, either(0, 2));
        explore(&format!("{what:?}, {concurrency} at a time"), &job);
    }
    let mut job = Job { kinds: OF_BULK, signals: either(0, 1), ..bulk(either("k", "kk"), 2, 1, 1) };
    job.options.action = KeyAction::CheckThenDelete;
    explore("check, and a bulk delete", &job);
}

#[test]
fn keys_that_are_backed_up() {
    for concurrency in [1, 2] {
        let mut job = Job { signals: either(0, 1), ..job(either(["kk", "k"][concurrency - 1], "kk"), concurrency, 1) };
        job.options.action = KeyAction::BackUpThenDelete;
        explore(&format!("backup, {concurrency} at a time"), &job);
    }
}

#[test]
fn keys_that_are_written() {
    for on_existing in [OnExisting::Overwrite, OnExisting::Keep, OnExisting::Compare] {
        let mut job = Job { kinds: OF_BULK, signals: either(0, 1), ..bulk(either("w", "ww"), 2, 1, 1) };
        job.options.action = KeyAction::Put(on_existing);
        explore(&format!("write, {on_existing:?}"), &job);
    }
}

#[test]
fn keys_from_pages() {
    for (pages, concurrency) in either(&[(&[1, 0, 1][..], 2)][..], &[(&[2, 1], 1), (&[1, 0, 1], 2), (&[2], 2)]) {
        let job = Job { pages, signals: 1, ..job("", *concurrency, either(1, 2)) };
        explore(&format!("pages of {pages:?}, {concurrency} at a time"), &job);
    }
}

#[test]
fn guards() {
    let job = Job { signals: either(0, 2), ..job(either("kk", "kkk"), 2, 1) };
    let mut canary = job.clone();
    canary.options.canary = 1;
    explore("a canary", &canary);
    let mut failures = job.clone();
    failures.options.max_failures = Some(FailureLimit::Count(NonZeroU64::MIN));
    explore("no failures", &failures);
    explore("at most one key", &Job { max_keys: Some(1), ..job.clone() });
    explore("a deadline", &Job { deadline: Some(5 * SECOND), records: either("k", "kk"), ..job });
}

#[test]
fn rates() {
    let kinds = &[Kind::Success, Kind::Down, Kind::Pause, Kind::Fatal, Kind::UsesUpQuota];
    for (count, concurrency, faults) in [(1, 1, 2), (2, 2, either(1, 3))] {
        let rates = vec![Rate::new(count, SECOND).unwrap()];
        let job = Job { rates, kinds, signals: either(0, 1), ..job(either("kk", "kkk"), concurrency, faults) };
        explore(&format!("{count} requests per second, {concurrency} at a time"), &job);
    }
}
