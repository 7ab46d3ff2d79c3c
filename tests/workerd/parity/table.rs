//! What is asked, in order: later rows see what earlier ones stored.

use serde_json::{Value, json};

use super::Probe;
use super::Voice::{Explorer, Worker};

const NO_CALL: &str = "the explorer has no such call";
const NO_ROUTER: &str = "the explorer answers with a page of its web framework, not as the API does";
const NO_QUERY: &str = "the explorer reads no expiration from the query, which the documentation has";
const NO_HEADER: &str = "the explorer leaves out the header that its own schema describes";
const NO_FORM: &str = "the explorer reads neither type nor withMetadata, which the documentation has";
const BINDING: &str = "a binding takes 32 bits; the published schema and the explorer know no greatest moment";
const CHARACTERS: &str = "the explorer's schema counts characters first, and only then are bytes counted";
const NOT_UNICODE: &str = "the explorer does not expect half a character and fails after it has begun";
const NO_METADATA: &str = "the explorer stores null as metadata, which a reader cannot tell from none";

fn get(rest: &str) -> Probe {
    Probe::new("GET", rest, "")
}

fn delete(rest: &str) -> Probe {
    Probe::new("DELETE", rest, "")
}

fn put(rest: &str, value: &str) -> Probe {
    Probe::new("PUT", rest, value).of_type("application/octet-stream")
}

fn form(rest: &str, parts: &[(&str, &str)]) -> Probe {
    let parts = parts
        .iter()
        .map(|(name, content)| format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n"));
    let body = parts.collect::<String>() + "--B--\r\n";
    Probe::new("PUT", rest, body).of_type("multipart/form-data; boundary=B")
}

fn bulk_delete(body: &(impl ToString + ?Sized)) -> Probe {
    Probe::new("POST", "/bulk/delete", body.to_string())
}

fn bulk_get(body: &(impl ToString + ?Sized)) -> Probe {
    Probe::new("POST", "/bulk/get", body.to_string())
}

fn bulk_put(body: &(impl ToString + ?Sized)) -> Probe {
    Probe::new("PUT", "/bulk", body.to_string())
}

/// A bulk write of one key.
fn pair(key: &str, more: &Value) -> Probe {
    let mut pair = json!({"key": key, "value": "v"});
    for (name, value) in more.as_object().expect("an object") {
        pair[name] = value.clone();
    }
    bulk_put(&json!([pair]))
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("m{number}")).collect()
}

pub(super) fn probes() -> Vec<Probe> {
    let mut probes = names_in_paths();
    probes.extend(values());
    probes.extend(forms());
    probes.extend(pages());
    probes.extend(cursors());
    probes.extend(elsewhere());
    probes.extend(bulk_deletes());
    probes.extend(bulk_gets());
    probes.extend(bulk_puts());
    probes.extend(too_large());
    probes
}

fn names_in_paths() -> Vec<Probe> {
    let long = "x".repeat(513);
    let mut probes: Vec<Probe> = [
        "%FF",
        "x%FFy%20z",
        "%C3%28-%C3%A9",
        "%ed%a0%80",
        "%zz",
        "%",
        "..a",
        "...",
        "%2F",
        "%00",
        "a+b",
        "%0A%09%20",
        "%E2%98%83",
        "%252e%252e",
        "q%3Fa%3Db%23c",
        "%22%5C",
    ]
    .iter()
    .flat_map(|name| [put(&format!("/values/{name}"), name), get(&format!("/values/{name}"))])
    .collect();
    probes.extend([
        // Each under its exact name.
        get("/keys"),
        get("/values/%25FF"),
        delete("/values/%FF"),
        get("/values/%25FF").refused(404, 10_009),
        delete("/values/a%2Fb"),
        delete("/values/gone"),
        delete("/values/gone"),
        get("/values/a%2Fb").refused(404, 10_009),
        delete("/values/").refused(400, 10_012).but(Explorer, 404, NO_ROUTER),
        get("/values/.").refused(400, 10_012).but(Explorer, 404, NO_ROUTER),
        delete(&format!("/values/{long}")).refused(414, 10_012),
        get(&format!("/values/{long}")).refused(414, 10_012),
        put(&format!("/values/{long}"), "v").refused(414, 10_012),
        get(&format!("/metadata/{long}")).refused(414, 10_012).but(Explorer, 404, NO_CALL),
        put(&format!("/values/{}", "%C3%A9".repeat(256)), "v"),
        put(&format!("/values/{}", "%C3%A9".repeat(257)), "v").refused(414, 10_012),
        delete(&format!("/values/{}", "%C3%A9".repeat(256))),
    ]);
    probes
}

