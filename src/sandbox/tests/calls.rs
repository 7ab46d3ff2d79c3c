use serde_json::json;

use super::*;

#[tokio::test]
async fn awkward_names_go_through_exactly() {
    let lab = Lab::new(SandboxOptions::default());
    let longest = "é".repeat(256);
    let names = [
        "plain",
        "a/b",
        "%2e%2e",
        "..a",
        "...",
        "a\nb",
        "a\tb",
        "a\0b",
        " ",
        "naïve ключ 🔑",
        "\"q\"",
        "a?b#c&d=e+f",
        "%",
        "%zz",
        "e\u{301}",
        "\u{feff}x",
        &longest,
    ];
    for name in names {
        let path = format!("/values/{}", encoded(name));
        assert_eq!(lab.put(&path, format!("value of {name}")).await.status, 200, "{name:?}");
        assert_eq!(lab.get(&path).await.body, format!("value of {name}").as_bytes());
    }
    let mut sorted = names.map(ToOwned::to_owned);
    sorted.sort();
    assert_eq!(lab.sandbox.keys(), sorted);
    lab.sandbox.put("bystander", "stays");
    for name in names {
        assert_eq!(lab.delete(&encoded(name)).await.unwrap().result(), json!({}));
    }
    assert_eq!(lab.sandbox.keys(), ["bystander"]);
    let request_log = lab.sandbox.request_log();
    let deletes: Vec<_> = request_log.iter().filter(|entry| entry.method == "DELETE").collect();
    assert!(deletes.iter().all(|entry| entry.applied && entry.authorized && entry.status == 200));
    assert_eq!(deletes.iter().map(|entry| entry.key.as_deref().unwrap()).collect::<Vec<_>>(), names);
    assert_eq!(deletes[1].path, format!("/client/v4{NAMESPACE}/values/%61%2F%62"));
}

#[tokio::test]
async fn names_that_cannot_be_are_refused_everywhere() {
    let lab = Lab::new(SandboxOptions::default());
    let long = "x".repeat(513);
    assert_eq!(lab.delete(&long).await.unwrap().refusal(), (414, Some(10012)));
    assert_eq!(lab.delete("").await.unwrap().refusal(), (400, Some(10012)));
    lab.sandbox.preload(["kept"]);
    for bad in ["", ".", "..", &long] {
        assert_eq!(lab.post("/bulk/delete", &json!(["kept", bad])).await.refusal().0, 400, "{bad:?}");
        let pairs = json!([{"key": "new", "value": ""}, {"key": bad, "value": ""}]);
        assert_eq!(lab.put("/bulk", pairs.to_string()).await.refusal().0, 400, "{bad:?}");
        assert_eq!(lab.post("/bulk/get", &json!({"keys": [bad]})).await.refusal().0, 400);
    }
    assert_eq!(lab.sandbox.keys(), ["kept"], "nothing was done");
}

#[tokio::test]
async fn what_is_not_utf_8_is_taken_as_it_is_written() {
    let lab = Lab::new(SandboxOptions::default());
    for (written, name) in [("%FF", "%FF"), ("x%C3%28%20y%c3%a9", "x%C3%28%20yé"), ("%ed%a0%80", "%ed%a0%80")] {
        assert_eq!(lab.put(&format!("/values/{written}"), "v").await.status, 200, "{written}");
        assert_eq!(lab.sandbox.keys(), [name]);
        assert_eq!(lab.delete(&encoded(name)).await.unwrap().status, 200);
        assert!(lab.sandbox.is_empty());
    }
}

