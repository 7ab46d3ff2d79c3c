//! `kvsweep restore`: what was backed up is there again, exactly, and nothing else is touched.

use std::collections::BTreeMap;
use std::time::Duration;

use kvsweep::sandbox::{Canned, Entry, Fault, Quota, SandboxOptions, Stored, What, When};
use rustix::process::Signal;
use serde_json::json;

use crate::backup::treasures;
use crate::lab::{Kvsweep, Lab, final_rows, wait_until};

mod backups;
mod running;

fn restore(lab: &Lab, args: &[&str]) -> Kvsweep {
    lab.kvsweep(["restore", "--yes", "--rate", "none"]).args(args)
}

fn writes(lab: &Lab) -> Vec<Entry> {
    lab.server.request_log().into_iter().filter(|entry| entry.method == "PUT").collect()
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
    let done = restore(&lab, &["b.ndjson", "--report", "r.csv", "--json"]).run().code(0);
    assert_eq!((&done.summary()["restored"], &done.summary()["kept"]), (&248.into(), &2.into()));
    let row = lab.rows("r.csv").into_iter().find(|row| row.key == "key:7").unwrap();
    assert!(row.status == "kept" && row.error.contains("--overwrite-values"), "{row:?}");
    assert_eq!(lab.server.get("key:200").unwrap().value, "newer".as_bytes());
    let looks = 3 + 248;
    assert_eq!(
        lab.server.requests(),
        1 + looks + 1,
        "the namespace, one look for a hundred keys and one for each absent"
    );
    restore(&lab, &["b.ndjson", "--report", "none", "--overwrite-values"]).run().code(0);
    assert_eq!(lab.server.get("key:200").unwrap().value, "value of key:200".as_bytes());
}

