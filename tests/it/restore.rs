//! `kvsweep restore`: what was backed up is there again, exactly, and nothing else is touched.

use std::collections::BTreeMap;
use std::time::Duration;

use kvsweep::sandbox::{Canned, Entry, Fault, Quota, SandboxOptions, Stored, What, When};
use rustix::process::Signal;
use serde_json::json;

use crate::backup::treasures;
use crate::lab::{Kvsweep, Lab, final_rows, wait_until};

fn restore(lab: &Lab, args: &[&str]) -> Kvsweep {
    lab.kvsweep(["restore", "--yes", "--rate", "none"]).args(args)
}

fn writes(lab: &Lab) -> Vec<Entry> {
    lab.server.ledger().into_iter().filter(|entry| entry.method == "PUT").collect()
}

/// All that the server holds.
fn held(lab: &Lab) -> BTreeMap<String, Stored> {
    lab.server
        .keys()
        .into_iter()
        .map(|key| (key.clone(), lab.server.get(&key).expect("a key that is listed")))
        .collect()
}

/// A backup of so many keys, written as wrangler would.
fn backup(lab: &Lab, name: &str, count: usize) -> Vec<String> {
    let keys: Vec<String> = (0..count).map(|number| format!("key:{number}")).collect();
    let line = |key: &String| json!({"key": key, "value": format!("value of {key}")}).to_string() + "\n";
    lab.write(name, keys.iter().map(line).collect::<Vec<_>>().concat());
    keys
}

