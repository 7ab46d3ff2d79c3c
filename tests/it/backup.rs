//! `--backup`: nothing is deleted before all it holds is on the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kvsweep::sandbox::{Canned, Fault, MissingKey, SandboxOptions, Stored, What, When};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::lab::{Lab, final_rows, wait_until};

/// Far in the future, in seconds since the Unix epoch.
const LATER: u64 = 4_000_000_000;

/// Something of every kind that a key may hold.
pub fn treasures() -> BTreeMap<String, Stored> {
    let every_byte: Vec<u8> = (0..=255).collect();
    let with = |value: &[u8], expiration, metadata| Stored { expiration, metadata, ..Stored::new(value.to_vec()) };
    BTreeMap::from([
        ("text".to_owned(), with(b"plain", None, None)),
        ("empty".to_owned(), with(b"", None, None)),
        ("binary".to_owned(), with(&every_byte, None, None)),
        ("not quite text".to_owned(), with(b"ok \xc3\x28 ok", Some(LATER), None)),
        ("bom".to_owned(), with("\u{feff}with a mark".as_bytes(), None, None)),
        ("replacement".to_owned(), with("a \u{fffd} of its own".as_bytes(), None, None)),
        ("controls\n\u{1}".to_owned(), with(b"\x00\x01\r\n\t\"\\\x7f", None, Some(json!({"a": [1, null], "\n": "é"})))),
        ("a/b?c#d%2e 😀".to_owned(), with("é\u{301}".as_bytes(), Some(LATER + 1), Some(json!("text")))),
        ("looks refused".to_owned(), with(br#"{"success":false,"errors":[{"code":10009}]}"#, None, None)),
        ("metadata zero".to_owned(), with(b"0", None, Some(json!(0)))),
    ])
}

/// What a backup holds, read with nothing of the crate's own.
pub fn read_back(text: &str) -> BTreeMap<String, Stored> {
    let record = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let value = record["value"].as_str().expect("a value");
        let value = match record.get("base64") {
            Some(Value::Bool(true)) => STANDARD.decode(value).expect("Base64"),
            None => value.as_bytes().to_vec(),
            Some(odd) => panic!("base64 is {odd}"),
        };
        let expiration = record.get("expiration").map(|at| at.as_u64().expect("seconds"));
        let stored = Stored { expiration, metadata: record.get("metadata").cloned(), ..Stored::new(value) };
        (record["key"].as_str().expect("a key").to_owned(), stored)
    };
    text.lines().map(record).collect()
}

fn stock(lab: &Lab, treasures: &BTreeMap<String, Stored>) {
    for (key, stored) in treasures {
        lab.server.put_stored(key.as_str(), stored.clone());
    }
    let lines: String = treasures.keys().map(|key| serde_json::to_string(key).expect("a string") + "\n").collect();
    lab.write("keys.ndjson", lines);
}

#[test]
fn everything_is_kept_exactly_before_it_is_deleted() {
    for (name, bulk) in [("b.ndjson", false), ("b.ndjson", true), ("b.ndjson.gz", false), ("b.jsonl.zst", true)] {
        let lab = Lab::new();
        stock(&lab, &treasures());
        lab.server.preload(["bystander"]);
        let bulk = if bulk { vec!["--bulk"] } else { vec![] };
        let args = ["keys.ndjson", "--backup", name, "--report", "r.csv"];
        let done = lab.delete(args).args(bulk).run().code(0);
        assert!(done.stdout.contains(&format!("backup: {name} (10 records added)")), "{}", done.stdout);
        assert_eq!(lab.server.keys(), ["bystander"]);
        let packed = fs::read(lab.path(name)).unwrap();
        let mut text = String::new();
        match name.rsplit_once('.').unwrap().1 {
            "gz" => drop(flate2::read::MultiGzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap()),
            "zst" => drop(zstd::Decoder::new(&packed[..]).unwrap().read_to_string(&mut text).unwrap()),
            _ => text = String::from_utf8(packed).unwrap(),
        }
        assert_eq!(read_back(&text), treasures());
        assert_eq!(fs::metadata(lab.path(name)).unwrap().permissions().mode() & 0o777, 0o600);
        let rows = lab.rows("r.csv");
        assert_eq!(rows.len(), 10);
        assert!(rows.iter().all(|row| row.status == "deleted" && row.attempts == 3), "{rows:?}");
        assert_eq!(lab.server.namespaces_deleted(), 0);
    }
}

#[test]
fn the_largest_values_are_kept_with_bounded_memory() {
    let lab = Lab::new();
    let mut seed = 1u32;
    let mut noise = |length: usize| -> Vec<u8> {
        let mut byte = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        (0..length).map(|_| byte()).collect()
    };
    let mut large = BTreeMap::new();
    for number in 0..4 {
        large.insert(format!("large:{number}"), Stored::new(noise(25 << 20)));
    }
    large.insert("64 KiB".to_owned(), Stored::new(noise(64 << 10)));
    large.insert("a byte more".to_owned(), Stored::new(noise((64 << 10) + 1)));
    stock(&lab, &large);
    lab.delete(["keys.ndjson", "--backup", "b.ndjson", "--report", "r.csv"]).run().code(0);
    assert!(lab.server.is_empty());
    assert!(read_back(&lab.read("b.ndjson")) == large, "what was kept is not what was there");
}

#[test]
fn what_cannot_be_kept_is_not_deleted() {
    let refused = What::Answer(Canned::error(403, 10_001, "not for you"));
    let faults = vec![Fault::new(When::Key("key:3".to_owned()), refused)];
    let options = SandboxOptions { faults, missing_key: MissingKey::NotFound, ..SandboxOptions::default() };
    let lab = Lab::with(options);
    lab.keys(10);
    lab.write("keys.txt", lab.read("keys.txt") + "\nnot there");
    lab.delete(["keys.txt", "--backup", "b.ndjson", "--report", "r.csv"]).run().code(3);
    let rows = lab.rows("r.csv");
    let of = |key: &str| rows.iter().find(|row| row.key == key).unwrap();
    assert_eq!(of("key:3").status, "failed");
    assert!(of("key:3").error.contains("no delete was sent, because its metadata could not be backed up"), "{rows:?}");
    assert_eq!((of("not there").status.as_str(), of("not there").error_code), ("absent", Some(10_009)));
    assert!(lab.server.contains("key:3"));
    let deleted: BTreeSet<_> = lab.deletes().into_iter().filter_map(|entry| entry.key).collect();
    let kept: BTreeSet<_> = read_back(&lab.read("b.ndjson")).into_keys().collect();
    assert_eq!((deleted.len(), &deleted), (9, &kept), "no delete without a record");
}

#[test]
fn a_value_that_does_not_come_whole_is_no_backup() {
    for what in [What::Truncate, What::Giant] {
        let lab = Lab::new();
        lab.keys(1);
        lab.server.set_script([None, Some(what)]);
        lab.delete(["keys.txt", "--backup", "b.ndjson", "--report", "r.csv", "--retries", "0"]).run().code(3);
        let row = lab.rows("r.csv").remove(0);
        assert_eq!(row.status, "unknown", "{row:?}");
        assert!(lab.server.contains("key:0") && lab.deletes().is_empty());
    }
}

#[test]
fn killed_at_any_moment_every_deleted_key_has_its_record() {
    for (name, kill_after) in [("b.ndjson", 5), ("b.ndjson.gz", 40), ("b.ndjson.zst", 90)] {
        let latency = Some((Duration::from_millis(1), Duration::from_millis(5)));
        let lab = Lab::with(SandboxOptions { latency, ..SandboxOptions::default() });
        let keys = lab.keys(400);
        for key in &keys {
            lab.server.put(key.as_str(), format!("the value of {key}"));
        }
        let args = ["keys.txt", "--backup", name, "--report", "r.csv", "--resume"];
        let running = lab.start("killed", lab.delete(args));
        wait_until("some are deleted", || lab.deletes().len() >= kill_after);
        running.kill();
        let unpacked = |name: &str| {
            let packed = fs::read(lab.path(name)).unwrap();
            let mut text = Vec::new();
            // What was torn off ends with an error, after all that is whole.
            let _ = match name.rsplit_once('.').unwrap().1 {
                "gz" => flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut text),
                "zst" => zstd::Decoder::new(&packed[..]).unwrap().read_to_end(&mut text),
                _ => (&packed[..]).read_to_end(&mut text),
            };
            let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            read_back(std::str::from_utf8(&text[..end]).unwrap())
        };
        let assert_kept = || {
            let kept = unpacked(name);
            for key in keys.iter().filter(|key| !lab.server.contains(key)) {
                assert_eq!(kept[key].value, format!("the value of {key}").into_bytes(), "{key} is lost");
            }
        };
        assert_kept();
        assert!(!lab.server.is_empty(), "it was over before it was killed");
        lab.delete(args).run().code(0);
        assert!(lab.server.is_empty());
        assert_kept();
        let rows = lab.rows("r.csv");
        assert!(final_rows(&rows).values().all(|row| matches!(&*row.status, "deleted" | "absent")));
    }
}