/// Cloudflare's runtime answers `null` for names that a JavaScript object keeps in another place.
#[test]
fn a_null_among_several_is_confirmed_before_the_key_is_written() {
    let nulls =
        json!({"success": true, "errors": [], "messages": [], "result": {"values": {"key:0": null, "key:1": null}}});
    let second = Fault::new(When::Nth(2..=2), Canned::raw(200, nulls.to_string()).into()).everywhere();
    let lab = Lab::with(SandboxOptions { faults: vec![second], ..SandboxOptions::default() });
    backup(&lab, "b.ndjson", 2);
    lab.server.put("key:1", "newer");
    let done = restore(&lab, &["b.ndjson", "--report", "r.csv", "--json"]).run().code(0);
    assert_eq!((&done.summary()["restored"], &done.summary()["kept"]), (&1.into(), &1.into()));
    assert_eq!(lab.server.get("key:1").expect("a key").value, "newer".as_bytes());
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
    let done = restore(&lab, &["b.ndjson", "--report", "r.csv", "--json"]).run().code(1);
    assert_eq!((lab.server.requests(), &done.summary()["stopped"]), (0, &"input_error".into()));
    assert!(done.stderr.contains("line 8 (after record 7): the last record is cut off"), "{}", done.stderr);
    let done = restore(&lab, &["b.ndjson", "--report", "r.csv", "--allow-partial"]).run().code(1);
    assert!(done.stderr.contains("the last record is cut off"), "{}", done.stderr);
    let rows = lab.rows("r.csv");
    let rows = final_rows(&rows);
    for (record, status, why) in [
        (1, "restored", ""),
        (2, "invalid", "expired at 2017-07-14T02:40:00Z"),
        (3, "invalid", "lives so short"),
        (4, "invalid", "`value` is missing"),
        (5, "invalid", "remove it"),
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
    assert!(done.stdout.contains("restorable  5"), "{}", done.stdout);
    assert!(lab.rows("plan.csv").iter().all(|row| row.status == "restorable"));
    let done = lab.kvsweep(["restore", "b.ndjson"]).run().code(2);
    assert!(done.stderr.contains("--yes"), "{}", done.stderr);
    assert!(lab.server.is_empty() && writes(&lab).is_empty());
}

#[test]
fn server_trouble_is_waited_out() {
    let faults = vec!["503@nth:3".parse::<Fault>().unwrap(), "reset@nth:5".parse::<Fault>().unwrap()];
    let quotas = vec![Quota::sliding(5, Duration::from_secs(1))];
    let lab = Lab::with(SandboxOptions { faults, quotas, ..SandboxOptions::default() });
    let keys = backup(&lab, "b.ndjson", 15);
    let args = ["restore", "b.ndjson", "--yes", "--rate", "5/1s", "--report", "r.csv"];
    lab.kvsweep(args).run().code(0);
    assert_eq!(lab.server.refused_by_quota(), 0);
    assert_eq!(lab.server.len(), keys.len());
    let rows = lab.rows("r.csv");
    assert!(rows.len() == keys.len() && rows.iter().all(|row| row.status == "restored"));
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
    let other: Vec<_> = lab.rows("r.csv").into_iter().filter(|row| row.status != "restored").collect();
    // Its response accounts for no key, not even alone.
    assert!(other.len() == 1 && other[0].key == "key:77" && other[0].status == "unknown", "{other:?}");
    assert_eq!((other[0].http_status, other[0].error_code), (Some(400), Some(10_014)));
    assert_eq!(lab.server.len(), 199);
}

/// Keys from `key:100` to `key:199` meet a fault of this kind.
fn lab_with_hundred(kind: &str) -> Lab {
    let faults = vec![format!("{kind}@prefix:key:1").parse::<Fault>().expect("a fault")];
    let lab = Lab::with(SandboxOptions { faults, ..SandboxOptions::default() });
    let keys: Vec<String> = (100..400).map(|number| format!("key:{number}")).collect();
    lab.write(
        "b.ndjson",
        keys.iter().map(|key| json!({"key": key, "value": "v"}).to_string() + "\n").collect::<String>(),
    );
    lab
}

#[test]
fn what_a_failed_write_says_that_it_wrote_is_restored() {
    for status in [200, 400, 403, 409, 429, 500, 503] {
        let kind = if status == 200 { "unsuccessful".to_owned() } else { format!("unsuccessful{status}") };
        let lab = lab_with_hundred(&(kind.clone() + "x1"));
        restore(&lab, &["b.ndjson", "--report", "r.csv", "--overwrite-values"]).run().code(0);
        assert_eq!((lab.server.len(), writes(&lab).len()), (300, 2), "{kind}");
        assert_eq!(writes(&lab)[1].body_keys.len(), 100, "only what was left is written again");
        for row in lab.rows("r.csv") {
            let wanted = if row.key.starts_with("key:1") { (Some(200), 2) } else { (Some(status), 1) };
            assert_eq!((row.status.as_str(), (row.http_status, row.attempts)), ("restored", wanted), "{kind} {row:?}");
        }

        if status == 429 {
            // Pauses cost no retry: it would never end.
            continue;
        }
        let lab = lab_with_hundred(&kind);
        let args = ["b.ndjson", "--report", "r.csv", "--overwrite-values", "--retries", "1"];
        restore(&lab, &args).run().code(3);
        assert_eq!((lab.server.len(), writes(&lab).len()), (200, 2), "{kind}");
        for row in lab.rows("r.csv") {
            let wanted = if row.key.starts_with("key:1") { ("failed", 2) } else { ("restored", 1) };
            assert_eq!(
                ((row.status.as_str(), row.attempts), row.http_status),
                (wanted, Some(status)),
                "{kind} {row:?}"
            );
            assert_eq!(row.error.contains("unsuccessful_keys"), row.status == "failed", "{row:?}");
            assert_eq!(row.error_code, (row.status == "failed" && status != 200).then_some(10_001), "{row:?}");
        }
    }
}

#[test]
fn a_write_that_is_refused_has_restored_what_it_says() {
    let lab = lab_with_hundred("unsuccessful401");
    restore(&lab, &["b.ndjson", "--report", "r.csv", "--overwrite-values"]).run().code(3);
    assert_eq!(lab.server.len(), 200);
    let rows = lab.rows("r.csv");
    assert_eq!(rows.len(), 300);
    for row in rows {
        // The namespace is found, so it is these keys that are refused.
        let wanted = if row.key.starts_with("key:1") { "failed" } else { "restored" };
        assert_eq!(row.status, wanted, "{row:?}");
    }
}

#[test]
fn a_write_whose_response_contradicts_itself_restored_nothing_for_sure() {
    for kind in ["wrong-names", "wrong-count"] {
        let lab = lab_with_hundred(&format!("{kind}x1"));
        restore(&lab, &["b.ndjson", "--report", "r.csv", "--overwrite-values"]).run().code(0);
        assert_eq!((lab.server.len(), writes(&lab).len()), (300, 2), "{kind}");
        assert!(lab.rows("r.csv").iter().all(|row| row.status == "restored" && row.attempts == 2), "{kind}");

        let lab = lab_with_hundred(kind);
        lab.write(
            "b.ndjson",
            [1, 2, 3].map(|n| json!({"key": format!("key:{n}"), "value": "v"}).to_string()).join("\n"),
        );
        let args = ["b.ndjson", "--report", "r.csv", "--overwrite-values", "--retries", "1"];
        restore(&lab, &args).run().code(3);
        for row in lab.rows("r.csv") {
            assert_eq!(row.status, if row.key == "key:1" { "unknown" } else { "restored" }, "{kind} {row:?}");
        }
    }
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
        // Those of a write whose rows were not out yet are there now: they are seen to be ours.
        done.code(0);
        assert!(writes(&lab).len() > before);
        let rows = lab.rows("r.csv");
        assert_eq!(final_rows(&rows).len(), keys.len());
        assert!(rows.iter().all(|row| row.status == "restored"), "{rows:?}");
        assert!(kill || rows.iter().all(|row| row.error.is_empty()), "a signal loses no row");
    }
}

