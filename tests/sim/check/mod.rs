//! The promises, each as a check of what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kvsweep::internals::Record;

use crate::faults::Faults;
use crate::log::{Kind, Log, Said, Sent};
use crate::process::Ran;
use crate::scenario::key;
use crate::world::World;

mod ends;
mod report;
mod rows;
mod waits;

pub(crate) use report::{is_done, report, the_end};

/// How finely tokio's timers tell moments apart.
const TICK: Duration = Duration::from_millis(2);

/// So many first failures in a row make an outage.
const OPENS_AFTER: usize = 8;

type ByKey<'a> = BTreeMap<&'a str, Vec<&'a Sent>>;

/// One run, and what it had to do with.
struct Run<'a> {
    world: &'a World,
    faults: &'a Faults,
    ran: &'a Ran,
    records: &'a [Record],
    /// Whether an earlier run deleted any key.
    deleted_before: bool,
    /// The requests for each key.
    sends: ByKey<'a>,
}

/// Everything about one run.
pub(crate) fn run(world: &World, faults: &Faults, ran: &Ran, (records, deleted_before): (&[Record], bool)) {
    let mut sends = ByKey::new();
    for sent in &ran.log.sent {
        for key in &sent.keys {
            sends.entry(key).or_default().push(sent);
        }
    }
    let run = Run { world, faults, ran, records, deleted_before, sends };
    run.requests();
    assert!(ran.log.most_in_flight <= world.concurrency, "{} in flight", ran.log.most_in_flight);
    rates(world, &ran.log);
    pauses(&ran.log);
    run.ends();
    run.stops();
    run.rows();
    run.totals();
    run.killed();
    run.retries();
    run.waits();
    run.outages();
}

impl Run<'_> {
    /// Promise 1: what is sent, how many at once, and never twice at a time.
    fn requests(&self) {
        for sent in &self.ran.log.sent {
            let most = match sent.kind {
                Kind::Presence => 100,
                Kind::Namespace | Kind::Page => 0,
                Kind::Metadata | Kind::Value => 1,
                Kind::Delete => self.world.batch.map_or(1, |batch| batch.get() as usize),
            };
            assert!(sent.keys.len() <= most, "{} keys in one request", sent.keys.len());
        }
        let todo: BTreeSet<_> = self.records.iter().filter_map(key).collect();
        for (key, sends) in &self.sends {
            assert!(todo.contains(key), "{key} was sent, and nothing of the input is left to do about it");
            let deleted = sends.iter().position(|sent| sent.kind == Kind::Delete);
            if let Some(before) = deleted.filter(|_| self.world.action.reads()) {
                let was_read = before > 0 && matches!(sends[before - 1].response_for(key), Some((_, Said::Read)));
                assert!(was_read, "{key} was sent to be deleted and was not found before");
            }
            for pair in sends.windows(2) {
                assert!(pair[0].response.is_some_and(|(at, _)| at <= pair[1].at), "{key} is twice on its way");
            }
        }
        if let Some(most) = self.faults.max_keys {
            assert!(self.sends.len() as u64 <= most, "{} keys were sent, and {most} may be", self.sends.len());
        }
    }
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
        let Some((at, said)) = sent.response else { continue };
        let asked = if let Said::Throttled(pause, _) = said { pause.map(|pause| at + pause) } else { None };
        // Nobody hears it with a namespace that is found, nor before the first key.
        let used_up = sent.used_up_until.filter(|_| sent.kind != Kind::Namespace);
        for until in [asked, used_up].into_iter().flatten() {
            let during = log.sent.iter().find(|other| other.at > at && other.at < until);
            assert!(during.is_none(), "told to send nothing for {:?}, and then {during:?}", until - at);
        }
    }
}