#[test]
fn a_signal_leaves_no_key_between_backup_and_report() {
    let latency = Some((Duration::from_millis(1), Duration::from_millis(5)));
    let lab = Lab::with(SandboxOptions { latency, ..SandboxOptions::default() });
    let keys = lab.keys(500);
    let args = ["keys.txt", "--backup", "b.ndjson", "--report", "r.csv"];
    let running = lab.start("stopped", lab.delete(args));
    wait_until("some are deleted", || lab.deletes().len() >= 20);
    running.signal(Signal::TERM);
    running.done().code(143);
    let kept = read_back(&lab.read("b.ndjson"));
    let rows = lab.rows("r.csv");
    assert!(rows.iter().all(|row| row.status == "deleted" && kept.contains_key(&row.key)), "{rows:?}");
    let gone = keys.iter().filter(|key| !lab.server.contains(key)).count();
    assert_eq!(gone, rows.len());
    lab.delete(args).arg("--resume").run().code(0);
    assert!(lab.server.is_empty());
    assert_eq!(read_back(&lab.read("b.ndjson")).len(), 500);
}

#[test]
fn an_existing_backup_is_never_touched_unasked() {
    let lab = Lab::new();
    lab.keys(3);
    lab.write("b.ndjson", "{\"key\":\"old\",\"value\":\"v\"}\n");
    let done = lab.delete(["keys.txt", "--backup", "b.ndjson"]).run().code(2);
    assert!(done.stderr.contains("pass --resume to continue it"), "{}", done.stderr);
    for name in ["b.json", "b"] {
        let done = lab.delete(["keys.txt", "--backup", name]).run().code(2);
        assert!(done.stderr.contains(".ndjson"), "{}", done.stderr);
    }
    lab.write("theirs.ndjson", "\"a key\"\n");
    let args = ["keys.txt", "--report", "r.csv", "--resume", "--backup", "theirs.ndjson"];
    let done = lab.delete(args).run().code(2);
    assert!(done.stderr.contains("pass --backup another file"), "{}", done.stderr);
    for (flag, same) in [("--report", "same.ndjson"), ("--failures", "./same.ndjson")] {
        let done = lab.delete(["keys.txt", "--backup", "same.ndjson", flag, same]).run().code(2);
        assert!(done.stderr.contains("same file"), "{}", done.stderr);
    }
    let done = lab.delete(["b.ndjson", "--backup", "b.ndjson", "--overwrite"]).run().code(2);
    assert!(done.stderr.contains("input"), "{}", done.stderr);
    assert_eq!(lab.read("b.ndjson"), "{\"key\":\"old\",\"value\":\"v\"}\n");
    assert_eq!(lab.server.requests(), 0);
    let done = lab.kvsweep(["delete", "keys.txt", "--dry-run", "--backup", "new.ndjson"]).run().code(0);
    assert!(done.stdout.contains("one by one   10 requests"), "{}", done.stdout);
    assert!(!lab.path("new.ndjson").exists());
    lab.delete(["keys.txt", "--backup", "b.ndjson", "--overwrite"]).run().code(0);
    assert_eq!(read_back(&lab.read("b.ndjson")).len(), 3);
}

#[test]
fn reads_count_against_the_rate_as_deletes_do() {
    let lab = Lab::with(SandboxOptions {
        quotas: vec![kvsweep::sandbox::Quota::sliding(30, Duration::from_secs(1))],
        ..SandboxOptions::default()
    });
    lab.keys(30);
    let args = ["delete", "keys.txt", "--yes", "--rate", "30/1s", "--backup", "b.ndjson", "--report", "r.csv"];
    lab.kvsweep(args).run().code(0);
    assert_eq!(lab.server.refused_by_quota(), 0);
    assert_eq!(lab.server.requests(), 91);
}
