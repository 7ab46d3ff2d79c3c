//! What keeps a mistake small: each guard stops before the first delete where it can, and says so.

use kvsweep::sandbox::{Canned, Fault, SandboxOptions, What, When};

use crate::lab::Lab;

fn only_read(lab: &Lab) -> bool {
    lab.deletes().is_empty()
}

#[test]
fn expect_wants_exactly_so_many_keys() {
    let lab = Lab::new();
    let keys = lab.keys(20);
    for (expected, code) in [("19", 8), ("21", 8)] {
        let done = lab.delete(["keys.txt", "--report", "r.csv", "--json", "--expect", expected]).run().code(code);
        assert!(done.stderr.contains("--expect") && done.stderr.contains("nothing was sent"), "{}", done.stderr);
        assert_eq!(done.summary()["stopped"], "max_keys");
        assert!(only_read(&lab) && !lab.path("r.csv").exists());
    }
    lab.delete(["-", "--expect", "1"]).stdin("a\n").run().code(2);
    assert!(only_read(&lab));
    lab.delete(["keys.txt", "--report", "r.csv", "--expect", "20"]).run().code(0);
    lab.assert_all_deleted(keys.iter().map(String::as_str), &lab.rows("r.csv"));
}

#[test]
fn a_canary_that_fails_saves_the_rest() {
    let bad = Fault::new(When::Key("key:2".to_owned()), What::from(Canned::error(400, 10_014, "no")));
    let lab = Lab::with(SandboxOptions { faults: vec![bad], ..SandboxOptions::default() });
    lab.keys(200);
    let done = lab.delete(["keys.txt", "--report", "r.csv", "--json", "--canary", "5"]).run().code(8);
    assert_eq!(lab.deletes().len(), 5, "more than the canaries were sent");
    assert!(done.stderr.contains("--canary"), "{}", done.stderr);
    assert_eq!(done.summary()["deleted"], 4);
    assert_eq!(lab.server.len(), 196);
}

#[test]
fn canaries_that_succeed_let_the_rest_go() {
    let lab = Lab::new();
    let keys = lab.keys(200);
    lab.delete(["keys.txt", "--report", "r.csv", "--canary", "5"]).run().code(0);
    lab.assert_all_deleted(keys.iter().map(String::as_str), &lab.rows("r.csv"));
}

#[test]
fn protected_keys_are_never_sent() {
    let lab = Lab::new();
    lab.server.preload(["tmp:1", "tmp:2", "config", "user:1", "tmp:keep"]);
    lab.write("keys.txt", "tmp:1\nconfig\nuser:1\ntmp:keep\ntmp:2\n");
    lab.write("protected", "# never\n\n*:keep\n");
    let args =
        ["keys.txt", "--report", "r.csv", "--protect", "conf*", "--protect-from", "protected", "--only", "tmp:*"];
    lab.delete(args).run().code(3);
    assert_eq!(lab.server.keys(), ["config", "tmp:keep", "user:1"]);
    let kept: Vec<_> = lab.rows("r.csv").into_iter().filter(|row| row.status == "invalid").collect();
    let reasons: Vec<_> = kept.iter().map(|row| (row.key.as_str(), row.error.as_str())).collect();
    assert_eq!(
        reasons,
        [
            ("config", "kept: it matches --protect conf*"),
            ("user:1", "kept: it matches no --only"),
            ("tmp:keep", "kept: it matches --protect *:keep"),
        ]
    );
    assert!(lab.deletes().iter().all(|entry| entry.key.as_deref().is_some_and(|key| key.starts_with("tmp:"))));
}

#[test]
fn a_list_of_protected_keys_that_is_missing_or_broken_protects_everything() {
    let lab = Lab::new();
    lab.keys(3);
    lab.write("broken", "a[\n");
    for path in ["missing", "broken"] {
        let done = lab.delete(["keys.txt", "--protect-from", path]).run().code(2);
        assert!(done.stderr.contains(if path == "missing" { "missing" } else { "a[" }), "{}", done.stderr);
    }
    assert_eq!(lab.server.requests(), 0);
}