#[tokio::test]
async fn a_cursor_that_nobody_gave_is_refused() {
    let lab = Lab::new(SandboxOptions::default());
    lab.sandbox.preload((0..30).map(|n| format!("k{n:02}")));
    let cursor = lab.get("/keys?limit=10").await.json()["result_info"]["cursor"].take();
    assert_eq!(cursor, "azA5");
    for (query, first, count) in [
        ("cursor=azA5", Some("k10"), 20),
        ("prefix=k2&cursor=azA5", Some("k20"), 10),
        ("prefix=k0&cursor=azI5", None, 0),
    ] {
        let found = lab.get(&format!("/keys?{query}")).await.result();
        assert_eq!((found[0]["name"].as_str(), found.as_array().unwrap().len()), (first, count), "{query}");
    }
    // No alphabet, no whole byte, no text; the last is the example of the API documentation.
    for bad in ["!", "azA5%20", "azA5==", "a", "%FF", "__8", "6Ck1la0VxJ0djhidm1MdX2FyD"] {
        let refused = lab.get(&format!("/keys?cursor={bad}")).await;
        assert_eq!(refused.refusal(), (400, Some(10041)), "{bad}");
        assert_eq!(refused.json()["errors"][0]["message"], "invalid list cursor");
    }
    lab.sandbox.preload(["a~?>"]);
    let page = lab.get("/keys?limit=10").await.json();
    lab.post("/bulk/delete", &json!(lab.sandbox.keys())).await.result();
    lab.sandbox.preload(["k99"]);
    let next = lab.get(&format!("/keys?cursor={}", page["result_info"]["cursor"].as_str().unwrap())).await.result();
    assert_eq!(next, json!([{"name": "k99"}]), "a cursor outlives its key");
}

#[tokio::test]
async fn a_dot_segment_deletes_the_namespace_and_is_seen() {
    for dots in ["..", "%2e%2E", "a/../.."] {
        let lab = Lab::new(SandboxOptions::default());
        lab.sandbox.preload(["a", "b"]);
        let answer = lab.raw_delete(dots).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(lab.sandbox.is_empty() && lab.sandbox.namespaces().is_empty());
        assert_eq!(lab.sandbox.namespaces_deleted(), 1);
        let entry = &lab.sandbox.request_log()[0];
        assert!(entry.applied && entry.key.is_none() && entry.path.ends_with(&format!("/values/{dots}")));
        for rest in ["", "/keys", "/values/a", "/metadata/a"] {
            assert_eq!(lab.get(rest).await.refusal(), (404, Some(10013)), "{rest}");
        }
        assert_eq!(lab.put("/values/a", "v").await.refusal(), (404, Some(10013)));
        assert_eq!(lab.post("/bulk/delete", &json!(["a"])).await.refusal(), (404, Some(10013)));
        assert_eq!(lab.raw_delete(dots).await.unwrap().matches("10013").count(), 1);
    }
}

#[tokio::test]
async fn absent_keys_are_answered_as_told() {
    for (missing_key, expected) in [(MissingKey::Success, 200), (MissingKey::NotFound, 404)] {
        let options = SandboxOptions { missing_key, ..SandboxOptions::default() };
        let lab = Lab::new(options);
        lab.sandbox.preload(["there"]);
        assert_eq!(lab.delete("there").await.unwrap().status, 200);
        let again = lab.delete("there").await.unwrap();
        assert_eq!(again.status, expected);
        if expected == 404 {
            assert_eq!(again.refusal(), (404, Some(10009)));
        }
        assert_eq!(lab.sandbox.request_log().iter().map(|entry| entry.applied).collect::<Vec<_>>(), [true, false]);
    }
}

