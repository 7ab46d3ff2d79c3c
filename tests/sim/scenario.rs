//! The life of one job: run after run on one report, until every key is gone.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::AddAssign;
use std::rc::Rc;

use kvsweep::key::KeyName;
use kvsweep::outcome::Status;
use kvsweep::record::{Content, Invalid, Record, RecordNumber};
use kvsweep::report::{Journal, Verdict};
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep};

use crate::check;
use crate::journal::Report;
use crate::process::{Ran, process};
use crate::server::{Kind, Said, Server, Shared};
use crate::world::{STORMY_RUNS, Weather, World, seeded};

/// How much of a story is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Nothing,
    Everything,
}

/// What has to happen somewhere, or the simulation proves nothing about it.
const NEEDED: [&str; 25] = [
    "absent",
    "backed up",
    "backup full",
    "bulk calls",
    "crash",
    "deadline",
    "deleted",
    "failed",
    "interrupted",
    "killed by a second signal",
    "left undeleted",
    "looked for",
    "looked for in vain",
    "lost",
    "max_failures",
    "outage",
    "probes",
    "requests",
    "resumed",
    "retries",
    "runs",
    "stale",
    "throttled",
    "unauthorized",
    "unknown",
];

/// How often what happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    counts: BTreeMap<&'static str, u64>,
    /// Every request of every run, and its moment.
    trace: u64,
}

impl Sum {
    fn add(&mut self, what: &'static str, times: u64) {
        *self.counts.entry(what).or_default() += times;
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        NEEDED.into_iter().map(|what| (what, self.counts.get(what).copied().unwrap_or(0)))
    }

    fn count(&mut self, ran: &Ran) {
        self.add("runs", 1);
        let log = &ran.log;
        let told = |wanted: fn(Said) -> bool| log.sent.iter().filter_map(|sent| sent.told).filter(move |t| wanted(t.1));
        self.add("requests", log.sent.len() as u64);
        self.add(
            "bulk calls",
            log.sent.iter().filter(|sent| sent.kind == Kind::Delete && sent.keys.len() > 1).count() as u64,
        );
        let left =
            |kind: Kind| log.sent.iter().filter(move |sent| sent.kind == kind).map(|sent| sent.left.len() as u64);
        self.add("left undeleted", left(Kind::Delete).sum());
        self.add("looked for", log.sent.iter().filter(|sent| sent.kind == Kind::Presence).count() as u64);
        self.add("looked for in vain", left(Kind::Presence).sum());
        self.add("backed up", log.kept as u64);
        self.add("backup full", told(|said| said == Said::Unkept).count() as u64);
        self.add("lost", told(|said| said == Said::Nothing).count() as u64);
        self.add("stale", told(|said| said == Said::Stale).count() as u64);
        self.add("throttled", told(|said| matches!(said, Said::Throttled(_))).count() as u64);
        for row in &ran.rows {
            self.add(row.status.as_str(), 1);
        }
        match &ran.end {
            None => self.add("crash", 1),
            Some(end) => {
                self.add("retries", end.totals.retries);
                self.add("resumed", end.totals.resumed);
                self.add("probes", check::probes(log));
                self.add(end.stop.as_ref().map_or("done", |stop| stop.reason.as_str()), 1);
                let given_up = log.sent.iter().any(|sent| sent.told.is_none());
                self.add("killed by a second signal", u64::from(given_up && ran.signals.len() > 1));
            }
        }
        let mut hasher = DefaultHasher::new();
        self.trace.hash(&mut hasher);
        for sent in &log.sent {
            let told = sent.told.map(|(at, said)| (at - ran.began, format!("{said:?}")));
            (&sent.keys, &sent.left, sent.at - ran.began, told).hash(&mut hasher);
        }
        self.trace = hasher.finish();
    }
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.trace = self.trace.rotate_left(1).wrapping_add(other.trace);
        for (what, times) in other.counts {
            self.add(what, times);
        }
    }
}

/// Runs a seed's job to its end and checks every promise on the way.
pub(crate) fn live(seed: u64, told: Told) -> Sum {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(Box::pin(story(seed, told)))
}

