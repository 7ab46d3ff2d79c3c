//! A job that was cut off anywhere goes on where it was: what is settled is not asked again, all the rest is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use kvsweep::sandbox::{Fault, MissingKey, SandboxOptions};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::time::Duration;

use crate::lab::{Lab, Row, complete, final_rows, is_csv, parse_csv, parse_ndjson, wait_until};

const KEYS: usize = 300;

const CONCURRENCY: usize = 4;

/// Kills in all, over as many jobs as it takes; half of them in each format.
const KILLS: u32 = 100;

#[test]
fn a_job_killed_at_random_points_comes_to_its_end_csv() {
    kill_and_resume("report.csv", 0x5eed_0001);
}

#[test]
fn a_job_killed_at_random_points_comes_to_its_end_ndjson() {
    kill_and_resume("report.ndjson", 0x5eed_0002);
}

fn kill_and_resume(report: &str, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut kills, mut with_rows, mut cut) = (0, 0, 0);
    for job in 0.. {
        if kills >= KILLS / 2 {
            break;
        }
        let missing_key = if job % 2 == 0 { MissingKey::Success } else { MissingKey::NotFound };
        let lab = Lab::with(SandboxOptions {
            latency: Some((Duration::from_millis(1), Duration::from_millis(4))),
            missing_key,
            seed: seed + job,
            ..SandboxOptions::default()
        });
        // Line ends and quotes inside of a row, and more than a byte a character, so that a cut can fall between.
        let keys: Vec<String> = (0..KEYS).map(|index| format!("key \"{index}\",\n→ é")).collect();
        let lines: Vec<String> = keys.iter().map(|key| serde_json::json!(key).to_string()).collect();
        lab.server.preload(keys.iter().map(String::as_str).chain(["bystander"]));
        lab.write("keys.ndjson", lines.join("\n"));
        let concurrency = format!("--concurrency={CONCURRENCY}");
        let run = || lab.delete(["keys.ndjson", "--report", report, "--resume", "--sync", "never", &concurrency]);

        let mut done = false;
        while !done {
            let settled = settled_keys(&lab, report);
            with_rows += u32::from(!settled.is_empty());
            let before = lab.server.requests();
            let last = kills >= KILLS / 2;
            let until = before + rng.random_range(0..120);
            let mut running = lab.start("run", run());
            wait_until("so many requests, or the end", || {
                running.has_ended() || (!last && lab.server.requests() >= until)
            });
            done = running.has_ended();
            if done {
                running.done().code(0);
            } else {
                running.kill();
                kills += 1;
            }
            let first = usize::try_from(before).expect("a position in the request_log");
            let written = settled_keys(&lab, report);
            let mut without_row = 0;
            for entry in &lab.server.request_log()[first..] {
                let key = entry.key.as_deref();
                assert!(key.is_none_or(|key| !settled.contains(key)), "{key:?} was settled and asked again");
                without_row += usize::from(key.is_some_and(|key| !written.contains(key)));
            }
            assert!(
                without_row <= CONCURRENCY,
                "{without_row} keys were sent and have no row, with {CONCURRENCY} in flight"
            );
            if !done && rng.random_bool(0.5) {
                cut += u32::from(tear(&lab, report, &mut rng));
            }
        }

        let rows = rows(&lab, report);
        let by_record = final_rows(&rows);
        assert_eq!(by_record.len(), KEYS);
        for (record, row) in by_record {
            assert_eq!(row.key, keys[usize::try_from(record).expect("a record") - 1]);
            assert!(["deleted", "absent"].contains(&row.status.as_str()), "{row:?}");
        }
        let asked: BTreeSet<String> = lab.deletes().into_iter().filter_map(|entry| entry.key).collect();
        assert_eq!(asked, keys.iter().cloned().collect());
        assert_eq!(lab.server.keys(), ["bystander"]);
        assert_eq!(lab.server.namespaces_deleted(), 0);
    }
    // Otherwise nothing of the above would have been seen.
    assert!(with_rows >= KILLS / 4 && cut >= KILLS / 10, "{with_rows} journals with rows, {cut} cut");
}

/// Cuts the report off at any byte, mostly near its end.
fn tear(lab: &Lab, report: &str, rng: &mut StdRng) -> bool {
    let Ok(file) = fs::OpenOptions::new().write(true).open(lab.path(report)) else { return false };
    let length = file.metadata().expect("its length").len();
    let most = if rng.random_bool(0.7) { length.min(200) } else { length };
    let lost = rng.random_range(0..=most);
    file.set_len(length - lost).expect("a shorter file");
    lost > 0
}

