//! The requests that kvsweep makes, against Cloudflare's published `OpenAPI` for Workers KV.
//!
//! The facts come from the npm package `cloudflare` 7.3.0, which is generated from that document (the file of each row
//! is below `src/resources/`), and, where it says `miniflare:`, from the excerpt of the document that the npm package
//! `miniflare` 5.20261117.0-beta carries (`dist/src/workers/local-explorer/explorer.worker.js`).

use std::collections::BTreeSet;
use std::path::Path;

use kvsweep::sandbox::{Entry, Identity, SandboxOptions};

use crate::lab::{ACCOUNT, Lab, NAMESPACE, TOKEN};

/// One call of the document.
struct Published {
    /// What `src/api/classify.rs` calls it; the empty text for one that kvsweep does not make yet.
    call: &'static str,
    method: &'static str,
    /// Below the base URL.
    path: &'static str,
    /// How many names the body may carry.
    most_names: usize,
    source: &'static str,
}

const fn row(
    call: &'static str,
    method: &'static str,
    path: &'static str,
    most_names: usize,
    source: &'static str,
) -> Published {
    Published { call, method, path, most_names, source }
}

const N: &str = "kv/namespaces/namespaces.ts";

/// Of the bodies: bulk delete is an array of names; bulk put an array of `{key, value, base64?, expiration?,
/// expiration_ttl?, metadata?}`; bulk get `{keys, type?: text|json, withMetadata?}`. Of the queries: keys takes
/// `prefix`, `cursor` and `limit` from 10 to 1,000 (miniflare:); namespaces takes `page`, `per_page`, `order`
/// (id|title) and `direction` (asc|desc). The most names of a bulk call are in both.
const PUBLISHED: [Published; 16] = [
    row("DeleteKey", "DELETE", "/accounts/{a}/storage/kv/namespaces/{n}/values/{k}", 0, "kv/namespaces/values.ts"),
    row("GetNamespace", "GET", "/accounts/{a}/storage/kv/namespaces/{n}", 0, N),
    row("DeleteMany", "POST", "/accounts/{a}/storage/kv/namespaces/{n}/bulk/delete", 10_000, N),
    row("PutMany", "PUT", "/accounts/{a}/storage/kv/namespaces/{n}/bulk", 10_000, N),
    row("ReadMany", "POST", "/accounts/{a}/storage/kv/namespaces/{n}/bulk/get", 100, N),
    row("ListKeys", "GET", "/accounts/{a}/storage/kv/namespaces/{n}/keys", 0, "kv/namespaces/keys.ts"),
    row("ReadValue", "GET", "/accounts/{a}/storage/kv/namespaces/{n}/values/{k}", 0, "kv/namespaces/values.ts"),
    row("ReadMetadata", "GET", "/accounts/{a}/storage/kv/namespaces/{n}/metadata/{k}", 0, "kv/namespaces/metadata.ts"),
    row("ListNamespaces", "GET", "/accounts/{a}/storage/kv/namespaces", 0, N),
    row("ListAccounts", "GET", "/accounts", 0, "accounts/accounts.ts"),
    row(
        "GetWorkerSettings",
        "GET",
        "/accounts/{a}/workers/scripts/{w}/settings",
        0,
        "workers/scripts/script-and-version-settings.ts",
    ),
    row("VerifyToken", "GET", "/user/tokens/verify", 0, "user/tokens/tokens.ts"),
    row("VerifyToken", "GET", "/accounts/{a}/tokens/verify", 0, "accounts/tokens/tokens.ts"),
    row("GetToken", "GET", "/user/tokens/{t}", 0, "user/tokens/tokens.ts"),
    row("GetToken", "GET", "/accounts/{a}/tokens/{t}", 0, "accounts/tokens/tokens.ts"),
    row("GetUser", "GET", "/user", 0, "user/user.ts"),
];

