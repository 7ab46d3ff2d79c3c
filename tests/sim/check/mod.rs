//! The promises, each as a check of what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kvsweep::outcome::{Status, Tally};
use kvsweep::record::{Content, Record};
use kvsweep::report::{Journal, Verdict};
use tokio::time::Instant;

use crate::journal::Rows;
use crate::process::{GRACE, Ran};
use crate::server::{Kind, Log, Said, Sent, Server, bad};
use crate::story::{is_gone, key, shown};
use crate::world::{Weather, World};

/// So many first failures in a row make an outage.
const OPENS_AFTER: usize = 8;

/// How finely tokio's timers tell moments apart.
const TICK: Duration = Duration::from_millis(2);

type ByKey<'a> = BTreeMap<&'a str, Vec<&'a Sent>>;

/// Everything about one run.
pub(crate) fn run(world: &World, weather: &Weather, ran: &Ran, records: &[Record]) {
    let mut sends = ByKey::new();
    for sent in &ran.log.sent {
        for key in &sent.keys {
            sends.entry(key).or_default().push(sent);
        }
        let most = match sent.kind {
            Kind::Presence => 100,
            Kind::Namespace | Kind::Metadata | Kind::Value => 1,
            Kind::Delete => world.batch.map_or(1, |batch| batch.get() as usize),
        };
        assert!(sent.keys.len() <= most, "{} keys in one request", sent.keys.len());
    }
    let todo: BTreeSet<_> = records.iter().filter_map(key).collect();
    for (key, sends) in &sends {
        assert!(todo.contains(key), "{key} was sent, and nothing of the input is left to do about it");
        let deleted = sends.iter().position(|sent| sent.kind == Kind::Delete);
        if let Some(before) = deleted.filter(|_| world.course.reads()) {
            let was_read = before > 0 && matches!(sends[before - 1].told_of(key), Some((_, Said::Read)));
            assert!(was_read, "{key} was sent to be deleted and was not found before");
        }
        for pair in sends.windows(2) {
            assert!(pair[0].told.is_some_and(|(at, _)| at <= pair[1].at), "{key} is twice on its way");
        }
    }
    assert!(ran.log.most_in_flight <= world.concurrency, "{} in flight", ran.log.most_in_flight);
    rates(world, &ran.log);
    pauses(&ran.log);
    ends(weather, ran);
    rows(ran, records, &sends);
    totals(ran, records, &sends);
    retries(world, ran, &sends);
    outage(world, weather, ran, &todo, &sends);
}

/// Promise 4: never more than a rate in any window, where they arrive.
fn rates(world: &World, log: &Log) {
    let mut arrivals = log.arrivals.clone();
    arrivals.sort_unstable();
    for rate in &world.rates {
        let count = rate.count().get() as usize;
        for window in arrivals.windows(count + 1) {
            let length = window[count] - window[0];
            assert!(length >= rate.window(), "{} requests arrived within {length:?}, against {rate}", count + 1);
        }
    }
}

/// Promise 5: what the server asks for is kept by everybody.
fn pauses(log: &Log) {
    for sent in &log.sent {
        let Some((at, Said::Throttled(Some(pause)))) = sent.told else { continue };
        let during = log.sent.iter().find(|other| other.at > at && other.at < at + pause);
        assert!(during.is_none(), "told to pause for {pause:?}, and then {during:?}");
    }
}

/// After a signal and after the deadline nothing new begins, and the end is near.
fn ends(weather: &Weather, ran: &Ran) {
    let sent_after = |moment: Instant| ran.log.sent.iter().find(|sent| sent.at > moment);
    if let Some(deadline) = ran.deadline {
        assert_eq!(sent_after(deadline), None, "sent after the deadline");
    }
    let [first, rest @ ..] = &ran.signals[..] else { return };
    assert_eq!(sent_after(*first), None, "sent after a signal");
    if weather.disk.is_zero() && ran.end.is_some() {
        assert!(ran.over <= *first + GRACE + TICK, "a signal, and {:?} to the end", ran.over - *first);
        if let Some(second) = rest.first() {
            assert!(ran.over <= *second + TICK, "a second signal, and {:?} to the end", ran.over - *second);
        }
    }
}