fn values() -> Vec<Probe> {
    vec![
        get("/values/there"),
        get("/values/empty"),
        get("/values/expires").but(Explorer, 200, NO_HEADER),
        get("/values/missing").refused(404, 10_009),
        get("/metadata/there").but(Explorer, 404, NO_CALL),
        get("/metadata/expires").but(Explorer, 404, NO_CALL),
        get("/metadata/missing").refused(404, 10_009).but(Explorer, 404, NO_CALL),
        put("/values/v1", "v"),
        put("/values/v2", ""),
        put("/values/v3?expiration_ttl=60", "v"),
        put("/values/v3?expiration_ttl=60.5", "v"),
        put("/values/v3?expiration_ttl=59", "v").refused(400, 10_012).but(Explorer, 200, NO_QUERY),
        put("/values/v3?expiration_ttl=0", "v").refused(400, 10_012).but(Explorer, 200, NO_QUERY),
        put("/values/v3?expiration_ttl=abc", "v").refused(400, 10_012).but(Explorer, 200, NO_QUERY),
        put("/values/v3?expiration=", "v").refused(400, 10_012).but(Explorer, 200, NO_QUERY),
        put("/values/v3?expiration=1", "v").refused(400, 10_012).but(Explorer, 200, NO_QUERY),
        put("/values/v3?expiration=-1", "v").refused(400, 10_012).but(Explorer, 200, NO_QUERY),
        put("/values/v3?expiration=1&expiration_ttl=60", "v"),
        put("/values/v3?expiration=2147483647", "v"),
        put("/values/v3?expiration=2147483648", "v").but(Worker, 400, BINDING),
        put("/values/v3?expiration_ttl=2147483648", "v").but(Worker, 400, BINDING),
        delete("/values/v3"),
    ]
}

