use serde_json::json;

use super::*;

#[tokio::test]
async fn the_namespace_and_the_rest() {
    let options = SandboxOptions {
        account: Some("acc".into()),
        namespace: Some("ns".into()),
        title: "mine".into(),
        supports_url_encoding: false,
        ..SandboxOptions::default()
    };
    let lab = Lab::new(options);
    let mine = json!({"id": "ns", "title": "mine", "supports_url_encoding": false});
    assert_eq!(lab.get("").await.result(), mine);
    let url = |rest: &str| format!("{}{rest}", lab.sandbox.base_url());
    let get = async |rest: &str| {
        let response = lab.client.get(url(rest)).bearer_auth("t").send().await.unwrap();
        (response.status().as_u16(), serde_json::from_slice::<Value>(&response.bytes().await.unwrap()).unwrap())
    };
    let (status, list) = get("/accounts/acc/storage/kv/namespaces?per_page=50").await;
    assert_eq!((status, &list["result"][0], &list["result_info"]["total_count"]), (200, &mine, &json!(1)));
    assert_eq!(get("/accounts/acc/storage/kv/namespaces?page=2").await.1["result"], json!([]));
    assert_eq!(get("/user/tokens/verify").await.1["result"]["status"], "active");
    for (path, status, code) in [
        ("/accounts/acc/storage/kv/namespaces/other/values/k", 404, 10013),
        ("/accounts/other/storage/kv/namespaces/ns/values/k", 404, 7003),
        ("/accounts/acc/storage/kv/namespaces/n.s/values/k", 404, 7003),
        ("/accounts/acc/storage/kv/elsewhere", 404, 7000),
        ("/accounts/acc/storage/kv/namespaces/ns/bulk", 405, 7001),
    ] {
        let (found, json) = get(path).await;
        assert_eq!((found, &json["errors"][0]["code"]), (status, &json!(code)), "{path}");
    }
    assert_eq!(lab.send(Method::POST, "/values/k", "").await.unwrap().refusal(), (405, Some(7001)));
}

#[tokio::test]
async fn the_namespaces_of_an_account_come_in_pages() {
    let other_namespaces = (0..120).map(|number| (format!("o{number:03}"), format!("title {number}"))).collect();
    let options = SandboxOptions { namespace: Some("ns".into()), other_namespaces, ..SandboxOptions::default() };
    let lab = Lab::new(options);
    let get = async |query: &str| {
        let url = format!("{}/accounts/acc/storage/kv/namespaces{query}", lab.sandbox.base_url());
        let response = lab.client.get(url).bearer_auth("t").send().await.unwrap();
        serde_json::from_slice::<Value>(&response.bytes().await.unwrap()).unwrap()
    };
    for (query, first, count) in [
        ("", "ns", 20),
        ("?per_page=100", "ns", 100),
        ("?per_page=100&page=2", "o099", 21),
        ("?per_page=1000", "ns", 121),
        ("?page=8", "", 0),
    ] {
        let page = get(query).await;
        let found = page["result"].as_array().unwrap();
        assert_eq!((found.len(), page["result_info"]["total_count"].as_u64()), (count, Some(121)), "{query}");
        assert_eq!(found.first().map_or("", |first| first["id"].as_str().unwrap()), first, "{query}");
    }
    assert_eq!(get("?per_page=1001").await["success"], false);
    let at = |id: &str, rest: &str| format!("/../{id}{rest}");
    assert_eq!(lab.get(&at("o007", "")).await.result()["title"], "title 7");
    assert_eq!(lab.get(&at("o007", "/keys")).await.result(), json!([]));
    assert_eq!(lab.get(&at("o999", "")).await.refusal(), (404, Some(10013)));
}

#[tokio::test]
async fn a_token_is_known_where_it_belongs() {
    let ask = async |identity: Identity, path: &str| {
        let lab = Lab::new(SandboxOptions { identity, ..SandboxOptions::default() });
        let response = lab.client.get(format!("{}{path}", lab.sandbox.base_url())).bearer_auth("t").send().await;
        let response = response.unwrap();
        (response.status().as_u16(), serde_json::from_slice::<Value>(&response.bytes().await.unwrap()).unwrap())
    };
    let user = Identity { expires_on: Some("2030-01-01T00:00:00Z".into()), ..Identity::default() };
    let account = Identity { owned_by_account: true, permissions: Some(vec!["P".into()]), ..Identity::default() };
    let (status, json) = ask(user.clone(), "/user/tokens/verify").await;
    assert_eq!((status, &json["result"]["expires_on"]), (200, &json!("2030-01-01T00:00:00Z")));
    let id = json["result"]["id"].as_str().unwrap();
    assert_eq!(ask(user.clone(), "/accounts/acc/tokens/verify").await.0, 401);
    assert_eq!(ask(user.clone(), &format!("/user/tokens/{id}")).await.1["errors"][0]["code"], 9109);
    assert_eq!(ask(account.clone(), "/user/tokens/verify").await.1["errors"][0]["code"], 1000);
    assert_eq!(ask(account.clone(), "/accounts/acc/tokens/verify").await.0, 200);
    let (status, json) = ask(account, &format!("/accounts/acc/tokens/{id}")).await;
    assert_eq!((status, &json["result"]["policies"][0]["permission_groups"][0]["name"]), (200, &json!("P")));
    assert_eq!(ask(user, "/user").await.0, 403);
}

