//! A dry run sends nothing and needs nobody's credentials; what it wrote is what a later job deletes, no more.

use kvsweep::sandbox::{Canned, Fault, SandboxOptions, When};

use crate::lab::{Done, Kvsweep, Lab, Row};

const MIXED: &str = "key\na\nb\n..\na\n\"c\nd\"\n \n";

/// A dry run with an address, because nothing must come there, but neither ids nor credentials.
fn dry_run(lab: &Lab, input: &str) -> Kvsweep {
    let run = lab.kvsweep(["delete", "--dry-run", input]);
    ["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_KV_NAMESPACE_ID"]
        .iter()
        .fold(run, |run, name| run.without_env(name))
}

fn mixed() -> Lab {
    let lab = Lab::new();
    lab.server.preload(["a", "b", "c", "d", "c\nd", " ", "bystander"]);
    lab.write("keys.csv", MIXED);
    lab
}

fn names(lab: &Lab) -> Vec<String> {
    let entries = std::fs::read_dir(lab.folder()).expect("the folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn brief(row: &Row) -> (u64, &str, &str) {
    (row.record, row.status.as_str(), row.key.as_str())
}

#[test]
fn a_dry_run_sends_nothing_and_says_what_would_be_done() {
    for report in ["plan.csv", "plan.ndjson"] {
        let lab = mixed();
        let done = dry_run(&lab, "keys.csv").args(["--json", "--report", report]).run().code(3);
        let rows = lab.rows(report);
        let wanted = [
            (1, "planned", "a"),
            (2, "planned", "b"),
            (3, "invalid", ".."),
            (4, "duplicate", "a"),
            (5, "planned", "c\nd"),
            (6, "planned", " "),
        ];
        assert_eq!(rows.iter().map(brief).collect::<Vec<_>>(), wanted);
        assert!(rows[2].error.starts_with("keys.csv line 4: "), "{:?}", rows[2]);
        let summary = done.summary();
        let counts = ["records", "planned", "invalid", "duplicate", "deleted", "requests", "exit_code"];
        assert_eq!(counts.map(|name| summary[name].as_u64()), [6, 4, 1, 1, 0, 0, 3].map(Some));
        assert!(summary["stopped"].is_null());
        assert_eq!(lab.server.requests(), 0);
        assert_eq!(lab.server.len(), 7);
    }
}

#[test]
fn a_dry_run_over_good_keys_succeeds_and_leaves_no_file_unasked() {
    let lab = Lab::new();
    lab.write("keys.txt", "a\nb\nc\n");
    let done = dry_run(&lab, "keys.txt").run().code(0);
    assert!(done.stdout.contains("4 requests"), "{}", done.stdout);
    assert!(done.stdout.contains("nothing was sent"), "{}", done.stdout);
    let from_stdin = dry_run(&lab, "-").arg("--json").stdin("a\nb\n").run().code(0);
    assert_eq!(from_stdin.summary()["planned"], 2);
    assert_eq!((names(&lab), lab.server.requests()), (vec!["keys.txt".to_owned()], 0));
}

#[test]
fn a_dry_run_over_a_broken_input_says_so() {
    let lab = Lab::new();
    lab.write("keys.json", "[\"a\", \"b\", nope]");
    let done = dry_run(&lab, "keys.json").args(["--json", "--report", "plan.csv"]).run().code(1);
    assert_eq!((&done.summary()["planned"], &done.summary()["stopped"]), (&2.into(), &"input_error".into()));
    assert!(done.stderr.contains("keys.json line 1"), "{}", done.stderr);
    assert_eq!((lab.path("plan.csv").exists(), lab.server.requests()), (false, 0), "a part would pass for the whole");
    let done = dry_run(&lab, "keys.json").args(["--allow-partial", "--report", "plan.csv"]).run().code(1);
    assert!(done.stdout.contains("plan.csv contains the plan for the records before the break"), "{}", done.stdout);
    assert_eq!((lab.rows("plan.csv").len(), lab.server.requests()), (2, 0));
}

#[test]
fn a_dry_run_that_was_wrong_from_the_start_leaves_no_report_in_the_way() {
    for (input, args, code) in [("keys.csv", &["--column", "nope"][..], 2), ("none.csv", &[], 1)] {
        let lab = mixed();
        dry_run(&lab, input).args(["--report", "plan.csv"]).args(args).run().code(code);
        assert_eq!((names(&lab), lab.server.requests()), (vec!["keys.csv".to_owned()], 0));
        lab.write("mine.csv", "precious\n");
        dry_run(&lab, input).args(["--report", "mine.csv", "--overwrite"]).args(args).run().code(code);
        assert_eq!(lab.read("mine.csv"), "precious\n");
    }
}

#[test]
fn what_was_reviewed_is_what_is_deleted() {
    for plan in ["plan.csv", "plan.ndjson"] {
        let lab = mixed();
        dry_run(&lab, "keys.csv").args(["--report", plan]).run().code(3);
        // What happens to the input after the review does not matter.
        lab.write("keys.csv", "key\nbystander\n");
        let done = lab.delete([plan, "--report", "done.csv", "--json"]).run().code(0);
        lab.assert_all_deleted(["a", "b", "c\nd", " "], &lab.rows("done.csv"));
        assert_eq!(lab.server.keys(), ["bystander", "c", "d"]);
        assert_eq!(done.summary()["records"], 4);
    }
}

#[test]
fn a_review_that_was_thinned_out_deletes_less() {
    let lab = mixed();
    dry_run(&lab, "keys.csv").args(["--report", "plan.csv"]).run().code(3);
    let plan = lab.read("plan.csv");
    assert!(plan.contains("\n2,b,planned,"), "{plan}");
    let kept: Vec<&str> = plan.split_inclusive('\n').filter(|line| !line.starts_with("2,b,")).collect();
    lab.write("plan.csv", kept.concat());
    lab.delete(["plan.csv", "--report", "done.csv"]).run().code(0);
    lab.assert_all_deleted(["a", "c\nd", " "], &lab.rows("done.csv"));
    assert_eq!(lab.server.keys(), ["b", "bystander", "c", "d"]);
}

fn assert_refused(lab: &Lab, done: &Done) {
    assert!(done.stderr.contains("report of a job that ran"), "{}", done.stderr);
    assert!(!lab.path("again.csv").exists());
}

#[test]
fn the_report_of_a_job_that_ran_is_no_input() {
    for report in ["done.csv", "done.ndjson"] {
        let bad = Fault::new(When::Key("b".to_owned()), Canned::error(400, 10_001, "no").into());
        let lab = Lab::with(SandboxOptions { faults: vec![bad], ..SandboxOptions::default() });
        lab.server.preload(["a", "b", "c"]);
        lab.write("keys.txt", "a\nb\nc\n");
        lab.delete(["keys.txt", "--report", report]).run().code(3);
        let (sent, left) = (lab.server.requests(), lab.server.keys());
        assert_eq!(left, ["b"]);
        lab.server.set_faults([]);
        lab.server.preload(["a"]);
        let done = lab.delete([report, "--report", "again.csv"]).run().code(2);
        assert_refused(&lab, &done);
        assert_eq!(lab.server.requests(), sent);
        // From a pipe it is met too late to be wrong usage, but not too late.
        let done = lab.delete(["-", "--report", "none"]).stdin(lab.read(report)).run();
        assert!(done.stderr.contains("report of a job that ran") && !done.status.success(), "{}", done.stderr);
        let sent = lab.server.requests();
        assert_eq!(lab.deletes().len(), 3, "the pipe's job deleted nothing");
        let done = dry_run(&lab, report).args(["--report", "again.csv"]).run().code(2);
        assert_refused(&lab, &done);
        assert_eq!((lab.server.requests(), lab.server.keys()), (sent, vec!["a".to_owned(), "b".to_owned()]));
    }
}

#[test]
fn a_job_with_more_keys_than_allowed_deletes_none() {
    let lab = Lab::new();
    lab.server.preload(["a", "b", "c"]);
    lab.write("keys.txt", "a\nb\nc\na\n");
    let done = lab.delete(["keys.txt", "--max-keys", "2", "--report", "report.csv", "--json"]).run().code(8);
    assert_eq!((&done.summary()["stopped"], &done.summary()["deleted"]), (&"max_keys".into(), &0.into()));
    assert_eq!((lab.deletes().len(), lab.server.len(), lab.path("report.csv").exists()), (0, 3, false));
    dry_run(&lab, "keys.txt").args(["--max-keys", "2"]).run().code(8);
    assert_eq!(lab.server.requests(), 0);
    lab.delete(["keys.txt", "--max-keys", "3", "--report", "report.csv"]).run().code(0);
    assert!(lab.server.is_empty());
}

#[test]
fn a_job_over_stdin_stops_at_the_number_of_keys_that_is_allowed() {
    let lab = Lab::new();
    lab.server.preload(["a", "b", "c", "d"]);
    let run = lab.delete(["--max-keys", "2", "--report", "report.csv", "--json"]);
    let done = run.stdin("a\nb\na\nc\nd\n").run().code(8);
    assert_eq!(done.summary()["stopped"], "max_keys");
    assert_eq!(lab.server.keys(), ["c", "d"]);
}

#[test]
fn a_usage_error_late_in_a_dry_run_leaves_no_part_of_a_plan() {
    let lab = mixed();
    lab.write("other.csv", "name\nx\n");
    let args = ["other.csv", "--column", "key", "--report", "plan.csv"];
    dry_run(&lab, "keys.csv").args(args).run().code(2);
    assert_eq!((names(&lab), lab.server.requests()), (vec!["keys.csv".to_owned(), "other.csv".to_owned()], 0));
}

#[test]
fn a_dry_run_over_nothing_plans_nothing() {
    let lab = Lab::new();
    lab.write("keys.txt", "");
    let done = dry_run(&lab, "keys.txt").run().code(0);
    assert!(done.stdout.contains("would delete 0 keys"), "{}", done.stdout);
}

/// The journal of a real job, say.
#[test]
fn what_breaks_off_does_not_cost_the_report_that_is_there() {
    let lab = Lab::new();
    lab.keys(3);
    lab.delete(["keys.txt", "--report", "r.csv"]).run().code(0);
    let before = ["r.csv", "r.csv.job.json"].map(|name| lab.read(name));
    lab.write("torn.json", "[\"a\",\"b\"");
    lab.write("torn.csv", "key\na\n\"b");
    for input in ["torn.json", "torn.csv"] {
        dry_run(&lab, input).args(["--report", "r.csv", "--overwrite"]).run().code(1);
        assert_eq!(["r.csv", "r.csv.job.json"].map(|name| lab.read(name)), before, "{input}");
    }
    dry_run(&lab, "keys.txt").args(["--report", "r.csv", "--overwrite"]).run().code(0);
    assert!(lab.read("r.csv").contains("planned"));
}