/// The one row that a request is an instance of.
fn published(entry: &Entry) -> &'static Published {
    let path = entry.path.strip_prefix("/client/v4").expect("the prefix of the API");
    let matches = |published: &&Published| {
        let (wanted, given) = (published.path.split('/'), path.split('/'));
        wanted.clone().count() == given.clone().count()
            && entry.method == published.method
            && wanted.zip(given).all(|(wanted, given)| match wanted {
                "{a}" => given == ACCOUNT,
                "{n}" => given == NAMESPACE,
                "{k}" | "{t}" | "{w}" => !given.is_empty(),
                _ => wanted == given,
            })
    };
    let found = PUBLISHED.iter().find(matches);
    found.unwrap_or_else(|| panic!("{} {} is in no row", entry.method, entry.path))
}

#[test]
fn every_request_that_is_made_is_published() {
    let mut request_log = Vec::new();
    for owned_by_account in [false, true] {
        let identity = Identity { owned_by_account, permissions: Some(Vec::new()), ..Identity::default() };
        let workers = vec![("shop".to_owned(), "KV".to_owned(), NAMESPACE.to_owned())];
        let lab = Lab::with(SandboxOptions { identity, workers, ..SandboxOptions::default() });
        lab.server.preload(["a", "b/c?d", "e%2Ff"]);
        lab.write("keys.txt", "a\nb/c?d\ne%2Ff\n");
        lab.kvsweep(["list", "--prefix", "b/c?"]).run().code(0);
        lab.delete(["keys.txt", "--backup", "b.ndjson", "--report", "none"]).run().code(0);
        lab.delete(["keys.txt", "--report", "none", "--bulk", "--namespace", "sandbox"]).run().code(0);
        lab.delete(["--prefix", "b/c?", "--report", "none"]).run().code(0);
        lab.kvsweep(["restore", "b.ndjson", "--yes", "--rate", "none", "--report", "none"]).run().code(0);
        lab.kvsweep(["namespaces"]).run().code(0);
        lab.kvsweep(["whoami"]).run().code(0);
        lab.kvsweep(["whoami"]).without_env("CLOUDFLARE_ACCOUNT_ID").run().code(0);
        lab.write("wrangler.toml", "name = 'shop'\nkv_namespaces = [{ binding = 'KV' }]\n");
        lab.kvsweep(["list", "--binding", "KV"]).without_env("CLOUDFLARE_KV_NAMESPACE_ID").run().code(0);
        let key = lab.kvsweep(["whoami"]).without_env("CLOUDFLARE_API_TOKEN");
        key.env("CLOUDFLARE_EMAIL", "me@example.com").env("CLOUDFLARE_API_KEY", TOKEN).run().code(0);
        request_log.extend(lab.server.request_log());
    }
    let mut made = BTreeSet::new();
    for entry in &request_log {
        let row = published(entry);
        assert!(!row.call.is_empty(), "{} {} is marked as not made ({})", entry.method, entry.path, row.source);
        assert!(entry.body_keys.len() <= row.most_names, "{entry:?} carries more than {} names", row.most_names);
        made.insert(row.call);
    }
    let marked: BTreeSet<&str> = PUBLISHED.iter().map(|row| row.call).filter(|call| !call.is_empty()).collect();
    assert_eq!(made, marked, "a call that is marked as made has to be made here");
}

/// So that nobody adds a call without its row.
#[test]
fn every_call_of_the_client_has_a_row() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/classify.rs");
    let source = std::fs::read_to_string(source).expect("a source can be read");
    let calls = source.split_once("enum Endpoint {").and_then(|(_, rest)| rest.split_once('}')).expect("the calls").0;
    let calls: BTreeSet<&str> = calls
        .lines()
        .map(|line| line.trim().trim_end_matches(','))
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .collect();
    let marked: BTreeSet<&str> = PUBLISHED.iter().map(|row| row.call).filter(|call| !call.is_empty()).collect();
    assert_eq!(calls, marked);
}
