//! The job files of inputs: which of them are plans, and how old they are.

use std::fs;
use std::os::unix::fs::symlink;

use crate::lab::{Kvsweep, Lab};

use super::refused;

/// Writes a report of each kind whose rows alone would not keep it from being a plan.
fn reports() -> (Lab, Vec<(&'static str, &'static str)>) {
    let lab = Lab::new();
    lab.keys(3);
    lab.write("nothing.txt", "");
    lab.write("broken.ndjson", "{\"key\":\"key:0\"}\n");
    let kept = |report| lab.delete(["keys.txt", "--protect", "*", "--report", report]);
    kept("kept.csv").run().code(0);
    kept("kept.ndjson").run().code(0);
    kept("rehearsed.csv").args(["--sandbox"]).run().code(0);
    lab.delete(["nothing.txt", "--report", "empty.csv"]).run().code(0);
    let restore = |report| lab.kvsweep(["restore", "broken.ndjson", "--yes", "--report", report]);
    restore("restored.csv").run().code(3);
    restore("restorable.csv").args(["--dry-run"]).run().code(3);
    symlink("kept.csv", lab.path("link.csv")).expect("a link");
    let reports = vec![
        ("kept.csv", "this is the report of a job that ran (a delete, by its job file)"),
        ("kept.ndjson", "this is the report of a job that ran"),
        ("rehearsed.csv", "this is the report of a job that ran (a rehearsal, by its job file)"),
        ("empty.csv", "this is the report of a job that ran"),
        ("link.csv", "this is the report of a job that ran"),
        ("restored.csv", "this is the report of kvsweep restore (a restore, by its job file)"),
        ("restorable.csv", "this is the report of kvsweep restore (a restore's dry run, by its job file)"),
    ];
    (lab, reports)
}

#[test]
fn the_report_of_a_job_that_ran_is_no_plan_whatever_rows_it_has() {
    let (lab, reports) = reports();
    for (report, why) in reports {
        for mode in [&[][..], &["--dry-run"], &["--sandbox"]] {
            refused(&lab, lab.delete([report, "--report", "none"]).args(mode.iter().copied()), &[report, why]);
        }
    }
    // Whoever wrote another file over it knows what it is.
    lab.write("empty.csv", "key:1\n");
    fs::remove_file(lab.path("empty.csv.job.json")).expect("the job file");
    lab.delete(["empty.csv", "--report", "none"]).run().code(0);
    assert_eq!(lab.server.keys(), ["key:0", "key:2"]);
}

fn aged(lab: &Lab, report: &str) {
    let job_file = format!("{report}.job.json");
    let mut job: serde_json::Value = serde_json::from_str(&lab.read(&job_file)).expect("JSON");
    job["runs"][0]["started_at"] = "2020-02-29T12:00:00Z".into();
    lab.write(&job_file, job.to_string());
}

#[test]
fn a_plan_is_as_old_as_its_job_file_says() {
    let lab = Lab::new();
    lab.keys(3);
    let run = |plan: &str| -> Kvsweep { lab.delete([plan, "--dry-run"]) };
    for plan in ["plan.csv", "plan.ndjson"] {
        lab.delete(["keys.txt", "--dry-run", "--report", plan]).run().code(0);
        assert!(!run(plan).run().code(0).stderr.contains("old"), "{plan}");
        aged(&lab, plan);
        let is_old = |what: &str| {
            let done = run(plan).run().code(0);
            assert!(done.stderr.contains("old; the namespace may have changed"), "{plan}, {what}: {}", done.stderr);
        };
        is_old("with its times");
        let rows = lab.read(plan);
        let cut = |row: &str| match row.strip_prefix('{') {
            Some(_) => format!("{},\"status\":\"planned\"}}\n", row.split(",\"status\"").next().unwrap_or_default()),
            None => format!("{}\n", row.split(',').take(3).collect::<Vec<_>>().join(",")),
        };
        lab.write(plan, rows.lines().map(cut).collect::<String>());
        is_old("without them");
    }
}

#[test]
fn a_torn_job_file_of_an_input_has_a_way_out_of_its_own() {
    let lab = Lab::new();
    lab.keys(3);
    lab.delete(["keys.txt", "--dry-run", "--report", "plan.csv"]).run().code(0);
    lab.write("plan.csv.job.json", "{");
    let run = || lab.delete(["plan.csv", "--report", "none"]);
    let done = refused(&lab, run(), &["plan.csv.job.json is not a job file", "make a new plan with --dry-run"]);
    assert!(!done.stderr.contains("--report"), "{}", done.stderr);
    fs::remove_file(lab.path("plan.csv.job.json")).expect("the job file");
    symlink("nowhere.json", lab.path("plan.csv.job.json")).expect("a link");
    let done = refused(&lab, run(), &["plan.csv.job.json is not a regular file", "replace it with the file itself"]);
    assert!(!done.stderr.contains("--report"), "{}", done.stderr);
    let done = lab.kvsweep(["report", "plan.csv"]).run();
    assert!(!done.stderr.contains("--report"), "{}", done.stderr);
    fs::remove_file(lab.path("plan.csv.job.json")).expect("the link");
    let done = run().run().code(0);
    assert!(done.stderr.contains("its namespace cannot be checked"), "{}", done.stderr);
}
