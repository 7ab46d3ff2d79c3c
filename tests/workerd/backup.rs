//! What the real runtime held is there again after a backup, a delete and a restoration: not one byte is different.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::awkward::{awkward, cannot_be_sent};
use crate::rest::Held;
use crate::runtime::{Side, Workerd, many};

/// Far in the future, in seconds since the Unix epoch; workerd takes 32 bits with a sign.
const LATER: u64 = 2_000_000_000;

/// The largest value, in bytes.
const LARGEST: u32 = 25 << 20;

fn treasures() -> BTreeMap<String, Held> {
    let with = |value: &[u8], expiration, metadata| Held { value: value.to_vec(), expiration, metadata };
    let every_byte: Vec<u8> = (0..=255).collect();
    let large: Vec<u8> = (0..LARGEST).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut treasures: BTreeMap<_, _> = awkward()
        .into_iter()
        .filter(|name| !cannot_be_sent(name))
        .enumerate()
        .map(|(index, name)| (name, with(format!("value {index}").as_bytes(), None, Value::Null)))
        .collect();
    treasures.extend(
        [
            ("empty", with(b"", None, Value::Null)),
            ("binary", with(&every_byte, Some(LATER), Value::Null)),
            ("not quite text", with(b"ok \xc3\x28 ok", None, json!({"a": [1, null, 0.5], "\n": "\u{e9}"}))),
            ("bom", with("\u{feff}with a mark".as_bytes(), None, json!(0))),
            ("replacement", with("a \u{fffd} of its own".as_bytes(), None, json!(""))),
            ("controls", with(b"\x00\x01\r\n\t\"\\\x7f", Some(LATER + 1), json!("text"))),
            ("looks refused", with(br#"{"success":false,"errors":[{"code":10009}]}"#, None, json!(false))),
            ("25 MiB", with(&large, None, Value::Null)),
        ]
        .map(|(name, held)| (name.to_owned(), held)),
    );
    treasures
}

fn store(workerd: &Workerd, treasures: &BTreeMap<String, Held>) {
    for (name, held) in treasures {
        let mut pair = json!({"key": name, "value": STANDARD.encode(&held.value), "base64": true});
        if let Some(expiration) = held.expiration {
            pair["expiration"] = expiration.into();
        }
        if !held.metadata.is_null() {
            pair["metadata"] = held.metadata.clone();
        }
        workerd.rest.put_bulk(&format!("[{pair}]"));
    }
}

fn assert_held(workerd: &Workerd, treasures: &BTreeMap<String, Held>, when: &str) {
    assert!(workerd.rest.names().iter().eq(treasures.keys()), "other names {when}");
    for (name, held) in treasures {
        let (length, now) = (held.value.len(), workerd.rest.held(name));
        assert_eq!((now.expiration, &now.metadata), (held.expiration, &held.metadata), "{name:?} {when}");
        assert!(now.value == held.value, "the {length} bytes of {name:?} {when}");
    }
}

#[test]
#[ignore = "needs workerd, which .ci/run installs and runs"]
fn backed_up_and_restored_not_one_byte_is_different() {
    let workerd = Workerd::start("backup", Side::Api);
    let treasures = treasures();
    store(&workerd, &treasures);
    assert_held(&workerd, &treasures, "before anything was done");
    let names: String = treasures.keys().map(|name| serde_json::to_string(name).expect("a name") + "\n").collect();
    workerd.write("names.ndjson", names);
    let count = treasures.len();

    workerd.delete(["names.ndjson", "--backup", "b.ndjson", "--report", "d.csv"]).run().code(0);
    assert!(workerd.rest.names().is_empty());
    assert_eq!(workerd.rows("d.csv").iter().filter(|row| row.status == "deleted").count(), count);

    // As wrangler would put it back.
    let array = workerd.read("b.ndjson").trim_end().replace('\n', ",");
    workerd.rest.put_bulk(&format!("[{array}]"));
    assert_held(&workerd, &treasures, "after a bulk put of the backup");

    let there = workerd.restore(["b.ndjson", "--report", "there.csv"]).run().code(0);
    assert!(there.stdout.contains("kept"), "{}", there.stdout);
    workerd.restore(["b.ndjson", "--report", "same.csv", "--resume"]).run().code(0);
    assert!(workerd.rows("same.csv").iter().all(|row| row.status == "restored" && row.error.contains("just as")));

    workerd.delete(["names.ndjson", "--report", "none", "--bulk"]).run().code(0);
    assert!(workerd.rest.names().is_empty());
    workerd.restore(["b.ndjson", "--report", "r.csv"]).run().code(0);
    assert_held(&workerd, &treasures, "after it was restored");
    assert_eq!(workerd.rows("r.csv").iter().filter(|row| row.status == "restored").count(), count);
}

#[test]
#[ignore = "needs workerd, which .ci/run installs and runs"]
fn many_keys_go_and_come_back() {
    let workerd = Workerd::start("backup-many", Side::Api);
    let names: Vec<String> = (0..many(2_000)).map(|index| format!("key:{index}")).collect();
    workerd.rest.put(&names);
    workerd.write("names.txt", names.join("\n"));
    let args = ["names.txt", "--backup", "b.ndjson.zst", "--bulk", "--report", "d.csv", "--concurrency", "64"];
    workerd.delete(args).run().code(0);
    assert!(workerd.rest.names().is_empty());
    let done = workerd.restore(["b.ndjson.zst", "--report", "r.csv", "--json"]).run().code(0);
    assert_eq!(done.summary()["restored"], names.len());
    let mut expected = names;
    expected.sort();
    assert_eq!(workerd.rest.names(), expected);
    for name in expected.iter().step_by(499) {
        assert_eq!(workerd.rest.held(name).value, b"v");
    }
}