#[tokio::test]
async fn deleting_while_listing_skips_nothing() {
    let lab = Lab::new(SandboxOptions::default());
    let mut expected: Vec<String> = (0..2_500).map(|n| format!("k/{n}")).collect();
    expected.sort();
    lab.sandbox.preload(expected.iter().map(String::as_str).chain(["a", "z"]));
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = lab.get(&format!("/keys?prefix=k/&limit=1000&cursor={cursor}")).await.json();
        let names: Vec<String> =
            page["result"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(page["result_info"]["count"], names.len());
        let result = lab.post("/bulk/delete", &json!(names)).await.result();
        assert_eq!(result, json!({"successful_key_count": names.len(), "unsuccessful_keys": []}));
        seen.extend(names);
        page["result_info"]["cursor"].as_str().unwrap().clone_into(&mut cursor);
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(seen, expected);
    assert_eq!(lab.sandbox.keys(), ["a", "z"]);
    let bodies: Vec<_> = lab.sandbox.request_log().iter().map(|entry| entry.body_keys.len()).collect();
    assert_eq!(bodies, [0, 1_000, 0, 1_000, 0, 500]);
    for bad in ["limit=9", "limit=9.9", "limit=1001", "limit=1000.5", "limit=x", "limit=", "limit=NaN", "limit=-inf"] {
        assert_eq!(lab.get(&format!("/keys?{bad}")).await.refusal(), (400, Some(10028)), "{bad}");
    }
    assert_eq!(lab.get("/keys?limit=10.9").await.status, 200);
    let longest = "x".repeat(512);
    assert_eq!(lab.get(&format!("/keys?prefix={longest}")).await.status, 200);
    assert_eq!(lab.get(&format!("/keys?prefix={longest}x")).await.refusal(), (414, Some(10012)));
}

#[tokio::test]
async fn values_come_with_metadata_and_expiration() {
    let lab = Lab::new(SandboxOptions::default());
    let form = "--B\r\nContent-Disposition: form-data; name=\"value\"\r\n\r\na\r\nb\r\n--B\r\nContent-Disposition: \
                form-data; name=\"metadata\"\r\n\r\n{\"n\":1}\r\n--B--\r\n";
    let url = format!("{}{NAMESPACE}/values/form?expiration=4102444800", lab.sandbox.base_url());
    let request = lab.client.put(url).bearer_auth("t").header("content-type", "multipart/form-data; boundary=B");
    assert_eq!(request.body(form).send().await.unwrap().status(), 200);
    let value = lab.get("/values/form").await;
    assert_eq!((&value.body[..], &value.headers["expiration"]), (&b"a\r\nb"[..], &"4102444800".parse().unwrap()));
    assert_eq!(lab.get("/metadata/form").await.result(), json!({"n": 1}));
    // What the npm package `cloudflare` makes of metadata that is an object; and what nobody can mean.
    for (boundary, names, named) in [
        ("; boundary=B", &["value", "metadata[a]"][..], "metadata[a]"),
        ("; boundary=B", &["value", "metadata[b][c][]", "metadata"], "metadata[b][c][]"),
        ("; boundary=B", &["value", ""], "\"\""),
        ("; boundary=B", &["value", "value"], "value"),
        ("; boundary=B", &["metadata"], "value"),
        ("; boundary=C", &["value"], "form"),
        ("", &["value"], "boundary"),
    ] {
        let part = |name: &&str| format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n1\r\n");
        let form = names.iter().map(part).collect::<String>() + "--B--";
        let url = format!("{}{NAMESPACE}/values/refused", lab.sandbox.base_url());
        let content_type = format!("multipart/form-data{boundary}");
        let request = lab.client.put(url).bearer_auth("t").header("content-type", content_type);
        let response = request.body(form).send().await.unwrap();
        let status = response.status().as_u16();
        let error = serde_json::from_slice::<Value>(&response.bytes().await.unwrap()).unwrap()["errors"][0].take();
        assert_eq!((status, &error["code"]), (400, &json!(10047)), "{names:?}");
        assert!(error["message"].as_str().unwrap().contains(named), "{error}");
    }
    assert!(!lab.sandbox.contains("refused"));
    assert_eq!(lab.put("/values/raw?expiration_ttl=60", "x").await.status, 200);
    assert_eq!(lab.get("/metadata/raw").await.result(), json!(null));
    assert!(lab.sandbox.get("raw").unwrap().expiration.is_some());
    assert_eq!(lab.get("/values/none").await.refusal(), (404, Some(10009)));
    assert_eq!(lab.get("/metadata/none").await.refusal(), (404, Some(10009)));
    // Beyond 2038, too: only a Worker's binding takes no more than 32 bits.
    assert_eq!(lab.put("/values/late?expiration=2147483648.9", "x").await.status, 200);
    assert_eq!(lab.sandbox.get("late").unwrap().expiration, Some(2_147_483_648));
    assert_eq!(lab.delete("late").await.unwrap().status, 200);
    for bad in ["expiration_ttl=59", "expiration=1000000000", "expiration=-1", "expiration=x", "expiration=inf"] {
        assert_eq!(lab.put(&format!("/values/k?{bad}"), "x").await.refusal(), (400, Some(10012)), "{bad}");
    }
    let gone = Stored { expiration: Some(1_000_000_000), ..Stored::new("old") };
    lab.sandbox.put_stored("gone", gone);
    assert_eq!(lab.get("/values/gone").await.status, 404);
    let listed = lab.get("/keys").await.result();
    let form = json!({"name": "form", "expiration": 4_102_444_800_u64, "metadata": {"n": 1}});
    assert_eq!((&listed[0], listed.as_array().unwrap().len()), (&form, 2));
}

#[tokio::test]
async fn bulk_writes_and_reads() {
    let lab = Lab::new(SandboxOptions::default());
    let pairs = json!([
        {"key": "text", "value": "t", "metadata": {"m": true}},
        {"key": "bytes", "value": "AP8=", "base64": true, "expiration": 4_102_444_800_u64},
        {"key": "json", "value": "{\"a\":[1]}"},
    ]);
    let written = lab.put("/bulk", pairs.to_string()).await.result();
    assert_eq!(written, json!({"successful_key_count": 3, "unsuccessful_keys": []}));
    assert_eq!(lab.sandbox.get("bytes").unwrap().value, &b"\x00\xff"[..]);
    let read = lab.post("/bulk/get", &json!({"keys": ["text", "none"]})).await.result();
    assert_eq!(read, json!({"values": {"text": "t", "none": null}}));
    let read = lab.post("/bulk/get", &json!({"keys": ["json"], "type": "json"})).await.result();
    assert_eq!(read, json!({"values": {"json": {"a": [1]}}}));
    let read = lab.post("/bulk/get", &json!({"keys": ["text"], "withMetadata": true})).await.result();
    assert_eq!(read, json!({"values": {"text": {"value": "t", "metadata": {"m": true}}}}));
    assert_eq!(lab.post("/bulk/get", &json!({"keys": ["text"], "type": "json"})).await.refusal().0, 400);
    assert_eq!(lab.post("/bulk/get", &json!({"keys": vec!["k"; 101]})).await.refusal().0, 400);
    assert_eq!(lab.post("/bulk/get", &json!({"keys": []})).await.refusal().0, 400);
    assert_eq!(lab.post("/bulk/get", &json!([["text"]])).await.refusal().0, 400);
    assert_eq!(lab.post("/bulk/delete", &json!(vec!["k"; 10_001])).await.refusal().0, 400);
    assert_eq!(lab.post("/bulk/delete", &json!({"keys": []})).await.refusal().0, 400);
    for bad in [
        json!({"key": "a", "value": "!", "base64": true}),
        json!({"key": "a", "value": "", "expiration_ttl": 1}),
        json!({"key": "a", "value": "", "expiration": null}),
        json!({"key": "ok", "value": "another"}),
    ] {
        let pairs = json!([{"key": "ok", "value": ""}, bad]);
        assert_eq!(lab.put("/bulk", pairs.to_string()).await.refusal().0, 400);
    }
    assert_eq!(lab.sandbox.keys(), ["bytes", "json", "text"]);
}

#[tokio::test]
async fn a_key_that_is_there_twice_is_one_key() {
    let lab = Lab::new(SandboxOptions::default());
    let pair = json!({"key": "a", "value": "AP8", "base64": true, "expiration": 4_102_444_800.5});
    let one = json!({"successful_key_count": 1, "unsuccessful_keys": []});
    assert_eq!(lab.put("/bulk", json!([pair, pair]).to_string()).await.result(), one);
    let stored = lab.sandbox.get("a").unwrap();
    assert_eq!((&stored.value[..], stored.expiration), (&b"\x00\xff"[..], Some(4_102_444_800)));
    assert_eq!(lab.post("/bulk/delete", &json!(["a", "a"])).await.result(), one);
    assert!(lab.sandbox.is_empty());
}

#[tokio::test]
async fn the_old_bulk_delete_is_served() {
    let lab = Lab::new(SandboxOptions::default());
    lab.sandbox.preload(["a", "b"]);
    let reply = lab.send(Method::DELETE, "/bulk", "[\"a\"]").await.unwrap();
    assert_eq!(reply.result(), json!({"successful_key_count": 1, "unsuccessful_keys": []}));
    assert_eq!(lab.sandbox.keys(), ["b"]);
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let lab = Lab::new(SandboxOptions::default());
    assert_eq!(lab.put("/values/largest", vec![b'x'; 25 << 20]).await.status, 200);
    assert_eq!(lab.put("/values/larger", vec![b'x'; (25 << 20) + 1]).await.refusal(), (413, Some(10024)));
    lab.sandbox.put("small", vec![b'x'; 1]);
    let read = async |keys: &[&str]| lab.post("/bulk/get", &json!({"keys": keys})).await;
    assert_eq!(read(&["largest"]).await.status, 200);
    assert_eq!(read(&["largest", "small"]).await.refusal().0, 413);
    let metadata = |length: usize| json!([{"key": "m", "value": "", "metadata": "x".repeat(length)}]).to_string();
    assert_eq!(lab.put("/bulk", metadata(1_022)).await.status, 200);
    assert_eq!(lab.put("/bulk", metadata(1_023)).await.refusal().0, 413);
}