#[test]
fn deleted_and_restored_not_one_byte_is_different() {
    for name in ["b.ndjson", "b.ndjson.gz", "b.ndjson.zst"] {
        let lab = Lab::new();
        let mut treasures = treasures();
        let large = (0..25 << 20).map(|index: u32| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<_>>();
        treasures.insert("25 MiB".to_owned(), Stored::new(large));
        for (key, stored) in &treasures {
            lab.server.put_stored(key.as_str(), stored.clone());
        }
        let lines: Vec<String> = treasures.keys().map(|key| serde_json::to_string(key).unwrap() + "\n").collect();
        lab.write("keys.ndjson", lines.concat());
        lab.delete(["keys.ndjson", "--backup", name, "--report", "r.csv"]).run().code(0);
        assert!(lab.server.is_empty());
        let done = restore(&lab, &[name, "--report", "restored.csv", "--json"]).run().code(0);
        assert!(held(&lab) == treasures, "what was restored is not what was there");
        let rows = lab.rows("restored.csv");
        assert_eq!(rows.len(), 11);
        assert!(rows.iter().all(|row| row.status == "restored" && row.http_status == Some(200)), "{rows:?}");
        assert_eq!(done.summary()["restored"], 11);
        assert_eq!(writes(&lab).len(), 1);
    }
}

#[test]
fn a_key_that_is_there_is_left_alone_unless_that_was_asked_for() {
    let lab = Lab::new();
    backup(&lab, "b.ndjson", 250);
    lab.server.put("key:7", "newer");
    lab.server.put("key:200", "newer");
    let done = restore(&lab, &["b.ndjson", "--report", "r.csv", "--json"]).run().code(3);
    assert_eq!((&done.summary()["restored"], &done.summary()["invalid"]), (&248.into(), &2.into()));
    let row = lab.rows("r.csv").into_iter().find(|row| row.key == "key:7").unwrap();
    assert!(row.status == "invalid" && row.error.contains("is there now"), "{row:?}");
    assert_eq!(lab.server.get("key:200").unwrap().value, "newer".as_bytes());
    assert_eq!(lab.server.requests(), 1 + 3 + 1, "the namespace, three looks, one write");
    restore(&lab, &["b.ndjson", "--report", "none", "--overwrite-values"]).run().code(0);
    assert_eq!(lab.server.get("key:200").unwrap().value, "value of key:200".as_bytes());
}

#[test]
fn what_cannot_be_put_back_has_its_row_and_hinders_no_other() {
    let lab = Lab::new();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let lines = [
        json!({"key": "good", "value": "v", "expiration": now + 600}).to_string(),
        json!({"key": "past", "value": "v", "expiration": 1_500_000_000}).to_string(),
        json!({"key": "soon", "value": "v", "expiration": now + 30}).to_string(),
        "{\"key\":\"odd\"}".to_owned(),
        json!({"key": "..", "value": "v"}).to_string(),
        json!({"key": "twice", "value": "older"}).to_string(),
        json!({"key": "twice", "value": "newer"}).to_string(),
        "{\"key\":\"torn\",\"val".to_owned(),
    ];
    lab.write("b.ndjson", lines.join("\n"));
    let done = restore(&lab, &["b.ndjson", "--report", "r.csv"]).run().code(3);
    assert!(done.stderr.contains("is not whole"), "{}", done.stderr);
    let rows = lab.rows("r.csv");
    let rows = final_rows(&rows);
    for (record, status, why) in [
        (1, "restored", ""),
        (2, "invalid", "expired at 2017-07-14T02:40:00Z"),
        (3, "invalid", "lives so short"),
        (4, "invalid", "missing field `value`"),
        (5, "invalid", "fold"),
        (6, "duplicate", "a later record"),
        (7, "restored", ""),
    ] {
        let row = rows[&record];
        assert!(row.status == status && row.error.contains(why), "{row:?}");
    }
    assert_eq!(rows.len(), 7);
    assert_eq!(lab.server.keys(), ["good", "twice"]);
    assert_eq!(lab.server.get("twice").unwrap().value, "newer".as_bytes());
    assert_eq!(lab.server.get("good").unwrap().expiration, Some(now + 600));
}

#[test]
fn a_dry_run_sends_nothing_and_needs_nothing() {
    let lab = Lab::new();
    backup(&lab, "b.ndjson", 5);
    let dry = lab.kvsweep(["restore", "b.ndjson", "--dry-run", "--report", "plan.csv"]);
    let done = dry.without_env("CLOUDFLARE_API_TOKEN").run().code(0);
    assert!(done.stdout.contains("planned    5"), "{}", done.stdout);
    assert!(lab.rows("plan.csv").iter().all(|row| row.status == "planned"));
    let done = lab.kvsweep(["restore", "b.ndjson"]).run().code(2);
    assert!(done.stderr.contains("--yes"), "{}", done.stderr);
    assert!(lab.server.is_empty() && writes(&lab).is_empty());
}

#[test]
fn misfortune_of_the_server_is_waited_out() {
    let faults = vec!["503@nth:3".parse::<Fault>().unwrap(), "reset@nth:5".parse::<Fault>().unwrap()];
    let quotas = vec![Quota::sliding(5, Duration::from_secs(1))];
    let lab = Lab::with(SandboxOptions { faults, quotas, ..SandboxOptions::default() });
    let keys = backup(&lab, "b.ndjson", 1_500);
    let args = ["restore", "b.ndjson", "--yes", "--rate", "5/1s", "--report", "r.csv"];
    lab.kvsweep(args).run().code(0);
    assert_eq!(lab.server.refused_by_quota(), 0);
    assert_eq!(lab.server.len(), keys.len());
    let rows = lab.rows("r.csv");
    assert!(rows.len() == 1_500 && rows.iter().all(|row| row.status == "restored"));
}

#[test]
fn one_bad_record_is_found_by_halving() {
    let refused = What::Answer(Canned::error(400, 10_014, "no such luck"));
    let lab = Lab::with(SandboxOptions {
        faults: vec![Fault::new(When::Key("key:77".to_owned()), refused)],
        ..SandboxOptions::default()
    });
    backup(&lab, "b.ndjson", 200);
    restore(&lab, &["b.ndjson", "--report", "r.csv", "--overwrite-values"]).run().code(3);
    let failed: Vec<_> = lab.rows("r.csv").into_iter().filter(|row| row.status != "restored").collect();
    assert!(failed.len() == 1 && failed[0].key == "key:77" && failed[0].status == "failed", "{failed:?}");
    assert_eq!(lab.server.len(), 199);
}

#[test]
fn what_was_stopped_or_killed_goes_on_where_it_was() {
    for kill in [true, false] {
        let latency = Some((Duration::from_millis(5), Duration::from_millis(10)));
        let lab = Lab::with(SandboxOptions { latency, ..SandboxOptions::default() });
        let keys = backup(&lab, "b.ndjson", 5_000);
        let args = ["b.ndjson", "--report", "r.csv", "--resume"];
        let running = lab.start("stopped", restore(&lab, &args));
        wait_until("a write", || writes(&lab).iter().any(|entry| entry.applied));
        if kill {
            running.kill();
        } else {
            running.signal(Signal::TERM);
            running.done().code(143);
        }
        assert!(lab.server.len() < keys.len(), "it was over before it was stopped");
        let before = writes(&lab).len();
        let done = restore(&lab, &args).run();
        assert_eq!(lab.server.len(), keys.len());
        // Those of a write whose rows were not out yet are there now, which is all that is known of them.
        done.code(if lab.rows("r.csv").iter().any(|row| row.status == "invalid") { 3 } else { 0 });
        assert!(writes(&lab).len() > before);
        let rows = lab.rows("r.csv");
        assert_eq!(final_rows(&rows).len(), keys.len());
        assert!(rows.iter().all(|row| matches!(&*row.status, "restored" | "invalid")));
        assert!(kill || rows.iter().all(|row| row.status == "restored"), "a signal loses no row");
    }
}

#[test]
fn another_backup_is_not_gone_on_with_and_no_file_is_written_over() {
    let lab = Lab::new();
    backup(&lab, "b.ndjson", 3);
    restore(&lab, &["b.ndjson", "--report", "r.csv"]).run().code(0);
    lab.write("other.ndjson", "{\"key\":\"other\",\"value\":\"v\"}\n");
    let done = restore(&lab, &["other.ndjson", "--report", "r.csv", "--resume"]).run().code(1);
    assert!(done.stderr.contains("report of another"), "{}", done.stderr);
    let done = restore(&lab, &["b.ndjson", "--report", "r.csv"]).run().code(2);
    assert!(done.stderr.contains("r.csv exists"), "{}", done.stderr);
    let done = restore(&lab, &["b.ndjson", "--report", "b.ndjson", "--overwrite"]).run().code(2);
    assert!(done.stderr.contains("same file"), "{}", done.stderr);
    restore(&lab, &["none.ndjson"]).run().code(1);
    assert!(!lab.server.contains("other"));
    assert!(lab.read("b.ndjson").lines().count() == 3);
}
