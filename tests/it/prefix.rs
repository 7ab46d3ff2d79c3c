//! `delete --prefix`: what a namespace holds is listed and deleted in one run, and nothing else.

use std::collections::BTreeSet;
use std::time::Duration;

use kvsweep::sandbox::{Entry, Fault, Quota, SandboxOptions, Stored};
use rustix::process::Signal;

use crate::lab::{Lab, Row, wait_until};

const DECOYS: [&str; 3] = ["keep", "tmp", "tmq:"];

/// So many keys under `tmp:`, awkward ones among them, and some others.
fn filled(count: usize, options: SandboxOptions) -> (Lab, BTreeSet<String>) {
    let lab = Lab::with(options);
    let awkward = ["a/b?c#d", "é \u{301}", "%2e%2e", "a\nb", "x,key", "quote\"", " ", "🔑\t", "..", "a&b=+"];
    let names: BTreeSet<String> = (0..count - awkward.len())
        .map(|index| index.to_string())
        .chain(awkward.map(str::to_owned))
        .map(|name| format!("tmp:{name}"))
        .collect();
    lab.server.preload(names.iter().map(String::as_str).chain(DECOYS));
    (lab, names)
}

fn faults(faults: &[&str]) -> Vec<Fault> {
    faults.iter().map(|fault| fault.parse().expect("a fault")).collect()
}

fn is_page(entry: &Entry) -> bool {
    entry.method == "GET" && entry.path.ends_with("/keys")
}

fn keys_of(rows: &[Row], status: &str) -> BTreeSet<String> {
    rows.iter().filter(|row| row.status == status).map(|row| row.key.clone()).collect()
}

/// Numbers from 1 without a gap, each once.
#[track_caller]
fn assert_numbered(rows: &[Row]) {
    let numbers: BTreeSet<u64> = rows.iter().map(|row| row.record).collect();
    assert_eq!(numbers.len(), rows.len(), "a record has two rows");
    assert!(numbers.into_iter().eq(1..=rows.len() as u64), "a record is missing");
}

#[test]
fn what_a_page_holds_is_deleted_while_the_next_is_fetched() {
    let (lab, names) = filled(25_000, SandboxOptions::default());
    let args = ["--prefix", "tmp:", "--report", "r.csv", "--concurrency", "64", "--json"];
    let done = lab.delete(args).run().code(0);
    let rows = lab.rows("r.csv");
    lab.assert_all_deleted(names.iter().map(String::as_str), &rows);
    assert_numbered(&rows);
    assert_eq!(lab.server.keys(), DECOYS);
    let summary = done.summary();
    assert_eq!((&summary["records"], &summary["deleted"]), (&25_000.into(), &25_000.into()));
    assert_eq!(summary["requests"], lab.server.requests(), "pages are counted");
    let request_log = lab.server.request_log();
    assert_eq!(request_log.iter().filter(|entry| is_page(entry)).count(), 25);
    let last_page = request_log.iter().rposition(is_page).expect("a page");
    let before = request_log[..last_page].iter().filter(|entry| entry.method == "DELETE").count();
    assert!((20_000..25_000).contains(&before), "{before} keys were deleted before the last page");
}

#[test]
fn in_bulk_no_key_is_skipped_either_and_calls_are_full() {
    let (lab, names) = filled(25_000, SandboxOptions::default());
    lab.delete(["--prefix", "tmp:", "--bulk", "--report", "r.csv"]).run().code(0);
    let calls: Vec<_> = lab.server.request_log().into_iter().filter(|entry| entry.method == "POST").collect();
    assert_eq!(calls.iter().map(|call| call.body_keys.len()).collect::<Vec<_>>(), [10_000, 10_000, 5_000]);
    let asked: BTreeSet<String> = calls.into_iter().flat_map(|call| call.body_keys).collect();
    let rows = lab.rows("r.csv");
    assert_numbered(&rows);
    assert!(asked == names && keys_of(&rows, "deleted") == names);
    assert_eq!(lab.server.keys(), DECOYS);
}

#[test]
fn pages_and_deletes_keep_one_rate_through_errors() {
    let options = SandboxOptions {
        quotas: vec![Quota::sliding(300, Duration::from_secs(1))],
        faults: faults(&["503=0.02", "reset=0.02", "truncate=0.02"]),
        ..SandboxOptions::default()
    };
    let (lab, names) = filled(1_500, options);
    let args = ["delete", "--prefix", "tmp:", "--yes", "--rate", "300/1s", "--report", "r.csv"];
    lab.kvsweep(args).run().code(0);
    let rows = lab.rows("r.csv");
    assert_numbered(&rows);
    // A delete whose answer was lost is sent again, and the key is then absent or deleted.
    assert_eq!(rows.iter().map(|row| row.key.clone()).collect::<BTreeSet<_>>(), names);
    assert!(rows.iter().all(|row| row.status == "deleted" || row.status == "absent"));
    assert_eq!((lab.server.refused_by_quota(), lab.server.keys()), (0, DECOYS.map(str::to_owned).to_vec()));
}