/// Promises 2 and 3: one row a record, and it says what the server said last.
fn rows(ran: &Ran, records: &[Record], sends: &ByKey<'_>) {
    let mut seen = BTreeSet::new();
    for row in &ran.rows {
        let (number, status) = (row.number.get(), row.status);
        assert!(seen.insert(number), "record {number} has two rows");
        let record = &records[usize::try_from(number - 1).unwrap()];
        let Some(key) = key(record) else {
            let right = match record.content {
                Content::Duplicate(_) => status == Status::Duplicate,
                Content::Invalid(_) => status == Status::Invalid,
                Content::Key(_) | Content::Settled => false,
            };
            assert!(right, "record {number} is {:?}, and its row says {status}", record.content);
            continue;
        };
        assert_eq!(key, &*row.key, "record {number}");
        let sends = sends.get(key).unwrap_or_else(|| panic!("{key} was never sent, and its row says {status}"));
        assert_eq!(row.attempts as usize, sends.len(), "attempts of {key}");
        let sent = sends[sends.len() - 1];
        let last = sent.told_of(key).map(|(_, said)| said);
        let expected = match last {
            Some(Said::Deleted) => Status::Deleted,
            Some(Said::Absent) => Status::Absent,
            Some(Said::Read) => panic!("{key} was only read, and its row says {status}"),
            Some(Said::Refused | Said::Failing | Said::Throttled(_) | Said::Fatal | Said::Unkept) => Status::Failed,
            // What was only to be read is surely not deleted.
            Some(Said::Nothing | Said::Stale) | None if sent.kind != Kind::Delete => Status::Failed,
            Some(Said::Nothing | Said::Stale) | None => Status::Unknown,
        };
        assert_eq!(status, expected, "the last that was said of {key} was {last:?}");
    }
}

/// How many requests for the namespace the job began with.
fn preflight(log: &Log) -> u64 {
    log.sent.iter().take_while(|sent| sent.keys.is_empty()).count() as u64
}

/// How many requests for the namespace were probes of an outage.
pub(crate) fn probes(log: &Log) -> u64 {
    log.sent.iter().filter(|sent| sent.keys.is_empty()).count() as u64 - preflight(log)
}

/// The totals add up, and nothing that was sent is left without a row.
fn totals(ran: &Ran, records: &[Record], sends: &ByKey<'_>) {
    let Some(end) = &ran.end else { return };
    let totals = end.totals;
    let mut tally = Tally::default();
    ran.rows.iter().for_each(|row| tally.add(row.status));
    // Only a second signal may keep a slow disk from its rows.
    let all_handed_over = ran.signals.len() < 2;
    if all_handed_over {
        assert_eq!(totals.tally, tally, "the counts are those of the rows");
    }
    assert_eq!(totals.requests, ran.log.sent.len() as u64, "requests");
    let mut begun = BTreeSet::new();
    // Every key has to be looked at, so no short cut is taken.
    let is_again =
        |sent: &&Sent| sent.keys.iter().fold(false, |again, key| again | !begun.insert((sent.kind, key.clone())));
    let again = ran.log.sent.iter().filter(is_again).count();
    assert_eq!(totals.retries, again as u64 + preflight(&ran.log) - 1, "retries");
    let throttled = |sent: &&Sent| matches!(sent.told, Some((_, Said::Throttled(_))));
    assert_eq!(totals.throttled, ran.log.sent.iter().filter(throttled).count() as u64, "throttled");
    let named: BTreeSet<_> = ran.rows.iter().map(|row| &*row.key).collect();
    for (key, sends) in sends {
        let only_read = matches!(sends[sends.len() - 1].told_of(key), Some((_, Said::Read))) && end.stop.is_some();
        assert!(named.contains(key) || !all_handed_over || only_read, "{key} was sent and has no row");
    }
    let settled = records.iter().filter(|record| record.content == Content::Settled).count() as u64;
    assert!(totals.tally.total() + totals.resumed <= totals.records && totals.resumed <= settled, "{totals:?}");
    if end.stop.is_none() {
        assert_eq!(totals.records, records.len() as u64, "records");
        assert_eq!(totals.resumed, settled, "resumed");
        assert_eq!(totals.tally.total() + settled, totals.records, "none is lost");
    }
}