#[tokio::test]
async fn every_namespace_has_keys_of_its_own() {
    let lab = Lab::any_namespace();
    lab.sandbox.preload(["main"]);
    let main = lab.sandbox.namespace_id().to_owned();
    let at = |id: &str, rest: &str| format!("/../{id}{rest}");
    assert_eq!(lab.put(&at("one", "/values/a"), "1").await.status, 200);
    assert_eq!(lab.put(&at("two", "/values/a"), "2").await.status, 200);
    assert_eq!(lab.get(&at("one", "/values/a")).await.body, b"1");
    assert_eq!(lab.get(&at("two", "/values/a")).await.body, b"2");
    assert_eq!(lab.get(&at(&main, "/keys")).await.result(), json!([{"name": "main"}]));
    let namespace = |id: &str, title: &str, keys| (id.to_owned(), title.to_owned(), keys);
    let expected = [namespace(&main, "sandbox", 1), namespace("one", "one", 1), namespace("two", "two", 1)];
    assert_eq!(lab.sandbox.namespaces(), expected);
    assert_eq!(lab.send(Method::DELETE, &at("one", ""), "").await.unwrap().result(), json!({}));
    assert_eq!(lab.get(&at("one", "/keys")).await.refusal(), (404, Some(10013)), "an id is not used again");
    assert_eq!(lab.sandbox.namespaces().len(), 2);
    assert_eq!(lab.sandbox.keys(), ["main"]);
}

#[tokio::test]
async fn namespaces_are_created_renamed_listed_and_deleted() {
    let lab = Lab::new(SandboxOptions { title: "m".into(), ..SandboxOptions::default() });
    let create = async |body: Value| lab.post("/..", &body).await;
    let created = create(json!({"title": "z"})).await.result();
    let id = created["id"].as_str().unwrap();
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    assert_eq!(created, json!({"id": id, "title": "z", "supports_url_encoding": true}));
    for (body, code) in [
        (json!({"title": "z"}), 10014),
        (json!({"title": "m"}), 10014),
        (json!({"title": ""}), 10019),
        (json!({}), 10019),
        (json!({"title": 1}), 10012),
        (json!([]), 10012),
    ] {
        assert_eq!(create(body.clone()).await.refusal(), (400, Some(code)), "{body}");
        let rename = lab.put(&format!("/../{id}"), body.to_string()).await;
        if code != 10014 || body["title"] == "m" {
            assert_eq!(rename.refusal(), (400, Some(code)), "{body}");
        } else {
            assert_eq!(rename.result(), created, "its own title");
        }
    }
    let renamed = lab.put(&format!("/../{id}"), json!({"title": "a"}).to_string()).await.result();
    assert_eq!(renamed["title"], "a");
    let titles = async |query: &str| {
        let page = lab.get(&format!("/..{query}")).await.result();
        page.as_array().unwrap().iter().map(|found| found["title"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(titles("?order=title").await, ["a", "m"]);
    assert_eq!(titles("?order=title&direction=desc").await, ["m", "a"]);
    assert_eq!(titles("?order=title&per_page=1&page=2").await, ["m"]);
    assert_eq!(titles("?order=id&direction=asc").await, ["a", "m"], "digits sort before letters above f");
    for (bad, code) in [
        ("?order=size", 10012),
        ("?direction=up", 10012),
        ("?page=0", 10007),
        ("?page=x", 10007),
        ("?per_page=0", 10008),
    ] {
        assert_eq!(lab.get(&format!("/..{bad}")).await.refusal(), (400, Some(code)), "{bad}");
    }
    assert_eq!(lab.put(&format!("/../{id}/values/k"), "v").await.status, 200);
    assert_eq!(lab.send(Method::DELETE, &format!("/../{id}"), "").await.unwrap().result(), json!({}));
    assert_eq!(titles("").await, ["m"]);
    assert_ne!(create(json!({"title": "a"})).await.result()["id"], *id, "a title can be used again");
    assert_eq!(lab.sandbox.namespaces_deleted(), 1);
}
