//! The same jobs against the local explorer, which is Cloudflare's own code for most of the calls: it has deletes, bulk
//! deletes and writes, listings and reads, but shows no metadata of a key and no expiration with a value.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::rest::Held;
use crate::runtime::{Side, Workerd};

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("tmp:{number:04}")).collect()
}

#[test]
#[ignore = "needs workerd, which .ci/run installs and runs"]
fn deleting_what_is_being_listed_skips_no_key() {
    let workerd = Workerd::start("explorer-prefix", Side::Explorer);
    let names = numbered(2_500);
    workerd.rest.put(&names);
    workerd.rest.put(["keep", "tmp"]);
    let listed = workerd.kvsweep(["list", "--rate", "none", "--prefix", "tmp:"]).run().code(0);
    assert!(listed.stdout.lines().eq(&names));
    workerd.delete(["--prefix", "tmp:", "--report", "r.csv", "--concurrency", "64"]).run().code(0);
    let mut deleted: Vec<_> = workerd.rows("r.csv").into_iter().map(|row| (row.key, row.status)).collect();
    deleted.sort();
    assert!(deleted.iter().all(|(_, status)| status == "deleted"));
    assert!(deleted.iter().map(|(key, _)| key).eq(&names));
    assert_eq!(workerd.rest.names(), ["keep", "tmp"]);
}

#[test]
#[ignore = "needs workerd, which .ci/run installs and runs"]
fn bulk_deletes_are_counted_as_they_are_here() {
    let workerd = Workerd::start("explorer-bulk", Side::Explorer);
    let names = numbered(1_000);
    workerd.rest.put(&names);
    workerd.rest.put(["keep"]);
    // Twice in one call, where the explorer counts one.
    let input = names.join("\n") + "\nnever was\n" + &names[0];
    let args = ["-", "--bulk", "--no-dedupe", "--report", "r.csv", "--json"];
    let done = workerd.delete(args).stdin(input).run().code(0);
    assert_eq!(done.summary()["deleted"], names.len() + 2);
    assert_eq!(workerd.rest.names(), ["keep"]);
}

/// That a key is absent is confirmed by its metadata, which the explorer does not show: such keys are not called absent.
#[test]
#[ignore = "needs workerd, which .ci/run installs and runs"]
fn a_checked_dry_run_tells_what_is_there() {
    let workerd = Workerd::start("explorer-check", Side::Explorer);
    let names = numbered(250);
    workerd.rest.put(names.iter().step_by(2));
    let args = ["delete", "--dry-run", "--check", "--rate", "none", "-", "--json"];
    let done = workerd.kvsweep(args).stdin(names.join("\n")).run().code(3);
    assert_eq!((&done.summary()["planned"], &done.summary()["unknown"]), (&125.into(), &125.into()));
    assert_eq!(workerd.rest.names().len(), 125);
}

#[test]
#[ignore = "needs workerd, which .ci/run installs and runs"]
fn what_is_restored_is_exactly_there() {
    let workerd = Workerd::start("explorer-restore", Side::Explorer);
    let every_byte: Vec<u8> = (0..=255).collect();
    let with = |value: &[u8], expiration, metadata| Held { value: value.to_vec(), expiration, metadata };
    let treasures = BTreeMap::from([
        ("binary", with(&every_byte, Some(2_000_000_000), Value::Null)),
        ("empty", with(b"", None, json!({"a": [1, null, 0.5]}))),
        ("text/\u{1f511} %2F", with("\u{feff}ü".as_bytes(), None, json!("text"))),
        // Which only a binding would not take.
        ("late", with(b"v", Some(4_102_444_800), Value::Null)),
    ]);
    let mut backup = Vec::new();
    for (name, held) in &treasures {
        let mut pair = json!({"key": name, "value": STANDARD.encode(&held.value), "base64": true});
        for (field, value) in [("expiration", json!(held.expiration)), ("metadata", held.metadata.clone())] {
            if !value.is_null() {
                pair[field] = value;
            }
        }
        backup.push(pair.to_string());
    }
    workerd.write("b.ndjson", backup.join("\n"));
    workerd.restore(["b.ndjson", "--report", "r.csv", "--overwrite-values"]).run().code(0);
    assert!(workerd.rest.names().iter().eq(treasures.keys()));
    for (name, held) in &treasures {
        assert_eq!(workerd.rest.held(name), *held, "{name}");
    }
}

#[test]
#[ignore = "needs workerd, which .ci/run installs and runs"]
fn where_metadata_cannot_be_read_nothing_is_deleted() {
    let workerd = Workerd::start("explorer-backup", Side::Explorer);
    workerd.rest.put(["a", "b"]);
    let args = ["-", "--backup", "b.ndjson", "--report", "r.csv", "--retries", "0"];
    workerd.delete(args).stdin("a\nb\n").run().code(3);
    assert!(workerd.rows("r.csv").iter().all(|row| row.status == "unknown" && row.error.contains("404")));
    assert_eq!(workerd.rest.names(), ["a", "b"]);
}
