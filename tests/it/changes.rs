//! An input that changes while a job runs: no key of the new content is ever sent.

use std::fs::File;
use std::time::SystemTime;

use serde_json::json;

use crate::lab::{Done, Kvsweep, Lab, wait_until};

const KEYS: usize = 60_000;

/// As many bytes for each letter.
fn list(letter: char) -> String {
    (0..KEYS).map(|number| format!("{letter}:{number:09}")).collect::<Vec<_>>().join("\n") + "\n"
}

fn modified(lab: &Lab, name: &str) -> SystemTime {
    std::fs::metadata(lab.path(name)).and_then(|file| file.modified()).expect("the time of the file")
}

/// A job that is slow enough to be overtaken, and that ends with exit code 1 after `change`.
fn assert_stops(lab: &Lab, run: Kvsweep, change: impl FnOnce()) {
    let mut running = lab.start("changed", run.args(["--json", "--report", "r.csv", "--concurrency", "4"]));
    wait_until("the first keys are deleted", || lab.server.len() < 2 * KEYS);
    change();
    wait_until("the job ends", || running.has_ended());
    let done = running.done().code(1);
    assert_eq!(done.summary()["stopped"], "input_error");
    assert!(done.stderr.contains("was changed after it was opened or checked"), "{}", done.stderr);
    let new = lab.deletes().into_iter().filter_map(|entry| entry.key).filter(|key| !key.starts_with('a')).count();
    assert_eq!(new, 0, "keys of the new content");
    assert!(lab.server.len() > KEYS, "the job went on to the end");
}

fn lab() -> Lab {
    let lab = Lab::new();
    lab.server.preload(list('a').lines().chain(list('b').lines()));
    lab.write("keys.txt", list('a'));
    lab
}

fn slow(lab: &Lab, inputs: &[&str]) -> Kvsweep {
    lab.kvsweep(["delete", "--yes", "--rate", "2000/1s"]).args(inputs)
}

#[test]
fn a_file_that_is_written_over_with_its_size_and_time_kept() {
    let lab = lab();
    assert_stops(&lab, slow(&lab, &["keys.txt"]), || {
        let time = modified(&lab, "keys.txt");
        lab.write("keys.txt", list('b'));
        let file = File::options().write(true).open(lab.path("keys.txt")).expect("the file");
        file.set_modified(time).expect("its time");
    });
}

#[test]
fn a_file_that_is_replaced_before_it_is_reached() {
    let lab = lab();
    lab.write("later.txt", list('b'));
    assert_stops(&lab, slow(&lab, &["keys.txt", "later.txt"]), || {
        lab.write("new.txt", list('c'));
        std::fs::rename(lab.path("new.txt"), lab.path("later.txt")).expect("it is replaced");
        // And the one that is being read grows.
        lab.write("keys.txt", list('a') + "b:000000001\n");
    });
}

/// A file on stdin is not counted, but read at the same place by everybody who has it.
#[test]
fn a_file_on_stdin() {
    let lab = lab();
    let mut run = slow(&lab, &["-", "--format", "lines"]).args(["--json", "--report", "r.csv", "--concurrency", "4"]);
    let file = File::open(lab.path("keys.txt")).expect("the file");
    let mut child = run.spawn(file.into());
    wait_until("the first keys are deleted", || lab.server.len() < 2 * KEYS);
    lab.write("keys.txt", list('b'));
    wait_until("the job ends", || child.try_wait().expect("its state").is_some());
    let done: Done = child.wait_with_output().expect("its output").into();
    let done = done.code(1);
    assert_eq!(done.summary()["stopped"], "input_error");
    let new = lab.deletes().into_iter().filter_map(|entry| entry.key).filter(|key| !key.starts_with('a')).count();
    assert_eq!(new, 0, "keys of the new content");
}

#[test]
fn a_backup_that_changes() {
    let lab = Lab::new();
    let record =
        |letter: char, number: usize| json!({"key": format!("{letter}:{number:05}"), "value": "v"}).to_string();
    let backup = |letter| (0..20_000).map(|number| record(letter, number) + "\n").collect::<String>();
    lab.write("b.ndjson", backup('a'));
    let run = lab.kvsweep(["restore", "b.ndjson", "--yes", "--rate", "100/1s", "--report", "none", "--json"]);
    let mut running = lab.start("changed", run);
    wait_until("the first keys are there", || !lab.server.is_empty());
    lab.write("b.ndjson", backup('b'));
    wait_until("it ends", || running.has_ended());
    let done = running.done().code(1);
    assert_eq!(done.summary()["stopped"], "input_error");
    assert!(lab.server.keys().iter().all(|key| key.starts_with('a')) && lab.server.len() < 20_000);
}