#[test]
fn what_a_killed_run_wrote_without_a_row_is_told_from_what_others_wrote() {
    let lab = Lab::new();
    let treasures = treasures();
    for (key, stored) in &treasures {
        lab.server.put_stored(key.as_str(), stored.clone());
    }
    let lines: Vec<String> = treasures.keys().map(|key| serde_json::to_string(key).unwrap() + "\n").collect();
    lab.write("keys.ndjson", lines.concat());
    lab.delete(["keys.ndjson", "--backup", "b.ndjson", "--report", "d.csv"]).run().code(0);
    restore(&lab, &["b.ndjson", "--report", "none"]).run().code(0);
    assert!(held(&lab) == treasures);
    let other = |key: &str, change: fn(&mut Stored)| {
        let mut stored = treasures[key].clone();
        change(&mut stored);
        lab.server.put_stored(key, stored);
    };
    other("binary", |stored| stored.value = b"newer".to_vec().into());
    other("not quite text", |stored| stored.expiration = stored.expiration.map(|at| at + 1));
    other("metadata zero", |stored| stored.metadata = None);
    let before = writes(&lab).len();
    // The report says nothing, as after a kill at the first write.
    restore(&lab, &["b.ndjson", "--report", "r.csv", "--resume"]).run().code(0);
    assert_eq!(writes(&lab).len(), before);
    for row in lab.rows("r.csv") {
        let changed = ["binary", "not quite text", "metadata zero"].contains(&&*row.key);
        let (status, why) =
            if changed { ("kept", "the key exists") } else { ("restored", "just as the backup has it") };
        assert!(row.status == status && row.error.contains(why), "{row:?}");
    }
}

#[test]
fn a_report_of_another_kind_says_nothing_of_what_is_left_to_do() {
    let lab = Lab::new();
    let keys = lab.keys(3);
    lab.delete(["keys.txt", "--backup", "b.ndjson", "--report", "deleted.csv"]).run().code(0);
    let done = restore(&lab, &["b.ndjson", "--report", "deleted.csv", "--resume"]).run().code(2);
    assert!(done.stderr.contains("its kind is delete"), "{}", done.stderr);
    lab.kvsweep(["restore", "b.ndjson", "--dry-run", "--report", "plan.csv"]).run().code(0);
    restore(&lab, &["b.ndjson", "--report", "restored.csv"]).run().code(0);
    assert_eq!(lab.server.len(), keys.len());
    for report in ["plan.csv", "restored.csv"] {
        let done = lab.delete([report, "--report", "none"]).run().code(2);
        assert!(done.stderr.contains("report"), "{}", done.stderr);
        let done = lab.delete(["keys.txt", "--report", report, "--resume"]).run().code(2);
        assert!(done.stderr.contains("restore"), "{}", done.stderr);
    }
    assert_eq!(lab.server.len(), keys.len());
}

#[test]
fn a_namespace_is_found_by_its_title() {
    let lab = Lab::with(SandboxOptions { title: "sessions".to_owned(), ..SandboxOptions::default() });
    backup(&lab, "b.ndjson", 3);
    let titled = |title| {
        let restore = restore(&lab, &["b.ndjson", "--report", "none", "--namespace", title]);
        restore.without_env("CLOUDFLARE_KV_NAMESPACE_ID").run()
    };
    let done = titled("session").code(7);
    assert!(done.stderr.contains("sessions"), "{}", done.stderr);
    assert!(lab.server.is_empty());
    let done = titled("sessions").code(0);
    assert!(done.stdout.contains("namespace: sessions"), "{}", done.stdout);
    assert_eq!(lab.server.len(), 3);
}

#[test]
fn a_report_that_cannot_be_made_is_refused_with_a_hint_that_helps() {
    let lab = Lab::new();
    backup(&lab, "b.ndjson", 1);
    let dry_run =
        |report: &str| lab.kvsweep(["restore", "b.ndjson", "--dry-run", "--report", report]).run().code(2).stderr;
    assert!(dry_run("missing/r.csv").ends_with("hint: run: mkdir -p missing\n"));
    lab.write("r.csv", "");
    let exists = dry_run("r.csv");
    assert!(exists.contains("r.csv exists") && !exists.contains("--resume"), "{exists}");
}