fn rows(lab: &Lab, report: &str) -> Vec<Row> {
    let csv = is_csv(report);
    let text = complete(&fs::read(lab.path(report)).unwrap_or_default(), csv);
    match csv {
        true if text.is_empty() => Vec::new(),
        true => parse_csv(&text),
        false => parse_ndjson(&text),
    }
}

fn settled_keys(lab: &Lab, report: &str) -> BTreeSet<String> {
    let rows = rows(lab, report);
    let settled = final_rows(&rows).into_values().filter(|row| ["deleted", "absent"].contains(&row.status.as_str()));
    settled.map(|row| row.key.clone()).collect()
}

#[test]
fn another_input_is_refused_before_anything_is_sent() {
    let lab = Lab::new();
    lab.keys(10);
    lab.delete(["keys.txt", "--report", "report.csv"]).run().code(0);
    let (before, report) = (lab.server.requests(), lab.read("report.csv"));
    lab.write("other.txt", "key:0\nkey:1\nsomething else\nkey:3\n");
    let done = lab.delete(["other.txt", "--report", "report.csv", "--resume"]).run().code(2);
    assert!(done.stderr.contains("keys.txt (10 records"), "{}", done.stderr);
    assert!(done.stderr.contains("other.txt"), "{}", done.stderr);
    assert!(done.stderr.contains("report.csv"), "{}", done.stderr);
    assert_eq!(lab.server.requests(), before);
    assert_eq!(lab.read("report.csv"), report);
}

#[test]
fn another_input_on_stdin_ends_where_it_differs() {
    let lab = Lab::new();
    lab.keys(3);
    lab.delete(["keys.txt", "--report", "report.csv"]).run().code(0);
    let before = lab.deletes().len();
    let run = lab.delete(["-", "--format", "lines", "--report", "report.csv", "--resume", "--json"]);
    let done = run.stdin("key:0\nkey:1\nsomething else\nnever reached\n").run();
    assert!(done.stderr.contains("record 3") && done.stderr.contains("report.csv"), "{}", done.stderr);
    assert_ne!(done.status.code(), Some(0));
    assert_eq!(lab.deletes().len(), before);
}

#[test]
fn resume_without_a_report_just_starts() {
    let lab = Lab::new();
    let keys = lab.keys(20);
    lab.delete(["keys.txt", "--report", "report.csv", "--resume"]).run().code(0);
    lab.assert_all_deleted(keys.iter().map(String::as_str), &lab.rows("report.csv"));
}

#[test]
fn failed_and_unknown_keys_are_sent_again_and_no_other() {
    let lab = Lab::new();
    lab.keys(50);
    lab.server.set_faults(["400@key:key:7", "garbage@key:key:9"].map(|fault| fault.parse::<Fault>().expect("a fault")));
    let run = || lab.delete(["keys.txt", "--report", "report.csv", "--resume", "--json", "--retries", "1"]);
    run().run().code(3);
    let states: BTreeMap<String, String> =
        lab.rows("report.csv").into_iter().map(|row| (row.key, row.status)).collect();
    assert_eq!((states["key:7"].as_str(), states["key:9"].as_str()), ("failed", "unknown"));

    lab.server.set_faults([]);
    let before = lab.deletes().len();
    let done = run().run().code(0);
    let mut again: Vec<String> = lab.deletes().split_off(before).into_iter().filter_map(|entry| entry.key).collect();
    again.sort_unstable();
    assert_eq!(again, ["key:7", "key:9"]);
    let summary = done.summary();
    assert_eq!((&summary["records"], &summary["resumed"], &summary["deleted"]), (&50.into(), &48.into(), &50.into()));
    let rows = lab.rows("report.csv");
    assert_eq!(rows.len(), 52);
    assert!(final_rows(&rows).into_values().all(|row| row.status == "deleted"));
}

#[test]
fn an_old_journal_is_warned_about_and_a_young_one_is_not() {
    let lab = Lab::new();
    lab.keys(3);
    lab.delete(["keys.txt", "--report", "old.csv"]).run().code(0);
    let rows = lab.read("old.csv");
    let moment = rows.lines().nth(1).and_then(|row| row.rsplit(',').next()).expect("a moment");
    lab.write("old.csv", rows.replace(moment, "2020-02-02T02:02:02.000Z"));
    let done = lab.delete(["keys.txt", "--report", "old.csv", "--resume"]).run().code(0);
    assert!(done.stderr.contains("old.csv was started"), "{}", done.stderr);
    assert_eq!(lab.deletes().len(), 3);

    lab.delete(["keys.txt", "--report", "young.csv"]).run().code(0);
    let done = lab.delete(["keys.txt", "--report", "young.csv", "--resume"]).run().code(0);
    assert!(!done.stderr.contains("was begun"), "{}", done.stderr);
}
