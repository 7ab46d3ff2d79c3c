//! A resumed job ends exactly as one that was never interrupted, and only over the same inputs.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use kvsweep::sandbox::{Fault, SandboxOptions};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;

use crate::lab::{Done, Lab, final_rows, wait_until};

const KEYS: usize = 120;

/// Members of the summary that are about this run alone.
const OF_THE_RUN: [&str; 8] =
    ["resumed", "requests", "retries", "throttled", "elapsed_s", "rate_per_s", "started_at", "report"];

/// Keys, duplicates, keys that are kept, keys that the server refuses, and what is no key.
fn records(rng: &mut StdRng) -> Vec<Value> {
    let mut records: Vec<Value> = (0..KEYS).map(|index| format!("key:{index}").into()).collect();
    records.extend((0..10).map(|index| Value::from(format!("key:{}", index * 7))));
    records.extend((0..8).map(|index| Value::from(format!("config:{index}"))));
    records.extend((0..5).map(|index| Value::from(format!("bad:{index}"))));
    records.extend([Value::from(7), Value::from(""), Value::from(".."), Value::Null]);
    records.shuffle(rng);
    records
}

fn lab(records: &[Value], seed: u64) -> Lab {
    let lab = Lab::with(SandboxOptions {
        latency: Some((Duration::from_millis(1), Duration::from_millis(4))),
        faults: vec!["400@prefix:bad:".parse::<Fault>().expect("a fault")],
        seed,
        ..SandboxOptions::default()
    });
    lab.server.preload(records.iter().filter_map(Value::as_str).filter(|key| !matches!(*key, "" | "..")));
    lab.write("keys.ndjson", lines(records));
    lab
}

fn lines(records: &[Value]) -> String {
    records.iter().flat_map(|record| [record.to_string(), "\n".to_owned()]).collect()
}

const JOB: [&str; 11] = [
    "keys.ndjson",
    "--report",
    "r.csv",
    "--failures",
    "f.csv",
    "--protect",
    "config:*",
    "--json",
    "--resume",
    "--concurrency",
    "3",
];

/// What must not depend on interruptions.
fn ending(lab: &Lab, done: &Done) -> (Option<i32>, Value, BTreeMap<u64, String>, Vec<String>) {
    let mut summary = done.summary();
    let members = summary.as_object_mut().expect("an object");
    members.retain(|member, _| !OF_THE_RUN.contains(&member.as_str()));
    let rows = lab.rows("r.csv");
    let rows = final_rows(&rows).into_iter().map(|(record, row)| (record, format!("{} {}", row.key, row.status)));
    let mut failures: Vec<String> = lab.read("f.csv").lines().map(str::to_owned).collect();
    failures.sort_unstable();
    (done.status.code(), summary, rows.collect(), failures)
}

#[test]
fn a_resumed_job_ends_as_an_uninterrupted_one() {
    for seed in 0..6 {
        let records = records(&mut StdRng::seed_from_u64(seed));
        let whole = lab(&records, seed);
        let expected = ending(&whole, &whole.delete(JOB).run());
        assert_eq!((expected.0, &expected.1["failed"], &expected.1["kept"]), (Some(3), &5.into(), &8.into()));
        assert_eq!(expected.3.len(), 1 + 5);

        let lab = lab(&records, seed);
        let mut rng = StdRng::seed_from_u64(seed);
        for _ in 0..2 {
            let until = lab.server.requests() + rng.random_range(2..KEYS as u64 / 3);
            let mut running = lab.start("run", lab.delete(JOB));
            wait_until("so many requests, or the end", || running.has_ended() || lab.server.requests() >= until);
            running.kill();
        }
        let resumed = ending(&lab, &lab.delete(JOB).run());
        let text = |summary: &Value| {
            summary.to_string().replace(&lab.server.base_url(), "").replace(&whole.server.base_url(), "")
        };
        assert_eq!(text(&resumed.1), text(&expected.1), "seed {seed}");
        assert_eq!((resumed.0, resumed.2, resumed.3), (expected.0, expected.2, expected.3), "seed {seed}");
        // Nothing is left but what failed, and all of it is said again.
        let again = lab.delete(JOB).run().code(3).summary();
        assert_eq!((&again["failed"], &again["deleted"]), (&expected.1["failed"], &expected.1["deleted"]));
    }
}

#[test]
fn failures_of_all_runs_are_kept_even_if_the_last_run_stops_early() {
    let lab = lab(&records(&mut StdRng::seed_from_u64(9)), 9);
    lab.delete(JOB).run().code(3);
    let (failures, rows) = (lab.read("f.csv"), lab.rows("r.csv").len());
    assert_eq!(failures.lines().count(), 1 + 5);
    // It stops at the first failure.
    let done = lab.delete(JOB).args(["--max-failures", "1"]).run().code(8);
    assert!(lab.rows("r.csv").len() <= rows + 5);
    assert_eq!(done.summary()["failed"], 5);
    let sorted = |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(sorted(&lab.read("f.csv")), sorted(&failures));
    // Before anything could be sent, the file is left as it is.
    lab.delete(JOB).args(["--max-keys", "1"]).run().code(8);
    assert_eq!(sorted(&lab.read("f.csv")), sorted(&failures));
    // What succeeds in the end is no failure any more.
    lab.server.set_faults([]);
    lab.delete(JOB).run();
    assert_eq!(lab.read("f.csv"), "key\n");
}

