//! What holds of the report and the server after runs.

use std::collections::BTreeSet;

use kvsweep::Status;
use kvsweep::internals::{Journal, Record, RecordState};

use crate::journal::Rows;
use crate::scenario::{is_gone, key, shown};
use crate::server::{Server, bad, denied};
use crate::world::World;

/// Whether the server can never delete this key.
fn is_bad(world: &World, key: &str) -> bool {
    bad(world, key).is_some() || denied(world, key).is_some()
}

/// What holds of the report after every run, however it ended.
pub(crate) fn report(input: &[Record], last: &Rows, journal: &Journal, server: &Server) {
    for record in input {
        let number = record.number.get();
        let (is_settled, name) = (journal.state(record.number, shown(record)) == RecordState::Settled, shown(record));
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

fn is_done_with(world: &World, status: Status) -> bool {
    is_gone(status) || status == world.done().1
}

/// Whether every record has its final row and every key that can be deleted is gone.
pub(crate) fn is_done(world: &World, input: &[Record], last: &Rows) -> bool {
    input.iter().all(|record| match (last.get(&record.number.get()), key(record)) {
        (None, _) => false,
        (Some((_, status)), Some(key)) => is_done_with(world, *status) || is_bad(world, key),
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
            Some(key) if is_bad(world, key) && !(world.action.reads() && status == world.done().1) => {
                assert!(matches!(status, Status::Failed | Status::Unknown), "{key} is {status}");
            }
            Some(key) => assert!(is_done_with(world, status) && !server.keys.contains(key), "{key} is {status}"),
            None => assert!(matches!(status, Status::Kept | Status::Invalid | Status::Duplicate), "{status}"),
        }
    }
    let names: BTreeSet<_> = input.iter().filter_map(key).collect();
    assert!(server.deleted.iter().all(|key| names.contains(&**key)), "nothing but the input's keys");
    let left: BTreeSet<_> = server.keys.iter().filter(|key| !names.contains(&***key)).cloned().collect();
    assert_eq!(&left, others, "what is not in the input is untouched");
}
