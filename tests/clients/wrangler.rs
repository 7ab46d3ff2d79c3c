//! wrangler's `kv` commands.

use serde_json::{Value, json};

use crate::{Lab, NAMESPACE, clients, node};

struct Wrangler {
    lab: Lab,
    package: &'static str,
    /// Version 3 knows no local namespaces to choose between, no `bulk get` and no `rename`.
    is_3: bool,
}

impl Wrangler {
    fn run(&self, args: &[&str]) -> (bool, String) {
        let script = clients().join("node_modules").join(self.package).join("bin/wrangler.js");
        let keys = matches!(args[1], "key" | "bulk");
        let namespace: &[&str] = if keys { &["--namespace-id", NAMESPACE] } else { &[] };
        let remote: &[&str] = if keys && !self.is_3 { &["--remote"] } else { &[] };
        let args = args.iter().chain(namespace).chain(remote).map(|arg| (*arg).to_owned());
        self.lab.run(&node(), [script.to_string_lossy().into_owned()].into_iter().chain(args))
    }

    fn ok(&self, args: &[&str]) -> String {
        let (success, stdout) = self.run(args);
        assert!(success, "{args:?}: {stdout}");
        stdout
    }

    /// What a command prints as JSON, after whatever else it prints.
    fn json(&self, args: &[&str]) -> Value {
        let stdout = self.ok(args);
        let start = stdout.find(['[', '{']).expect("JSON");
        serde_json::from_str(&stdout[start..]).unwrap_or_else(|error| panic!("{error}: {stdout}"))
    }

    fn keys(&self) -> Vec<String> {
        self.lab.sandbox.keys()
    }
}

fn exercise(package: &'static str, is_3: bool) {
    let wrangler = Wrangler { lab: Lab::new(), package, is_3 };
    let sandbox = &wrangler.lab.sandbox;

    wrangler.ok(&["kv", "key", "put", "a/b ?", "value"]);
    wrangler.ok(&["kv", "key", "put", "m", "v", "--metadata", r#"{"a":[1]}"#, "--ttl", "600"]);
    wrangler.ok(&["kv", "key", "put", "e", "v", "--expiration", "4102444800"]);
    assert_eq!(sandbox.get("a/b ?").expect("stored").value, "value");
    let stored = sandbox.get("m").expect("stored");
    assert_eq!((stored.metadata, stored.expiration.is_some()), (Some(json!({"a": [1]})), true));
    assert_eq!(wrangler.ok(&["kv", "key", "get", "a/b ?"]).trim_end(), "value");
    assert!(!wrangler.run(&["kv", "key", "get", "none"]).0);
    let listed = wrangler.json(&["kv", "key", "list"]);
    assert_eq!((&listed[0], &listed[1]["expiration"]), (&json!({"name": "a/b ?"}), &json!(4_102_444_800_u64)));
    assert_eq!(listed[2]["metadata"], json!({"a": [1]}));
    wrangler.ok(&["kv", "key", "delete", "a/b ?"]);
    assert_eq!(wrangler.keys(), ["e", "m"]);

    let pairs = json!([
        {"key": "b1", "value": "x", "metadata": {"a": 1}, "expiration_ttl": 600},
        {"key": "b2", "value": "AP8=", "base64": true},
    ]);
    wrangler.lab.write("pairs.json", &pairs.to_string());
    wrangler.lab.write("names.json", r#"["b1", "b2", "none"]"#);
    wrangler.ok(&["kv", "bulk", "put", "pairs.json"]);
    assert_eq!(sandbox.get("b1").expect("stored").metadata, Some(json!({"a": 1})));
    assert_eq!(sandbox.get("b2").expect("stored").value, &b"\x00\xff"[..]);
    if !is_3 {
        assert_eq!(wrangler.json(&["kv", "bulk", "get", "names.json"])["b1"], json!("x"));
    }
    wrangler.ok(&["kv", "bulk", "delete", "names.json", "--force"]);
    assert_eq!(wrangler.keys(), ["e", "m"]);

    // Without a configuration version 3 puts `worker-` before a title.
    let title = |title: &str| if is_3 { format!("worker-{title}") } else { title.to_owned() };
    wrangler.ok(&["kv", "namespace", "create", "made"]);
    assert!(!wrangler.run(&["kv", "namespace", "create", "made"]).0, "the title exists");
    let listed = wrangler.json(&["kv", "namespace", "list"]);
    let made = listed.as_array().expect("a list").iter().find(|found| found["title"] == title("made"));
    let id = made.expect("it is listed")["id"].as_str().expect("an id");
    if !is_3 {
        wrangler.ok(&["kv", "namespace", "rename", "--namespace-id", id, "--new-name", "renamed"]);
    }
    let now = if is_3 { title("made") } else { "renamed".to_owned() };
    assert_eq!(
        wrangler.lab.titles(),
        if is_3 { [("sandbox".to_owned(), 2), (now, 0)] } else { [(now, 0), ("sandbox".to_owned(), 2)] }
    );
    wrangler.ok(&["kv", "namespace", "delete", "--namespace-id", id]);
    assert_eq!(wrangler.lab.titles(), [("sandbox".to_owned(), 2)]);

    // The key `..` is the namespace itself.
    wrangler.ok(&["kv", "key", "delete", ".."]);
    assert!(!wrangler.run(&["kv", "key", "list"]).0);
    assert_eq!(wrangler.lab.titles(), []);
    assert_eq!(wrangler.lab.refused(), ["GET 404 /N/values/none", "POST 400 ", "GET 404 /N/keys"]);
}

#[test]
#[ignore = "needs the clients of tests/clients/install"]
fn wrangler_4() {
    exercise("wrangler", false);
}

#[test]
#[ignore = "needs the clients of tests/clients/install"]
fn wrangler_3() {
    exercise("wrangler-3", true);
}
