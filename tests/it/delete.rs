//! The job end to end: every key of the input is deleted, nothing else, and the report says so.

use crate::lab::Lab;

#[test]
fn every_key_of_a_file_is_deleted_and_reported_once() {
    let lab = Lab::new();
    let keys: Vec<String> = (0..500).map(|index| format!("key:{index}")).collect();
    lab.server.preload(keys.iter().map(String::as_str));
    lab.server.preload(["bystander", "key:500", "key:"]);
    lab.write("keys.txt", keys.join("\n"));
    let done = lab.delete(["keys.txt", "--report", "report.csv", "--json"]).run().code(0);
    lab.assert_all_deleted(keys.iter().map(String::as_str), &lab.rows("report.csv"));
    assert_eq!(lab.server.keys(), ["bystander", "key:", "key:500"]);
    let summary = done.summary();
    assert_eq!(
        (&summary["records"], &summary["deleted"], &summary["requests"]),
        (&500.into(), &500.into(), &501.into())
    );
    assert_eq!(lab.deletes().len(), 500, "no key was asked for twice");
}