/// Changes of an input.
fn changed(records: &[Value], how: usize, rng: &mut StdRng) -> Vec<Value> {
    let mut changed = records.to_vec();
    let place = rng.random_range(0..records.len());
    match how {
        0 => drop(changed.pop()),
        1 => drop(changed.remove(0)),
        2 => drop(changed.remove(place)),
        3 => changed.truncate(place),
        4 => changed.clear(),
        5 => changed.push("one more".into()),
        6 => changed.insert(place, "one more".into()),
        7 => changed[place] = "another".into(),
        8 => changed.reverse(),
        9 => changed.extend(records.to_vec()),
        _ => changed[place] = Value::from(format!("{}x", records[place].as_str().unwrap_or_default())),
    }
    changed
}

/// Deletes a few keys and is stopped.
fn interrupted(records: &[Value], seed: u64) -> Lab {
    let lab = lab(records, seed);
    lab.server.set_faults([]);
    let mut running = lab.start("run", lab.delete(JOB));
    wait_until("some requests", || running.has_ended() || lab.server.requests() >= 40);
    running.kill();
    lab
}

#[test]
fn every_change_of_a_file_makes_it_another_input() {
    let records = records(&mut StdRng::seed_from_u64(1));
    let lab = interrupted(&records, 1);
    let (before, rows) = (lab.server.requests(), lab.read("r.csv"));
    for how in 0..11 {
        let mut rng = StdRng::seed_from_u64(how as u64);
        lab.write("keys.ndjson", lines(&changed(&records, how, &mut rng)));
        let done = lab.delete(JOB).run().code(2);
        assert!(done.stderr.contains("its input is") && done.stderr.contains("hint: "), "{how}: {}", done.stderr);
        assert_eq!((lab.server.requests(), lab.read("r.csv")), (before, rows.clone()), "{how}");
    }
    lab.write("keys.ndjson", lines(&records));
    lab.delete(JOB).run().code(3);
}

#[test]
fn a_change_on_stdin_is_noticed_where_an_earlier_run_has_a_row() {
    let records = records(&mut StdRng::seed_from_u64(2));
    for how in 0..11 {
        let lab = interrupted(&records, 2);
        let mut rng = StdRng::seed_from_u64(how as u64);
        let now = changed(&records, how, &mut rng);
        let known: BTreeMap<usize, String> = lab
            .rows("r.csv")
            .into_iter()
            .map(|row| (usize::try_from(row.record).expect("a record") - 1, row.key))
            .collect();
        let shown = |record: &Value| record.as_str().map_or_else(|| record.to_string(), str::to_owned);
        let differs = known.iter().any(|(&place, key)| now.get(place).is_none_or(|record| shown(record) != *key));
        let differs = differs || now.len() != records.len();
        let gone = lab.server.request_log().len();
        let mut job = JOB.to_vec();
        job[0] = "-";
        let done = lab.delete(job).args(["--format", "ndjson"]).stdin(lines(&now)).run();
        if differs {
            // A difference in the first record is noticed before the job begins.
            match done.status.code() {
                Some(2) => assert_eq!(lab.server.request_log().len(), gone, "{how}"),
                _ => assert_eq!(done.code(1).summary()["stopped"], "input_error", "{how}"),
            }
        } else {
            assert_ne!(done.status.code(), Some(1), "{how}: {}", done.stderr);
        }
        // Only keys of this input are asked for, and none that has a row.
        for key in lab.server.request_log().into_iter().skip(gone).filter_map(|entry| entry.key) {
            assert!(now.iter().any(|record| record.as_str() == Some(&key)), "{how}: {key}");
        }
    }
}

#[test]
fn stdin_that_ends_before_the_journal_does_is_an_input_error() {
    let lab = Lab::new();
    lab.keys(10);
    let run = |keys: &str| {
        lab.delete(["-", "--format", "lines", "--report", "r.csv", "--resume", "--json"]).stdin(keys).run()
    };
    run(&lab.read("keys.txt")).code(0);
    for keys in ["", "key:0\nkey:1\n"] {
        let done = run(keys).code(1);
        assert_eq!(done.summary()["stopped"], "input_error", "{keys:?}: {}", done.stderr);
        assert!(done.stderr.contains("has 10 or more") && done.stderr.contains("r.csv"), "{}", done.stderr);
    }
    assert_eq!(lab.deletes().len(), 10);
    assert_eq!(fs::read_to_string(lab.path("r.csv")).expect("the report").lines().count(), 11);
}