#[test]
fn a_dry_run_only_lists_and_its_report_is_a_plan() {
    let (lab, names) = filled(2_500, SandboxOptions::default());
    let args = ["delete", "--dry-run", "--prefix", "tmp:", "--rate", "none", "--report", "plan.csv"];
    let done = lab.kvsweep(args).run().code(0);
    assert!(done.stdout.contains("Dry run: nothing was deleted, "), "{}", done.stdout);
    assert!(done.stdout.contains("one by one   2,504 requests"), "{}", done.stdout);
    // The first request asks for the namespace.
    assert!(lab.server.request_log()[1..].iter().all(is_page));
    assert!(lab.server.request_log().iter().all(|entry| entry.method == "GET" && !entry.applied));
    assert_eq!((lab.server.requests(), lab.server.len()), (4, 2_503));
    let rows = lab.rows("plan.csv");
    assert_numbered(&rows);
    assert_eq!(keys_of(&rows, "planned"), names);
    // What came since was not reviewed.
    lab.server.preload(["tmp:new"]);
    lab.delete(["plan.csv", "--report", "r.csv"]).run().code(0);
    assert_eq!(lab.server.keys(), ["keep", "tmp", "tmp:new", "tmq:"]);
    let args = ["delete", "--dry-run", "--all", "--rate", "none", "--max-keys", "3", "--json"];
    let done = lab.kvsweep(args).run().code(8);
    assert_eq!((&done.summary()["planned"], &done.summary()["requests"]), (&4.into(), &2.into()));
}

#[test]
fn a_dry_run_rides_out_what_a_delete_does() {
    // A page that is refused as if the credentials were wrong, while the namespace is found.
    let options = SandboxOptions { faults: faults(&["403@nth:2", "reset@nth:3"]), ..SandboxOptions::default() };
    let (lab, _) = filled(2_500, options);
    let args = ["delete", "--dry-run", "--prefix", "tmp:", "--rate", "none", "--json"];
    let summary = lab.kvsweep(args).run().code(0).summary();
    assert_eq!((&summary["planned"], &summary["requests"]), (&2_500.into(), &7.into()));
}

#[test]
fn a_dry_run_that_is_cut_short_leaves_no_half_plan() {
    let latency = Duration::from_millis(20);
    let (lab, _) = filled(25_000, SandboxOptions { latency: Some((latency, latency)), ..SandboxOptions::default() });
    let args = ["delete", "--dry-run", "--prefix", "tmp:", "--rate", "none", "--report", "plan.csv"];
    let run = lab.start("run", lab.kvsweep(args));
    wait_until("some pages were asked for", || lab.server.requests() >= 3);
    run.signal(Signal::INT);
    let done = run.done().code(130);
    assert!(done.stdout.contains("part of the plan"), "{}", done.stdout);
    assert!(!lab.path("plan.csv").exists());
    let args = [&args[..], &["--deadline", "100ms"]].concat();
    lab.kvsweep(args).run().code(5);
    assert!(!lab.path("plan.csv").exists());
}