async fn story(seed: u64, told: Told) -> Sum {
    let mut rng = seeded(seed, 1);
    let world = World::draw(&mut rng);
    let input = input(&world, &mut rng);
    let names: BTreeSet<_> = input.iter().filter_map(|record| key(record).map(str::to_owned)).collect();
    let there = names.iter().filter(|_| rng.random_range(0..100) >= world.missing).cloned();
    let others: BTreeSet<_> = (0..5).map(|other| format!("other-{other}")).collect();
    let keys = there.chain(others.iter().cloned()).collect();
    let server = Server::new(world.clone(), keys, seeded(seed, 2), Instant::now());
    let server: Shared = Rc::new(RefCell::new(server));
    let folder = tempfile::tempdir().expect("a folder");
    let report = Report::new(folder.path(), world.ndjson);
    let mut sum = Sum::default();
    if told == Told::Everything {
        println!("{world:#?}");
    }
    for nth in 0..=STORMY_RUNS {
        let weather = if nth < STORMY_RUNS { Weather::draw(&mut rng) } else { Weather::calm() };
        sleep(weather.idle).await;
        let records = resumed(&input, &report.journal());
        let rng_of_run = seeded(seed, 10 + nth as u64);
        let ran = Box::pin(process(&world, &weather, &server, records.clone(), rng_of_run)).await;
        if told == Told::Everything {
            tell(nth, &weather, &ran);
        }
        sum.count(&ran);
        check::run(&world, &weather, &ran, &records);
        let torn = ran.end.is_none().then_some(&mut rng);
        let (is_torn, rows) = (torn.is_some(), ran.rows);
        report.append(rows.clone(), torn).await;
        let last = report.last_rows();
        if !is_torn {
            for row in &rows {
                assert_eq!(last[&row.number.get()], (row.key.to_string(), row.status), "what was settled is written");
            }
        }
        check::report(&input, &last, &report.journal(), &server.borrow());
        let stopped = ran.end.is_none_or(|end| end.stop.is_some());
        let done = check::is_done(&world, &input, &last);
        assert!(done || nth < STORMY_RUNS, "in calm weather it is not done");
        if done && !stopped {
            break;
        }
    }
    check::the_end(&world, &input, &report.last_rows(), &server.borrow(), &others);
    sum
}

fn tell(nth: usize, weather: &Weather, ran: &Ran) {
    println!("run {nth}: {weather:?}");
    for sent in &ran.log.sent {
        let answer = sent.told.map(|(at, said)| (at - ran.began, said));
        println!("  {:?} {} {answer:?}", sent.at - ran.began, sent.what());
    }
    for row in &ran.rows {
        println!("  row {} {:?} {} after {} attempts", row.number, row.key, row.status, row.attempts);
    }
    println!("  over after {:?}: {:?}", ran.over - ran.began, ran.end);
}

/// The key that a record may have deleted.
pub(crate) fn key(record: &Record) -> Option<&str> {
    match &record.content {
        Content::Key(key) => Some(key.as_str()),
        _ => None,
    }
}

fn input(world: &World, rng: &mut StdRng) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    let mut number = RecordNumber::FIRST;
    for index in 0..world.keys {
        let earlier = records.get(rng.random_range(0..=index)).map(|record| record.content.clone());
        let content = match (rng.random_range(0..20), earlier) {
            (0, Some(Content::Key(earlier))) => Content::Duplicate(earlier),
            (1, _) => {
                Content::Invalid(Box::new(Invalid { key: "..".into(), rule: "no".into(), reason: "a test: no".into() }))
            }
            (2, _) => Content::Key(KeyName::new(format!("odd,\"{index}\"\r\né")).expect("a name")),
            _ => Content::Key(KeyName::new(format!("key-{index}")).expect("a name")),
        };
        records.push(Record { number, content });
        number = number.next();
    }
    records
}

/// The input as a resumed run sees it; the command's reader does the same.
fn resumed(input: &[Record], journal: &Journal) -> Vec<Record> {
    let look = |record: &Record| {
        let name = shown(record);
        match journal.verdict(record.number, name) {
            Verdict::Todo => record.clone(),
            Verdict::Settled => Record { number: record.number, content: Content::Settled },
            Verdict::Mismatch => panic!("record {} is said to be of another input", record.number),
        }
    };
    input.iter().map(look).collect()
}

/// What a record's row shows as its key.
pub(crate) fn shown(record: &Record) -> &str {
    match &record.content {
        Content::Key(key) | Content::Duplicate(key) => key.as_str(),
        Content::Invalid(invalid) => &invalid.key,
        Content::Settled => unreachable!("an input holds no settled records"),
    }
}

/// Whether a state is that of a key which is gone.
pub(crate) fn is_gone(status: Status) -> bool {
    matches!(status, Status::Deleted | Status::Absent)
}