/// What an earlier run read to its end is the whole input, however it comes now.
#[test]
fn stdin_has_no_more_and_no_fewer_records_than_the_file_had() {
    let lab = Lab::new();
    let numbers = |count: u64| (1..=count).flat_map(|number| [number.to_string(), "\n".to_owned()]).collect::<String>();
    lab.server.preload((1..=12).map(|number| number.to_string()).collect::<Vec<_>>().iter().map(String::as_str));
    lab.write("keys.txt", numbers(10));
    // It stops early: the journal does not say how many records there are.
    lab.server.set_faults(["400@key:1".parse::<Fault>().expect("a fault")]);
    lab.delete(["keys.txt", "--report", "r.csv", "--canary", "1"]).run().code(8);
    lab.server.set_faults([]);
    let resume = |input: String| lab.delete(["-", "--report", "r.csv", "--resume"]).stdin(input).run();
    for _ in 0..2 {
        let done = resume(numbers(12)).code(1);
        assert!(
            done.stderr.contains("the input has more than 10 records, and that of r.csv has no more"),
            "{}",
            done.stderr
        );
        let done = resume(numbers(9)).code(1);
        assert!(done.stderr.contains("the input ends after 9 records, but that of r.csv has 10"), "{}", done.stderr);
    }
    resume(numbers(10)).code(0);
    let deleted: Vec<_> = lab.deletes().iter().map(|entry| entry.key.clone().unwrap_or_default()).collect();
    assert_eq!((lab.server.keys(), deleted.len()), (vec!["11".to_owned(), "12".to_owned()], 11), "{deleted:?}");
    // A run from stdin forgets nothing of what is known of the file.
    lab.write("keys.txt", numbers(10).replace('7', "x"));
    lab.delete(["keys.txt", "--report", "r.csv", "--resume"]).run().code(2);
}

/// What was read to its end from stdin has this length from then on, whatever run reads it.
#[test]
fn stdin_has_as_many_records_as_when_it_was_read_to_its_end() {
    let lab = Lab::new();
    lab.keys(12);
    let run = |count: usize| {
        let keys: Vec<_> = lab.read("keys.txt").lines().take(count).map(str::to_owned).collect();
        lab.delete(["-", "--report", "r.csv", "--resume"]).stdin(keys.join("\n")).run()
    };
    run(10).code(0);
    for count in [12, 9, 12] {
        run(count).code(1);
        let job: Value = serde_json::from_str(&lab.read("r.csv.job.json")).expect("a job file");
        assert_eq!(job["inputs"][0]["records"], 10, "{count}");
    }
    run(10).code(0);
    assert_eq!(lab.deletes().len(), 10);
}

#[test]
fn a_run_that_ends_before_its_first_key_writes_the_failures_of_earlier_ones() {
    let lab = Lab::with(SandboxOptions {
        faults: vec!["400@prefix:bad".parse::<Fault>().expect("a fault")],
        ..SandboxOptions::default()
    });
    lab.server.preload(["bad:1", "bad:2", "ok", "later"]);
    lab.write("keys.txt", "bad:1\nok\nbad:2\nlater\n");
    let job = ["keys.txt", "--report", "r.csv", "--resume", "--failures", "f.csv", "--concurrency", "1"];
    lab.delete(["keys.txt", "--report", "r.csv", "--max-failures", "2", "--concurrency", "1"]).run().code(8);
    for guard in [["--max-keys", "1"], ["--expect", "3"], ["--min-keys", "9"]] {
        let done = lab.delete(job).args(guard).run().code(8);
        assert!(
            done.stdout.contains("f.csv (2 keys") || done.stderr.contains("f.csv (2 keys"),
            "{guard:?}: {}",
            done.stdout
        );
        assert_eq!(lab.read("f.csv"), "key\nbad:1\nbad:2\n", "{guard:?}");
        std::fs::remove_file(lab.path("f.csv")).expect("it is there");
    }
    // What is no end of a job leaves nothing behind.
    lab.delete(job).args(["--only", "x*"]).run().code(2);
    assert!(!lab.path("f.csv").exists());
}

#[test]
fn rows_that_no_delete_writes_are_not_taken_for_its_own() {
    let lab = Lab::new();
    lab.server.preload(["a", "b"]);
    lab.write("keys.txt", "a\nb\n");
    lab.delete(["keys.txt", "--report", "r.csv"]).run().code(0);
    let report = lab.read("r.csv");
    for status in ["restored", "restorable", "planned"] {
        lab.write("r.csv", report.replacen(",deleted,", &format!(",{status},"), 1));
        let sent = lab.server.requests();
        let done = lab.delete(["keys.txt", "--report", "r.csv", "--resume"]).run().code(2);
        assert!(done.stderr.contains(status), "{}", done.stderr);
        assert_eq!(lab.server.requests(), sent);
    }
}
