//! The published JSON Schemas hold for what the binary writes.

use kvsweep::sandbox::Fault;
use serde_json::{Value, json};

use crate::lab::Lab;

/// The parts of JSON Schema that our schemas use; any other keyword is an error, so that none is silently ignored.
fn check(schema: &Value, root: &Value, value: &Value, at: &str) -> Result<(), String> {
    let schema = match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => &root["$defs"][reference.strip_prefix("#/$defs/").expect("a definition")],
        None => schema,
    };
    for (keyword, rule) in schema.as_object().ok_or("a schema is an object")? {
        let holds = match keyword.as_str() {
            "$schema" | "$id" | "$defs" | "title" | "description" | "properties" | "format" => true,
            "const" => value == rule,
            "enum" => rule.as_array().is_some_and(|allowed| allowed.contains(value)),
            "type" => match rule {
                Value::Array(types) => types.iter().any(|name| is_of_type(value, name)),
                name => is_of_type(value, name),
            },
            "minimum" => value.as_f64().is_none_or(|number| Some(number) >= rule.as_f64()),
            "required" => {
                let names = rule.as_array().expect("names").iter().filter_map(Value::as_str);
                names.into_iter().all(|name| value.get(name).is_some())
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(rule, root, item, &format!("{at}[{index}]"))?;
                }
                true
            }
            "additionalProperties" => {
                for (name, member) in value.as_object().into_iter().flatten() {
                    match (schema["properties"].get(name), rule) {
                        (Some(_), _) | (None, Value::Bool(true)) => {}
                        (None, Value::Bool(false)) => return Err(format!("{at}.{name} is not allowed")),
                        (None, rule) => check(rule, root, member, &format!("{at}.{name}"))?,
                    }
                }
                true
            }
            other => return Err(format!("{other} is a keyword that this test does not know")),
        };
        if !holds {
            return Err(format!("{at}: {keyword} {rule} does not hold for {value}"));
        }
    }
    for (name, rule) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(member) = value.get(name) {
            check(rule, root, member, &format!("{at}.{name}"))?;
        }
    }
    Ok(())
}

fn is_of_type(value: &Value, name: &Value) -> bool {
    match name.as_str().expect("a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other} is not a type"),
    }
}

fn schema(name: &str) -> Value {
    let path = format!("{}/docs/schema/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).expect("the schema")).expect("JSON")
}

fn assert_valid(name: &str, value: &Value) {
    let schema = schema(name);
    check(&schema, &schema, value, name).unwrap_or_else(|why| panic!("{why}\nin {value:#}"));
}

/// Every member that is written is in the schema, too.
fn assert_described(name: &str, value: &Value) {
    let schema = schema(name);
    for (member, _) in value.as_object().expect("an object") {
        assert!(schema["properties"].get(member).is_some(), "{member} is not in the schema of the {name}");
    }
}

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
    assert_eq!(check(&schema, &schema, &good, "row"), Ok(()));
    for (member, value) in [
        ("record", json!(0)),
        ("status", json!("gone")),
        ("key", json!(7)),
        ("more", json!(1)),
        ("attempts", json!(-1)),
    ] {
        let mut bad = good.clone();
        bad[member] = value;
        assert!(check(&schema, &schema, &bad, "row").is_err(), "{member}");
    }
    let mut short = good;
    short.as_object_mut().expect("an object").remove("error");
    assert!(check(&schema, &schema, &short, "row").is_err());
}