#[test]
fn only_what_is_selected_is_deleted_and_only_what_filters_keep_has_another_row() {
    let stored = |expiration, metadata: &str| Stored {
        expiration,
        metadata: serde_json::from_str(metadata).ok(),
        ..Stored::new("v")
    };
    for (args, gone) in [
        (&["--prefix", "a:", "--prefix", "b", "--prefix", "a:1"][..], &["a:1", "a:2", "b:1"][..]),
        (&["--all", "--only", "*:*", "--protect", "b*"], &["a:1", "a:2"]),
        (&["--prefix", "a:", "--expiring-before", "2100-01-01T00:00:01Z"], &["a:1"]),
        (&["--all", "--expiring-before", "7d"], &[]),
        (&["--all", "--without-expiration"], &["a:2", "b:1", "c"]),
        (&["--prefix", "a", "--metadata", "team=web"], &["a:1"]),
        (&["--all"], &["a:1", "a:2", "b:1", "c"]),
        (&["--prefix", "none:"], &[]),
    ] {
        let lab = Lab::new();
        lab.server.put_stored("a:1", stored(Some(4_102_444_800), r#"{"team":"web"}"#));
        lab.server.put_stored("a:2", stored(None, r#"{"team":"ops"}"#));
        lab.server.preload(["b:1", "c"]);
        lab.delete(["--report", "r.csv"]).args(args).run().code(0);
        let rows = lab.rows("r.csv");
        assert_eq!(keys_of(&rows, "deleted").iter().collect::<Vec<_>>(), gone, "{args:?}");
        let kept: &[&str] = if args.contains(&"--protect") { &["b:1", "c"] } else { &[] };
        assert_eq!(keys_of(&rows, "kept").iter().collect::<Vec<_>>(), kept, "{args:?}");
        assert_eq!((rows.len(), lab.server.len()), (gone.len() + kept.len(), 4 - gone.len()), "{args:?}");
    }
}

#[test]
fn a_name_that_no_request_can_carry_is_invalid() {
    let lab = Lab::new();
    lab.server.preload([".", "..", "...", "a"]);
    lab.delete(["--prefix", ".", "--report", "r.csv"]).run().code(3);
    let rows = lab.rows("r.csv");
    assert_eq!(keys_of(&rows, "invalid").iter().collect::<Vec<_>>(), [".", ".."]);
    assert_eq!(lab.server.keys(), [".", "..", "a"]);
    assert_eq!(lab.server.namespaces_deleted(), 0);
}

#[test]
fn a_job_that_was_stopped_is_run_again() {
    let latency = Duration::from_millis(5);
    let (lab, names) = filled(3_000, SandboxOptions { latency: Some((latency, latency)), ..SandboxOptions::default() });
    let run = lab.start("run", lab.delete(["--prefix", "tmp:", "--report", "1.csv"]));
    wait_until("some keys were deleted", || lab.server.len() < 2_000);
    run.signal(Signal::TERM);
    let done = run.done().code(143);
    let again = "hint: to delete the keys that are left, run:\n  ";
    let (_, command) = done.stderr.split_once(again).expect("a hint");
    assert!(command.trim_end().ends_with("delete --yes --rate none --prefix tmp: --report 1-2.csv"), "{}", done.stderr);
    let first = keys_of(&lab.rows("1.csv"), "deleted");
    assert_eq!(first.len() + lab.server.len(), 3_003, "a key is gone that the report does not know of");
    lab.delete(["--prefix", "tmp:", "--report", "2.csv"]).run().code(0);
    let second = keys_of(&lab.rows("2.csv"), "deleted");
    assert!(first.is_disjoint(&second) && &first | &second == names);
    assert_eq!(lab.server.keys(), DECOYS);
}

#[test]
fn a_lost_cursor_skips_nothing_and_doubles_nothing() {
    let options = || SandboxOptions { faults: faults(&["400@nth:4"]), ..SandboxOptions::default() };
    let (lab, names) = filled(5_000, options());
    let done = lab.delete(["--prefix", "tmp:", "--bulk", "--report", "r.csv"]).run().code(0);
    assert!(done.stderr.contains("no longer accepts the cursor"), "{}", done.stderr);
    let rows = lab.rows("r.csv");
    assert_numbered(&rows);
    assert_eq!(keys_of(&rows, "deleted"), names);
    let (lab, names) = filled(5_000, options());
    let args = ["delete", "--dry-run", "--prefix", "tmp:", "--rate", "none", "--report", "plan.csv"];
    lab.kvsweep(args).run().code(0);
    let rows = lab.rows("plan.csv");
    assert_numbered(&rows);
    assert_eq!(keys_of(&rows, "planned"), names);
}

#[test]
fn a_listing_that_is_refused_or_fails_ends_the_job_after_what_came_before() {
    for (fault, code, stopped) in
        [("404@nth:4-9", 7, "namespace_not_found"), ("html403@nth:4-99", 5, "outage"), ("503@nth:4-99", 5, "outage")]
    {
        let (lab, _) = filled(5_000, SandboxOptions { faults: faults(&[fault]), ..SandboxOptions::default() });
        let args = ["--prefix", "tmp:", "--bulk", "--retries", "0", "--max-wait", "1s", "--report", "r.csv", "--json"];
        let done = lab.delete(args).run().code(code);
        assert_eq!(done.summary()["stopped"], stopped, "{fault}");
        let rows = lab.rows("r.csv");
        assert_eq!(keys_of(&rows, "deleted").len() + lab.server.len(), 5_003, "{fault}");
        assert!(done.stderr.contains("error: "), "{}", done.stderr);
    }
    let (lab, _) = filled(20, SandboxOptions::default());
    lab.delete(["--prefix", "tmp:"]).env("CLOUDFLARE_API_TOKEN", "wrong-token").run().code(7);
    assert_eq!(lab.server.len(), 23);
}

#[test]
fn guards_hold_for_keys_that_are_listed() {
    let (lab, _) = filled(5_000, SandboxOptions::default());
    let done = lab.delete(["--prefix", "tmp:", "--max-keys", "1500", "--json"]).run().code(8);
    assert_eq!((&done.summary()["deleted"], lab.server.len()), (&1_500.into(), 3_503));
    lab.server.set_faults(faults(&["400@prefix:tmp:"]));
    let before = lab.deletes().len();
    lab.delete(["--prefix", "tmp:", "--canary", "3", "--report", "none"]).run().code(8);
    assert!(lab.deletes().len() - before <= 3);
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_sent() {
    let lab = Lab::new();
    lab.server.preload(["a", "b"]);
    lab.write("keys.txt", "a\n");
    for (args, why) in [
        (&["--prefix", ""][..], "--all"),
        (&["--prefix", "a", "--prefix", ""], "--all"),
        (&["--prefix", "a", "keys.txt"], "cannot be used"),
        (&["--all", "-"], "cannot be used"),
        (&["--all", "--prefix", "a"], "cannot be used"),
        (&["--prefix", "a", "--resume", "--report", "r.csv"], "no longer listed"),
        (&["--prefix", "a", "--sandbox"], "rehearsal"),
        (&["--prefix", "a", "--expect", "1"], "--max-keys"),
        (&["--prefix", "a", "--format", "csv"], "cannot be used"),
        (&["keys.txt", "--metadata", "a=b"], "--prefix"),
        (&["keys.txt", "--without-expiration"], "--prefix"),
    ] {
        let done = lab.delete(args).run().code(2);
        assert!(done.stderr.contains(why), "{args:?}: {}", done.stderr);
    }
    assert_eq!(lab.server.requests(), 0);
    // Nobody can be asked.
    for args in [["--prefix", "a"], ["--all", "-q"]] {
        let done = lab.kvsweep(["delete", "--rate", "none"]).args(args).run().code(2);
        assert!(done.stderr.contains("--yes"), "{}", done.stderr);
    }
    assert_eq!(lab.server.requests(), 0);
    assert_eq!((lab.server.len(), std::fs::read_dir(lab.folder()).expect("the folder").count()), (2, 1));
    let done = lab.kvsweep(["delete", "--dry-run", "--prefix", "a"]).without_env("CLOUDFLARE_API_TOKEN").run().code(2);
    assert!(done.stderr.contains("CLOUDFLARE_API_TOKEN"), "{}", done.stderr);
    // No key that could be sent, no question.
    lab.kvsweep(["delete", "--rate", "none", "--report", "none", "--prefix", "none:"]).on_terminal().run().code(0);
    lab.server.preload([".."]);
    lab.kvsweep(["delete", "--rate", "none", "--report", "none", "--prefix", "."]).on_terminal().run().code(3);
}

#[test]
fn what_filters_keep_of_a_listing_has_its_row_in_every_mode() {
    let lab = Lab::new();
    let names: BTreeSet<String> = (0..1_500).map(|number| format!("tmp:{number}")).collect();
    lab.server.preload(names.iter().map(String::as_str).chain(["config:1", "config:2"]));
    let args = ["--all", "--protect", "config:*", "--json"];
    let kept = BTreeSet::from(["config:1", "config:2"].map(str::to_owned));
    let dry = lab.kvsweep(["delete", "--dry-run", "--report", "plan.csv", "--rate", "none"]).args(args).run().code(0);
    let real = ["r.csv", "again.csv"].map(|report| lab.delete(["--report", report]).args(args));
    let [first, again] = real.map(|run| run.run().code(0));
    for (done, report, (status, most)) in [
        (dry, "plan.csv", ("planned", 1_500)),
        (first, "r.csv", ("deleted", 1_500)),
        (again, "again.csv", ("deleted", 0)),
    ] {
        let (rows, summary) = (lab.rows(report), done.summary());
        assert_numbered(&rows);
        assert_eq!((keys_of(&rows, "kept"), rows.len()), (kept.clone(), most + 2), "{report}");
        let counts = ["records", "kept", status].map(|name| summary[name].as_u64());
        assert_eq!(counts, [Some(most as u64 + 2), Some(2), Some(most as u64)], "{report}");
        let rule = |row: &Row| row.status != "kept" || row.error == "matches --protect config:*";
        assert!(rows.iter().all(rule), "{report}");
        let warns = done.stderr.contains("none of the 2 keys listed is selected by the filters");
        assert_eq!(warns, most == 0, "{}", done.stderr);
    }
    lab.server.preload(["tmp:new"]);
    lab.delete(["plan.csv", "--report", "planned.csv"]).run().code(0);
    assert_eq!(lab.server.keys(), ["config:1", "config:2", "tmp:new"]);
    // None of them counts for a guard.
    let guarded = lab.delete(["--report", "guarded.csv", "--max-keys", "1"]).args(args).run().code(0);
    assert_eq!(guarded.summary()["deleted"], 1);
}
