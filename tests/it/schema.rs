//! The published JSON Schemas hold for what the binary writes.

use kvsweep::sandbox::Fault;
use serde_json::{Value, json};

use crate::lab::Lab;
use crate::lab::schema::{assert_described, assert_valid, check, schema};

#[test]
fn summaries_rows_and_job_files_are_as_published() {
    let lab = Lab::new();
    lab.keys(30);
    lab.write(
        "keys.ndjson",
        (0..30).map(|key| format!("\"key:{key}\"")).collect::<Vec<_>>().join("\n") + "\n7\n\"key:0\"\n\"config\"\n",
    );
    lab.server.set_faults(["400@key:key:5", "garbage@key:key:6"].map(|fault| fault.parse::<Fault>().expect("a fault")));
    let delete =
        |args: &[&str]| lab.delete(["keys.ndjson", "--protect", "config", "--retries", "0", "--json"]).args(args).run();
    let restore =
        |args: &[&str]| lab.kvsweep(["restore", "b.ndjson", "--yes", "--rate", "none", "--json"]).args(args).run();
    let mut summaries = vec![
        delete(&["--dry-run", "--report", "plan.ndjson"]),
        delete(&["--sandbox", "--report", "rehearsal.ndjson"]),
        delete(&["--report", "stopped.ndjson", "--max-failures", "1", "--concurrency", "1"]),
        delete(&["--report", "r.ndjson", "--backup", "b.ndjson"]),
        delete(&["--report", "r.ndjson", "--resume"]),
        delete(&["--report", "none", "--expect", "1"]),
        lab.delete(["--prefix", "key:", "--json", "--report", "listed.ndjson"]).run(),
    ];
    lab.server.set_faults([]);
    summaries.push(restore(&["--report", "restored.ndjson"]));
    summaries.push(restore(&["--dry-run", "--report", "restorable.ndjson"]));
    summaries.push(delete(&["--report", "again.ndjson"]));
    for done in &summaries {
        assert_valid("summary", &done.summary());
        assert_described("summary", &done.summary());
    }
    let mut statuses = std::collections::BTreeSet::new();
    for report in ["plan", "rehearsal", "stopped", "r", "listed", "restored", "restorable", "again"] {
        let report = format!("{report}.ndjson");
        let job: Value = serde_json::from_str(&lab.read(&format!("{report}.job.json"))).expect("JSON");
        assert_valid("job", &job);
        assert_described("job", &job);
        for line in lab.read(&report).lines() {
            let row: Value = serde_json::from_str(line).expect("a row");
            assert_valid("row", &row);
            statuses.insert(row["status"].as_str().expect("a status").to_owned());
        }
    }
    let all = schema("row")["properties"]["status"]["enum"].as_array().expect("all").len();
    assert!(statuses.len() >= all - 1, "only {statuses:?} were written");
}

#[test]
fn a_summary_names_the_job_and_the_causes() {
    let lab = Lab::new();
    lab.keys(10);
    lab.server.set_faults(["400@prefix:key:1", "403@key:key:5"].map(|fault| fault.parse::<Fault>().expect("a fault")));
    lab.write("keys.txt", lab.read("keys.txt") + "\nkey:11\n..\n");
    let done = lab.delete(["keys.txt", "--report", "r.csv", "--retries", "0", "--json"]).run().code(3);
    let summary = done.summary();
    for (member, value) in [
        ("schema_version", json!(1)),
        ("kind", json!("delete")),
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("namespace_id", json!(crate::lab::NAMESPACE)),
        ("account_id", json!(crate::lab::ACCOUNT)),
        ("report", json!("r.csv")),
        ("not_attempted", json!(0)),
    ] {
        assert_eq!(summary[member], value, "{member}");
    }
    let causes = summary["causes"].as_array().expect("the causes");
    let counts: Vec<_> = causes.iter().map(|cause| cause["count"].as_u64()).collect();
    assert_eq!((counts[0], causes.len()), (Some(2), 3), "{summary:#}");
    assert!(counts.is_sorted_by(|a, b| a >= b));
    assert_eq!(causes[0]["status"], "failed");
    // Those of the whole job, after a run that sent nothing new as well.
    lab.server.set_faults(["400@prefix:key:".parse::<Fault>().expect("a fault")]);
    let again = lab.delete(["keys.txt", "--report", "r.csv", "--retries", "0", "--json", "--resume"]).run().code(3);
    let sum = |summary: &Value| -> u64 {
        summary["causes"].as_array().into_iter().flatten().filter_map(|cause| cause["count"].as_u64()).sum()
    };
    assert_eq!(sum(&again.summary()), 4, "{:#}", again.summary());
}

#[test]
fn the_schemas_refuse_what_is_not_theirs() {
    let good = json!({
        "record": 1, "key": "a", "status": "deleted", "http_status": 200, "error_code": null, "error": null, "attempts": 1,
        "elapsed_ms": 2, "finished_at": "2026-11-29T00:00:00.000Z"
    });
    let schema = schema("row");
    assert_eq!(check(schema, schema, &good, "row"), Ok(()));
    for (member, value) in [
        ("record", json!(0)),
        ("status", json!("gone")),
        ("key", json!(7)),
        ("more", json!(1)),
        ("attempts", json!(-1)),
    ] {
        let mut bad = good.clone();
        bad[member] = value;
        assert!(check(schema, schema, &bad, "row").is_err(), "{member}");
    }
    let mut short = good;
    short.as_object_mut().expect("an object").remove("error");
    assert!(check(schema, schema, &short, "row").is_err());
}
