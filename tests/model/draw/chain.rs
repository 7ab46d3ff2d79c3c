//! What is done with a job.

use rand::RngExt;
use rand::rngs::StdRng;

use super::{chance, limits, one_of};
use crate::case::*;

fn events(rng: &mut StdRng, requests: u64) -> Vec<Event> {
    let mut event = || Event {
        signal: one_of(rng, &[Signal::Int, Signal::Term, Signal::Hup, Signal::Kill]),
        after: rng.random_range(1..requests.max(2) + 2),
        twice: chance(rng, 25),
    };
    let mut events = vec![event(), event(), event()];
    events.truncate(rng.random_range(1..4));
    events
}

fn selection(rng: &mut StdRng, names: &[String]) -> Selection {
    let count = one_of(rng, &[0, 1, 1, 2]);
    let prefix = |rng: &mut StdRng| {
        let name = if names.is_empty() { "decoy".to_owned() } else { one_of(rng, names) };
        let kept = rng.random_range(1..4);
        name.chars().take(kept).collect::<String>()
    };
    let prefixes: Vec<String> = (0..count).map(|_| prefix(rng)).filter(|prefix| !prefix.is_empty()).collect();
    Selection {
        prefixes,
        expires: one_of(rng, &[None, None, Some(Expires::BeforeDays(20)), Some(Expires::Never)]),
        metadata: one_of(
            rng,
            &[None, None, Some(("tag", None)), Some(("tag", Some("red"))), Some(("deep.0", Some("1")))],
        ),
    }
}

fn listing(rng: &mut StdRng, names: &[String]) -> Chain {
    let more: usize = one_of(rng, &[0, 0, 0, 990, 2_000, 3_500]);
    let what = match rng.random_range(0..5) {
        0 | 1 => Listed::Delete,
        2 => Listed::Plan,
        _ => {
            let pages = (more / 1_000 + 1) as u64;
            let events = if chance(rng, 60) { events(rng, pages) } else { Vec::new() };
            Listed::List { extension: one_of(rng, &["txt", "csv", "ndjson"]), events }
        }
    };
    Chain::Listing { selection: selection(rng, names), more, what, limits: limits(rng, 25) }
}

pub(super) fn chain(rng: &mut StdRng, names: &[String]) -> Chain {
    let requests = names.len() as u64;
    let moment = |rng: &mut StdRng| rng.random_range(1..requests.max(2) + 2);
    match rng.random_range(0..56) {
        0..=9 => Chain::Interrupted { events: events(rng, requests) },
        10..=13 => {
            use Edit::*;
            let edits = [Nothing, AddColumn, Reorder, Capitals, DropOthers, OnlyPlanned, NoHeader, NoStatus];
            Chain::Plan { edit: one_of(rng, &edits) }
        }
        14 | 15 => Chain::Rehearsal,
        16 | 17 | 50 => {
            use Change::*;
            let changes = [Protect, Only, Input, ShorterInput, Namespace, DryRun];
            Chain::Changed { after: moment(rng), change: one_of(rng, &changes) }
        }
        18 | 19 => Chain::Failures,
        20 | 21 | 51 => {
            use Output::*;
            Chain::OutputIsInput { output: one_of(rng, &[Report, Failures, Backup, Stdout]) }
        }
        22..=24 => {
            use Disturbance::*;
            let all = [InputRewritten, InputReplaced, ReportRemoved, ReportReplaced];
            Chain::Disturbed { after: moment(rng), what: one_of(rng, &all) }
        }
        25 | 26 => Chain::Restore,
        27 | 28 => Chain::Shards { count: rng.random_range(2..5) },
        29..=34 => listing(rng, names),
        35 | 36 => {
            use Second::*;
            // Early, so that the first is still running.
            let after = rng.random_range(1..requests.max(4) / 2 + 1);
            Chain::Together { after, second: one_of(rng, &[Same, Resume, Overwrite, Unnamed]) }
        }
        37 | 38 => Chain::FullDisk { blocks: one_of(rng, &[1, 2, 3, 4, 5, 8, 16, 32]) },
        39 => {
            use Output::*;
            Chain::FullDevice { output: one_of(rng, &[Report, Failures, Backup, Stdout]) }
        }
        40 | 41 => {
            use Stream::*;
            let all = [File, Closed, Unread, Stuck, Full];
            Chain::Streams { stdout: one_of(rng, &all), stderr: one_of(rng, &all) }
        }
        42 if chance(rng, 30) => Chain::Large { names: one_of(rng, &[200_000, 300_000]) },
        52..=54 => {
            let count = one_of(rng, &[1, 1, 2, 3, 10, 100]);
            let deadline = one_of(rng, &[1, 5, 20, 100]);
            Chain::Guarded {
                guard: one_of(rng, &[Guard::MaxFailures(count), Guard::Canary(count), Guard::Deadline(deadline)]),
            }
        }
        _ => Chain::Delete,
    }
}