/// Promise 5, and that no retry is lost: who is given up had all of its attempts, and no 429 was one of them.
fn retries(world: &World, ran: &Ran, sends: &ByKey<'_>) {
    if ran.end.as_ref().is_none_or(|end| end.stop.is_some()) {
        return;
    }
    for row in &ran.rows {
        let Some(sends) = sends.get(&*row.key).filter(|_| row.status.is_trouble()) else { continue };
        let last = sends[sends.len() - 1].kind;
        let count = |wanted: &[Said]| {
            let sends = sends.iter().filter(|sent| sent.kind == last);
            sends.filter(|sent| sent.told_of(&row.key).is_some_and(|(_, said)| wanted.contains(&said))).count()
        };
        if count(&[Said::Refused]) > 0 {
            continue;
        }
        let failures = count(&[Said::Failing, Said::Nothing]) + count(&[Said::Stale]).saturating_sub(1);
        assert!(failures > world.retries as usize, "{} was given up after {failures} failures", row.key);
    }
}

/// Promise 6: an outage is not burnt through.
fn outage(world: &World, weather: &Weather, ran: &Ran, todo: &BTreeSet<&str>, sends: &ByKey<'_>) {
    let done = ran.end.as_ref().is_some_and(|end| end.stop.is_none());
    let single = world.batch.is_none();
    let Some((from, _, _)) = weather.outage.filter(|_| done && weather.only_an_outage() && world.bad == 0 && single)
    else {
        return;
    };
    let burnt = ran.rows.iter().filter(|row| matches!(row.status, Status::Failed | Status::Unknown)).count();
    // Answers that were on their way when it began still come, and each is a sign of life. Who asks for few retries or
    // none has keys settled meanwhile.
    if world.retries >= 3 {
        assert!(burnt < OPENS_AFTER + world.concurrency, "{burnt} keys were lost to an outage");
    }
    let before = sends.values().filter(|sends| sends[0].at <= ran.began + from).count();
    let many_left = todo.len() - before >= OPENS_AFTER + world.concurrency;
    if many_left && world.retries == 8 && world.rates.is_empty() && world.concurrency >= OPENS_AFTER {
        assert_eq!(burnt, 0, "keys were lost to an outage in the middle of the job");
    }
}

/// What holds of the report after every run, however it ended.
pub(crate) fn report(input: &[Record], last: &Rows, journal: &Journal, server: &Server) {
    for record in input {
        let number = record.number.get();
        let (is_settled, name) = (journal.verdict(record.number, shown(record)) == Verdict::Settled, shown(record));
        let Some((written, status)) = last.get(&number) else {
            assert!(!is_settled, "record {number} is settled without a row");
            continue;
        };
        assert_eq!(written, name, "record {number}");
        assert_eq!(is_settled, status.is_settled(), "record {number} is {status}");
        if is_gone(*status) {
            assert!(!server.keys.contains(name), "{name} is {status}, and there");
        }
    }
    assert!(last.keys().all(|number| (1..=input.len() as u64).contains(number)), "rows of no record");
}

/// Whether every record has its final row and every key that can be deleted is gone.
pub(crate) fn is_done(world: &World, input: &[Record], last: &Rows) -> bool {
    input.iter().all(|record| match (last.get(&record.number.get()), key(record)) {
        (None, _) => false,
        (Some((_, status)), Some(key)) => is_gone(*status) || bad(world, key).is_some(),
        (Some(_), None) => true,
    })
}

/// Promise 1, and the end of all records.
pub(crate) fn the_end(world: &World, input: &[Record], last: &Rows, server: &Server, others: &BTreeSet<String>) {
    assert_eq!(last.len(), input.len(), "a final row for every record");
    for record in input {
        let status = last[&record.number.get()].1;
        match key(record) {
            // One that was never there is not even sent to be deleted.
            Some(key) if bad(world, key).is_some() && !(world.course.reads() && status == Status::Absent) => {
                assert!(matches!(status, Status::Failed | Status::Unknown), "{key} is {status}");
            }
            Some(key) => assert!(is_gone(status) && !server.keys.contains(key), "{key} is {status}"),
            None => assert!(matches!(status, Status::Invalid | Status::Duplicate), "{status}"),
        }
    }
    let names: BTreeSet<_> = input.iter().filter_map(key).collect();
    assert!(server.deleted.iter().all(|key| names.contains(&**key)), "nothing but the input's keys");
    let left: BTreeSet<_> = server.keys.iter().filter(|key| !names.contains(&***key)).cloned().collect();
    assert_eq!(&left, others, "what is not in the input is untouched");
}
