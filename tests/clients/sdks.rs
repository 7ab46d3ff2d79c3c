//! The `cloudflare` packages of npm and `PyPI`: one script for each, which makes the same calls and checks what they return.

use std::path::Path;

use serde_json::json;

use crate::{Lab, clients, node};

/// What both scripts leave behind.
fn check(lab: &Lab) {
    assert_eq!(lab.sandbox.keys(), ["expires", "object", "text"]);
    let metadata = |key: &str| lab.sandbox.get(key).expect("stored").metadata;
    assert_eq!(metadata("text"), Some(json!({"a": [1]})));
    let expires = lab.sandbox.get("expires").expect("stored").expiration;
    assert_eq!((expires, metadata("expires")), (Some(4_102_444_800), None));
    assert_eq!(lab.titles(), [("kept".to_owned(), 0), ("sandbox".to_owned(), 3)]);
    assert_eq!(lab.sandbox.namespaces_deleted(), 1);
}

fn script(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name).to_string_lossy().into_owned()
}

#[test]
#[ignore = "needs the clients of tests/clients/install"]
fn npm() {
    let lab = Lab::new();
    // A module is looked for beside the script.
    let beside = clients().join("sdk.mjs");
    std::fs::copy(script("sdk.mjs"), &beside).expect("tests/clients/install has run");
    let (success, stdout) = lab.run(&node(), [beside]);
    assert!(success, "{stdout}");
    check(&lab);
    // Metadata that is an object is sent as several fields, which the sandbox refuses; the script then sends a string.
    let refused = ["PUT 400 /N/values/object", "GET 404 /N/values/none", "POST 400 ", "GET 400 /N/keys", "GET 404 /ID"];
    assert_eq!(without_id(lab.refused()), refused);
}

#[test]
#[ignore = "needs the clients of tests/clients/install"]
fn pypi() {
    let lab = Lab::new();
    let (success, stdout) = lab.run(&clients().join("python/bin/python"), [script("sdk.py")]);
    assert!(success, "{stdout}");
    check(&lab);
    let refused = ["GET 404 /N/values/none", "POST 400 ", "GET 400 /N/keys", "GET 404 /ID"];
    assert_eq!(without_id(lab.refused()), refused);
}

/// The created namespace's id is random.
fn without_id(refused: Vec<String>) -> Vec<String> {
    let id = |part: &str| part.len() == 32;
    let named =
        |line: String| line.split('/').map(|part| if id(part) { "ID" } else { part }).collect::<Vec<_>>().join("/");
    refused.into_iter().map(named).collect()
}
