//! A namespace with `supports_url_encoding: false`: `DELETE …/values/a%3Ab` deletes the key `a%3Ab` there, not `a:b`.

use kvsweep::sandbox::SandboxOptions;

use crate::lab::Lab;

/// Two keys that need encoding, what would be deleted in their place, and one that needs none.
const HELD: [&str; 4] = ["a%3Ab", "a:b", "plain-1", "é"];

fn lab() -> Lab {
    let lab = Lab::with(SandboxOptions { supports_url_encoding: false, ..SandboxOptions::default() });
    lab.server.preload(HELD);
    lab.write("keys.txt", "plain-1\na:b\né\n");
    lab.write("plain.txt", "plain-1\n");
    lab
}

/// No key that needs encoding was put into a URL.
fn assert_no_encoded_url(lab: &Lab) {
    let request_log = lab.server.request_log();
    let urls: Vec<_> = request_log.iter().map(|entry| &entry.path).filter(|path| path.contains('%')).collect();
    assert!(urls.is_empty(), "{urls:?}");
}

#[test]
fn a_job_over_files_ends_before_anything_is_sent() {
    for (args, hint) in [
        (&["delete", "--yes"][..], "pass --bulk,"),
        (&["delete", "--yes", "--check"], "omit --check"),
        (&["delete", "--yes", "--check", "--bulk"], "omit --check"),
        (&["delete", "--yes", "--backup", "b.ndjson", "--bulk"], "omit --backup"),
        (&["delete", "--yes", "--canary", "1"], "pass --bulk,"),
        (&["delete", "--dry-run", "--check"], "omit --check"),
    ] {
        let lab = lab();
        let done = lab.kvsweep(args).args(["keys.txt", "--rate", "none", "--report", "r.csv"]).run().code(2);
        let why = "does not support URL encoding, which 2 keys would need (such as a:b): nothing was sent";
        assert!(done.stderr.contains(why) && done.stderr.contains(hint), "{args:?}: {}", done.stderr);
        assert_eq!((lab.server.keys(), lab.server.requests()), (HELD.map(str::to_owned).to_vec(), 1), "{args:?}");
        assert!(!lab.path("r.csv").exists() && !lab.path("b.ndjson").exists(), "{args:?}");
    }
}

#[test]
fn keys_that_need_no_encoding_are_deleted_one_by_one() {
    for args in [&[][..], &["--check"], &["--backup", "b.ndjson"]] {
        let lab = lab();
        lab.delete(["plain.txt", "--report", "none"]).args(args).run().code(0);
        assert_eq!(lab.server.keys(), ["a%3Ab", "a:b", "é"]);
    }
}

#[test]
fn in_bulk_names_are_in_the_body_and_every_key_is_deleted() {
    // Calls that are refused as a whole are sent again in halves, down to a single key.
    for fault in [None, Some("400@nth:2-4")] {
        let faults = fault.iter().map(|fault| fault.parse().expect("a fault")).collect();
        let lab = Lab::with(SandboxOptions { supports_url_encoding: false, faults, ..SandboxOptions::default() });
        lab.server.preload(HELD);
        lab.write("keys.txt", "plain-1\na:b\né\n");
        lab.delete(["keys.txt", "--bulk", "--report", "r.csv", "--max-failures", "100%"]).run();
        let gone: Vec<_> = lab.rows("r.csv").into_iter().filter(|row| row.status == "deleted").collect();
        assert!(gone.iter().all(|row| !lab.server.keys().contains(&row.key)), "{gone:?}");
        assert!(lab.server.keys().contains(&"a%3Ab".to_owned()), "another key was deleted");
        assert!(fault.is_some() || gone.len() == 3, "{gone:?}");
        assert_no_encoded_url(&lab);
    }
}

#[test]
fn from_stdin_and_from_a_listing_such_a_key_is_invalid() {
    let invalid = |lab: &Lab| {
        let rows = lab.rows("r.csv").into_iter().filter(|row| row.status == "invalid");
        rows.map(|row| (row.key, row.error.contains("--bulk"))).collect::<Vec<_>>()
    };
    let lab_1 = lab();
    lab_1.delete(["-", "--report", "r.csv"]).stdin("a:b\nplain-1\n").run().code(3);
    assert_eq!(invalid(&lab_1), [("a:b".to_owned(), true)]);
    assert_eq!(lab_1.server.keys(), ["a%3Ab", "a:b", "é"]);
    assert_no_encoded_url(&lab_1);
    let lab_2 = lab();
    lab_2.kvsweep(["delete", "--all", "--dry-run", "--rate", "none", "--report", "r.csv"]).run().code(3);
    assert_eq!(invalid(&lab_2).len(), 3);
    lab_2.delete(["--all", "--report", "r.csv", "--overwrite"]).run().code(3);
    assert_eq!(lab_2.server.keys(), ["a%3Ab", "a:b", "é"]);
    assert_eq!(invalid(&lab_2).len(), 3);
    assert_no_encoded_url(&lab_2);
    lab_2.delete(["--all", "--bulk", "--report", "none"]).run().code(0);
    assert_eq!(lab_2.server.len(), 0);
}

#[test]
fn the_hint_for_such_a_key_is_how_it_can_be_deleted() {
    for (args, way, exception) in [
        (&["--all"][..], "pass --bulk,", "--bulk deletes it"),
        (&["--prefix", "a"], "pass --bulk,", "--bulk deletes it"),
        (&["-"], "pass --bulk,", "--bulk deletes it"),
        (&["-", "--check", "--bulk"], "pass --bulk and omit --check,", "--bulk without --check deletes it"),
        (&["--all", "--backup", "b.ndjson"], "pass --bulk and omit --backup,", "--bulk without --backup deletes it"),
    ] {
        let lab = lab();
        let done = lab.delete(args).args(["--report", "r.csv"]).stdin("a:b\nplain-1\n").run().code(3);
        assert!(done.stderr.contains(&format!("for keys that need URL encoding, {way}")), "{args:?}: {}", done.stderr);
        assert!(!done.stderr.contains("records of the input"), "{args:?}: {}", done.stderr);
        assert!(lab.rows("r.csv").iter().any(|row| row.error.ends_with(exception)), "{args:?}");
        // Together with records that nothing can send, it is one of two hints.
        let input = "\"a:b\"\n7\n";
        let done = lab.delete(["-", "--report", "none"]).stdin(input).run().code(3);
        assert!(done.stderr.contains("for keys that need") && done.stderr.contains("records of the input"));
    }
}

#[test]
fn a_restore_that_would_have_to_look_for_such_a_key_ends_before_anything_is_sent() {
    let lab = lab();
    lab.write("b.ndjson", "{\"key\":\"plain-2\",\"value\":\"v\"}\n{\"key\":\"x:y\",\"value\":\"v\"}\n");
    let restore =
        |args: &[&str]| lab.kvsweep(["restore", "b.ndjson", "--yes", "--rate", "none", "--report", "none"]).args(args);
    let done = restore(&[]).run().code(2);
    assert!(done.stderr.contains("1 key would need (such as x:y)"), "{}", done.stderr);
    assert!(done.stderr.contains("hint: pass --overwrite-values"), "{}", done.stderr);
    assert_eq!(lab.server.len(), HELD.len());
    restore(&["--overwrite-values"]).run().code(0);
    assert!(lab.server.get("x:y").is_some() && lab.server.get("plain-2").is_some());
    assert_no_encoded_url(&lab);
}