fn forms() -> Vec<Probe> {
    let quoted = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
    vec![
        form("/values/f1", &[("value", "v"), ("metadata", r#"{"m":1}"#)]),
        form("/values/f2", &[("metadata", "0"), ("value", "v")]),
        form("/values/f3", &[("value", "v"), ("metadata", "false")]),
        form("/values/f4", &[("value", "v")]),
        form("/values/f5", &[("value", "v"), ("metadata", &quoted(1_024))]),
        form("/values/f6", &[("value", "v"), ("metadata", &quoted(1_025))]).refused(413, 10_012),
        form("/values/f7", &[("value", "v"), ("metadata", "{")]).refused(400, 10_012),
        form("/values/f8", &[("value", "v"), ("metadata", "")]).refused(400, 10_012),
        form("/values/f9", &[("metadata", "{}")]).refused(400, 10_047),
        get("/keys?prefix=f"),
    ]
}

fn pages() -> Vec<Probe> {
    let mut probes: Vec<Probe> = ["0", "9", "9.9", "1000.5", "1001", "-1", "abc", "", "1e9"]
        .iter()
        .map(|limit| get(&format!("/keys?limit={limit}")).refused(400, 10_028))
        .collect();
    probes.extend([
        get("/keys?limit=10"),
        get("/keys?limit=10.9&prefix=p:"),
        get("/keys?limit=1000&prefix=p:"),
        get("/keys?prefix=p:&unknown=1"),
        get("/keys?prefix=p%3A1"),
        get("/keys?prefix=p%3A+"),
        get("/keys?prefix=nothing"),
        get("/keys?prefix=%FF"),
        get("/keys?prefix="),
        get(&format!("/keys?prefix={}", "x".repeat(512))),
        get(&format!("/keys?prefix={}", "x".repeat(513))).refused(414, 10_012),
    ]);
    probes
}

/// Three sides write the same cursors: the last name in Base64. `cDowOQ` is `p:09`. What is none only the sandbox refuses.
fn cursors() -> Vec<Probe> {
    let cursors = ["", "cDowOQ", "cQ", "YQ"];
    let mut probes: Vec<Probe> =
        cursors.iter().map(|cursor| get(&format!("/keys?prefix=p:&cursor={cursor}"))).collect();
    // Those of another prefix, before and behind this one.
    probes.extend([
        get("/keys?prefix=there&cursor=cDowOQ"),
        get("/keys?prefix=a&cursor=cDowOQ"),
        get("/keys?prefix=p:1&cursor=cDowOQ"),
        get("/keys?prefix=p:&limit=10&cursor=cDowMA"),
        get("/keys?prefix=p:&limit=10&cursor=cDowMQ"),
    ]);
    probes
}

fn elsewhere() -> Vec<Probe> {
    let mut probes: Vec<Probe> = ["/nowhere", "/values", "/values/a/b", "/metadata", "/bulk/other"]
        .iter()
        .map(|rest| get(rest).refused(404, 7_000).but(Explorer, 404, NO_ROUTER))
        .collect();
    probes.extend(
        [
            Probe::new("GET", "/bulk", ""),
            Probe::new("GET", "/bulk/get", ""),
            Probe::new("GET", "/bulk/delete", ""),
            Probe::new("DELETE", "/bulk/delete", r#"["there"]"#),
            Probe::new("POST", "/values/there", ""),
            Probe::new("POST", "/keys", ""),
            Probe::new("PUT", "/metadata/there", "{}"),
        ]
        .map(|probe| probe.refused(405, 7_001).but(Explorer, 404, NO_ROUTER)),
    );
    probes
}

fn bulk_deletes() -> Vec<Probe> {
    let mut probes: Vec<Probe> =
        ["", "{}", "null", "not json", "[1]", "[null]", r#"[{"name":"p:00"}]"#, r#"["p:00"] x"#]
            .iter()
            .map(|body| bulk_delete(body).refused(400, 10_012))
            .collect();
    // One bad name refuses the call as a whole.
    probes.extend(["", ".", ".."].iter().map(|bad| bulk_delete(&json!(["p:00", bad])).refused(400, 10_012)));
    probes.extend([
        bulk_delete(&json!(["p:00", "x".repeat(513)])).refused(400, 10_012),
        bulk_delete(&json!(["p:00", "é".repeat(257)])).refused(400, 10_012).but(Explorer, 414, CHARACTERS),
        bulk_delete(&json!(["p:00", "é".repeat(256)])),
        bulk_delete(&json!({"keys": ["p:01"]})).refused(400, 10_012),
        bulk_delete(r#"["\ud800"]"#).refused(400, 10_012).but(Explorer, 500, NOT_UNICODE),
        bulk_delete(&json!(numbered(10_001))).refused(400, 10_012),
        get("/keys?prefix=p:"),
        bulk_delete("[]"),
        bulk_delete(&json!(["missing"])),
        bulk_delete(&json!(["p:01", "missing"])),
        bulk_delete(&json!(["p:02", "p:02"])),
        get("/keys?prefix=p:"),
    ]);
    probes
}

fn bulk_gets() -> Vec<Probe> {
    let mut probes: Vec<Probe> =
        ["", "{}", "[]", r#"["there"]"#, r#"{"keys":[1]}"#, r#"{"keys":"there"}"#, r#"{"keys":[]}"#]
            .iter()
            .map(|body| bulk_get(body).refused(400, 10_012))
            .collect();
    probes.extend(
        ["", ".", "..", &"x".repeat(513)].map(|bad| bulk_get(&json!({"keys": ["there", bad]})).refused(400, 10_012)),
    );
    let all = ["there", "expires", "json", "empty", "missing"];
    probes.extend([
        bulk_get(&json!({"keys": all})),
        bulk_get(&json!({"keys": ["there", "there"]})),
        bulk_get(&json!({"keys": numbered(100)})),
        bulk_get(&json!({"keys": numbered(101)})).refused(400, 10_012),
        bulk_get(&json!({"keys": all, "withMetadata": true})).but(Explorer, 200, NO_FORM),
        bulk_get(&json!({"keys": ["json", "missing"], "type": "json"})).but(Explorer, 200, NO_FORM),
        bulk_get(&json!({"keys": ["json", "missing"], "type": "json", "withMetadata": true}))
            .but(Explorer, 200, NO_FORM),
        bulk_get(&json!({"keys": ["text"], "type": "json"})).refused(400, 10_012).but(Explorer, 200, NO_FORM),
        bulk_get(&json!({"keys": ["text"], "type": "bytes"})).refused(400, 10_012).but(Explorer, 200, NO_FORM),
    ]);
    probes
}

fn bulk_puts() -> Vec<Probe> {
    let mut probes: Vec<Probe> = ["", "{}", "null", r#"["b"]"#, r#"[{"key":"b"}]"#, r#"[{"value":"v"}]"#]
        .iter()
        .map(|body| bulk_put(body).refused(400, 10_012))
        .collect();
    probes.extend(
        [
            json!({"value": 1}),
            json!({"value": null}),
            json!({"value": "!", "base64": true}),
            json!({"value": "__8=", "base64": true}),
            json!({"base64": null}),
            json!({"expiration": 0}),
            json!({"expiration": 1}),
            json!({"expiration": -1}),
            json!({"expiration": null}),
            json!({"expiration": "2000000000"}),
            json!({"expiration_ttl": 59}),
            json!({"expiration_ttl": null}),
        ]
        .map(|more| pair("b", &more).refused(400, 10_012)),
    );
    // One bad name refuses the call as a whole.
    probes.extend(["", ".", "..", &"x".repeat(513)].map(|bad| {
        let pairs = json!([{"key": "b", "value": "v"}, {"key": bad, "value": "v"}]);
        bulk_put(&pairs).refused(400, 10_012)
    }));
    let pairs = |count| numbered(count).into_iter().map(|name| json!({"key": name, "value": ""})).collect::<Value>();
    let twice =
        |values: [&str; 2]| values.map(|value| json!({"key": "b0", "value": value})).into_iter().collect::<Value>();
    probes.extend([
        bulk_put(&pairs(10_001)).refused(400, 10_012),
        bulk_put("[]"),
        bulk_put(&twice(["v", "v"])),
        bulk_put(&twice(["v", "w"])).refused(400, 10_012),
        pair("b1", &json!({"value": "AP8=", "base64": true})),
        pair("b1", &json!({"value": "AP8", "base64": true})),
        pair("b1", &json!({"value": " A P\n8=", "base64": true})),
        pair("b2", &json!({"expiration": 2_000_000_000})),
        pair("b3", &json!({"expiration": 2_000_000_000.5})),
        pair("b4", &json!({"expiration_ttl": 60, "expiration": 1})),
        pair("b5", &json!({"expiration": 2_147_483_648_u64})).but(Worker, 400, BINDING),
        pair("b5", &json!({"expiration": 2_147_483_647})),
        pair("b6", &json!({"metadata": "x".repeat(1_022), "unknown": 1})),
        pair("b7", &json!({"metadata": "x".repeat(1_023)})).refused(413, 10_012),
        pair("b8", &json!({"metadata": [null, 0.5, {"é": "\u{1}"}]})),
        delete("/values/b4"),
        get("/keys?prefix=b"),
        pair("c", &json!({"metadata": null})),
        get("/keys?prefix=c").but(Explorer, 200, NO_METADATA),
    ]);
    probes
}

fn too_large() -> Vec<Probe> {
    let half = "x".repeat(13 << 20);
    vec![
        put("/values/l1", &half),
        put("/values/l2", &half),
        bulk_get(&json!({"keys": ["l1", "l2"]})).refused(413, 10_024),
        put("/values/l3", &"x".repeat((25 << 20) + 1)).refused(413, 10_024),
        bulk_delete(&json!(["l1", "l2", "l3"])),
    ]
}
