//! The files that are restored from: which of them are backups, and what becomes of one that breaks off.

use serde_json::json;

use super::{backup, restore};
use crate::lab::Lab;

#[test]
fn another_backup_is_not_gone_on_with_and_no_file_is_written_over() {
    let lab = Lab::new();
    backup(&lab, "b.ndjson", 3);
    restore(&lab, &["b.ndjson", "--report", "r.csv"]).run().code(0);
    lab.write("other.ndjson", "{\"key\":\"other\",\"value\":\"v\"}\n");
    let before = lab.server.requests();
    let done = restore(&lab, &["other.ndjson", "--report", "r.csv", "--resume"]).run().code(2);
    assert!(done.stderr.contains("report of another"), "{}", done.stderr);
    assert_eq!(lab.server.requests(), before);
    let done = restore(&lab, &["b.ndjson", "--report", "r.csv"]).run().code(2);
    assert!(done.stderr.contains("r.csv exists"), "{}", done.stderr);
    let done = restore(&lab, &["b.ndjson", "--report", "b.ndjson", "--overwrite"]).run().code(2);
    assert!(done.stderr.contains("same file"), "{}", done.stderr);
    restore(&lab, &["none.ndjson"]).run().code(1);
    assert!(!lab.server.contains("other"));
    assert!(lab.read("b.ndjson").lines().count() == 3);
}

#[test]
fn a_truncated_backup_restores_nothing_unless_a_part_is_enough() {
    let lab = Lab::new();
    let keys = lab.keys(50);
    for name in ["b.ndjson", "b.ndjson.gz", "b.ndjson.zst"] {
        lab.server.preload(keys.iter().map(String::as_str));
        lab.delete(["keys.txt", "--backup", name, "--report", "none"]).run().code(0);
        let whole = std::fs::read(lab.path(name)).expect("the backup");
        lab.write("cut.ndjson", &whole[..whole.len() - 5]);
        let before = lab.server.requests();
        for quiet in [&[][..], &["-q"], &["--dry-run"]] {
            let done = restore(&lab, &["cut.ndjson", "--report", "none"]).args(quiet).run().code(1);
            let is_named = ["cut off", "truncated"].iter().any(|what| done.stderr.contains(what));
            assert!(is_named && done.stderr.contains("cut.ndjson"), "{}", done.stderr);
        }
        assert_eq!((lab.server.requests(), lab.server.len()), (before, 0), "{name}");
        restore(&lab, &["cut.ndjson", "--report", "none", "--allow-partial"]).run().code(1);
        // Of an archive only its end may be missing, after the last record.
        assert!(lab.server.len() < 50 || name != "b.ndjson", "{name}");
        restore(&lab, &[name, "--report", "none"]).run().code(0);
        assert_eq!(lab.server.len(), 50, "{name}");
    }
}

#[test]
fn a_line_of_a_backup_that_is_not_json_breaks_it_off() {
    for (line, what) in
        [("nope", "not a JSON value"), ("{\"key\":\"b\",\"val", "cut off"), ("{} {}", "trailing characters")]
    {
        let lab = Lab::new();
        let record = |key: &str| json!({"key": key, "value": "v"}).to_string();
        lab.write("b.ndjson", format!("{}\n{line}\n{}\n", record("a"), record("c")));
        let done = restore(&lab, &["b.ndjson", "--report", "none", "--json"]).run().code(1);
        assert_eq!((lab.server.requests(), &done.summary()["stopped"]), (0, &"input_error".into()), "{line}");
        for words in ["b.ndjson line 2 (after record 1)", what, "--allow-partial"] {
            assert!(done.stderr.contains(words), "{line}: {}", done.stderr);
        }
        restore(&lab, &["b.ndjson", "--report", "none", "--allow-partial"]).run().code(1);
        assert_eq!(lab.server.keys(), ["a"], "{line}");
    }
}

#[test]
fn what_wrangler_puts_is_restored() {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let records = json!([
        {"key": "a", "value": "text", "metadata": {"x": [1]}},
        {"key": "b", "value": "/wA=", "base64": true, "expiration": now + 600},
        {"key": "c", "value": "]},{\"", "expiration_ttl": 600},
    ]);
    for text in [
        records.to_string(),
        serde_json::to_string_pretty(&records).unwrap(),
        format!("\u{feff}{records}\n"),
        records.as_array().unwrap().iter().map(|record| record.to_string() + "\n").collect(),
    ] {
        let lab = Lab::new();
        lab.write("b.json", &text);
        restore(&lab, &["b.json", "--report", "r.csv"]).run().code(0);
        assert_eq!(lab.server.keys(), ["a", "b", "c"], "{text}");
        assert_eq!(lab.server.get("b").unwrap().value, b"\xff\0".as_slice());
        assert!(lab.server.get("c").unwrap().expiration.is_some_and(|at| (now + 600..now + 700).contains(&at)));
    }
    let lab = Lab::new();
    lab.write("cut.json", &records.to_string()[..60]);
    restore(&lab, &["cut.json", "--report", "none"]).run().code(1);
    lab.write("page.json", "<!DOCTYPE html>\n");
    restore(&lab, &["page.json", "--report", "none"]).run().code(2);
    assert_eq!(lab.server.requests(), 0);
}

#[test]
fn an_empty_backup_is_warned_about() {
    for content in ["", "\u{feff}", "[]", "\n"] {
        let lab = Lab::new();
        lab.write("b.ndjson", content);
        let done = restore(&lab, &["b.ndjson", "--report", "none"]).run().code(0);
        assert!(done.stderr.contains("warning: the backup is empty"), "{}", done.stderr);
        assert_eq!(lab.server.requests(), 0);
    }
}
