//! The life of one job: run after run on one report, until every key is gone.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use kvsweep::internals::{Content, Invalid, Journal, Kept, Pair, Record, RecordNumber, RecordState};
use kvsweep::{KeyName, Status};
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep};

use crate::check;
use crate::faults::{FAULTY_RUNS, Faults};
use crate::journal::{Report, Rows};
use crate::process::{Ran, process};
use crate::server::{Server, Shared};
use crate::sum::Sum;
use crate::world::{World, seeded};

/// How much of a scenario is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verbosity {
    Quiet,
    Full,
}

/// Runs a seed's job to its end and checks every promise on the way.
pub(crate) fn live(seed: u64, verbosity: Verbosity) -> Sum {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(Box::pin(scenario(seed, verbosity)))
}

async fn scenario(seed: u64, verbosity: Verbosity) -> Sum {
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
    let mut last = Rows::new();
    let mut sum = Sum::default();
    if verbosity == Verbosity::Full {
        println!("{world:#?}");
    }
    for nth in 0..=FAULTY_RUNS {
        let faults = if nth < FAULTY_RUNS { Faults::draw(&mut rng) } else { Faults::none() };
        sleep(faults.idle).await;
        let records = resumed(&input, &report.journal());
        let deleted_before = last.values().any(|(_, status)| is_gone(*status));
        let rng_of_run = seeded(seed, 10 + nth as u64);
        let ran = Box::pin(process(&world, &faults, &server, (records.clone(), deleted_before), rng_of_run)).await;
        if verbosity == Verbosity::Full {
            tell(nth, &faults, &ran);
        }
        sum.count(&world, &ran);
        check::run(&world, &faults, &ran, (&records, deleted_before));
        let torn = ran.end.is_none().then_some(&mut rng);
        let (is_torn, rows) = (torn.is_some(), ran.rows);
        report.append(rows.clone(), torn).await;
        last = report.last_rows();
        if !is_torn {
            for row in &rows {
                assert_eq!(last[&row.number.get()], (row.key.to_string(), row.status), "what was settled is written");
            }
        }
        check::report(&input, &last, &report.journal(), &server.borrow());
        let stopped = ran.end.is_none_or(|end| end.stop.is_some());
        let done = check::is_done(&world, &input, &last);
        assert!(done || nth < FAULTY_RUNS, "without faults it is not done");
        if done && !stopped {
            break;
        }
    }
    check::the_end(&world, &input, &last, &server.borrow(), &others);
    sum
}

fn tell(nth: usize, faults: &Faults, ran: &Ran) {
    println!("run {nth}: {faults:?}");
    for sent in &ran.log.sent {
        let answer = sent.response.map(|(at, said)| (at - ran.began, said));
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
        Content::Pair(pair) => Some(pair.key.as_str()),
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
            (0, Some(Content::Pair(earlier))) => Content::Superseded(earlier.key.clone()),
            (1, _) => {
                Content::Invalid(Box::new(Invalid { key: "..".into(), rule: "no".into(), reason: "a test: no".into() }))
            }
            (3, _) => {
                let key = KeyName::new(format!("kept-{index}")).expect("a name");
                Content::Kept(Box::new(Kept { key, rule: "matches --protect kept-*".to_owned() }))
            }
            (2, _) => Content::Key(KeyName::new(format!("odd,\"{index}\"\r\né")).expect("a name")),
            _ => Content::Key(KeyName::new(format!("key-{index}")).expect("a name")),
        };
        let content = match content {
            Content::Key(key) if world.is_put() => {
                let json = serde_json::to_vec(key.as_str()).expect("a string").into();
                Content::Pair(Arc::new(Pair { key, json, expiration: None }))
            }
            content => content,
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
        match journal.state(record.number, name) {
            RecordState::Pending => record.clone(),
            RecordState::Settled => Record { number: record.number, content: Content::Settled },
            RecordState::Mismatch => panic!("record {} is said to be of another input", record.number),
        }
    };
    input.iter().map(look).collect()
}

/// What a record's row shows as its key.
pub(crate) fn shown(record: &Record) -> &str {
    match &record.content {
        Content::Key(key) | Content::Duplicate(key) | Content::Superseded(key) => key.as_str(),
        Content::Pair(pair) => pair.key.as_str(),
        Content::Kept(kept) => kept.key.as_str(),
        Content::Invalid(invalid) => &invalid.key,
        Content::Settled => unreachable!("an input holds no settled records"),
    }
}

/// Whether a state is that of a key which is gone or, if keys are written, exists.
pub(crate) fn is_gone(status: Status) -> bool {
    matches!(status, Status::Deleted | Status::Absent | Status::Restored)
}
