use super::*;

const TOML: &str = r#"
#:schema node_modules/wrangler/config-schema.json
name = "my-worker"
main = "src/index.ts"
compatibility_date = "2026-11-01"
account_id = "account-top"

[observability]
enabled = true

[[kv_namespaces]]
binding = "SESSIONS"
id = "top-sessions"
preview_id = "top-preview"

[[kv_namespaces]]
binding = "TWICE"
id = "one"

[[kv_namespaces]]
binding = "TWICE"
id = "two"

[[kv_namespaces]]
binding = "PREVIEW"
preview_id = "only"

[[kv_namespaces]]
binding = "NONE"

[env.staging]
kv_namespaces = [{ binding = "SESSIONS", id = "staging-sessions" }]

[env.production]
account_id = "account-production"
"#;

const JSONC: &str = r#"/**
 * For more details on how to configure Wrangler, refer to:
 * https://developers.cloudflare.com/workers/wrangler/configuration/
 */
{
	"$schema": "node_modules/wrangler/config-schema.json",
	"name": "my-worker",
	"main": "src/index.ts",
	"compatibility_date": "2026-11-01",
	"observability": { "enabled": true, },
	// "vars": { "MY_VARIABLE": "production_value" },
	"kv_namespaces": [
		{ "binding": "SESSIONS", "id": "json-sessions" }, // the one
	],
}
"#;

fn look(name: &str, text: &str, binding: &str, environment: Option<&str>) -> Result<Bound, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    std::fs::write(&file, text).unwrap();
    bound(&file, Lookup { binding, environment, preview: false }).map_err(|error| error.to_string())
}

fn found(account: Option<&str>, namespace: &str) -> Bound {
    let namespace = BoundNamespace::Id(namespace.parse().unwrap());
    Bound { account: account.map(|id| id.parse().unwrap()), namespace }
}

#[test]
fn both_languages_are_read_as_wrangler_writes_them() {
    assert_eq!(look("wrangler.toml", TOML, "SESSIONS", None), Ok(found(Some("account-top"), "top-sessions")));
    assert_eq!(look("wrangler.jsonc", JSONC, "SESSIONS", None), Ok(found(None, "json-sessions")));
    assert_eq!(
        look("wrangler.json", &format!("\u{feff}{JSONC}"), "SESSIONS", Some("")),
        Ok(found(None, "json-sessions"))
    );
}

#[test]
fn an_environment_inherits_the_account_and_no_binding() {
    let staging = look("wrangler.toml", TOML, "SESSIONS", Some("staging"));
    assert_eq!(staging, Ok(found(Some("account-top"), "staging-sessions")));
    let production = look("wrangler.toml", TOML, "SESSIONS", Some("production")).unwrap_err();
    assert_eq!(production, r#"its environment "production" has no KV binding "SESSIONS"; it has none"#);
}

#[test]
fn a_binding_without_an_id_is_that_of_the_deployed_worker() {
    let worker = |text: &str, binding, environment| {
        look("wrangler.toml", text, binding, environment).map(|found| found.namespace)
    };
    let named = |name: &str| Ok(BoundNamespace::OfWorker(name.to_owned()));
    assert_eq!(worker(TOML, "NONE", None), named("my-worker"));
    assert_eq!(worker(TOML, "PREVIEW", None), named("my-worker"));
    let environments = "name = 'w'\n[env.a]\nkv_namespaces = [{ binding = 'KV' }]\n\
                        [env.b]\nname = 'own'\nkv_namespaces = [{ binding = 'KV' }]\n";
    assert_eq!(worker(environments, "KV", Some("a")), named("w-a"));
    assert_eq!(worker(environments, "KV", Some("b")), named("own"));
    let why = |text: &str| worker(text, "KV", None).unwrap_err();
    let nameless = "kv_namespaces = [{ binding = 'KV' }]\n";
    assert!(why(nameless).contains("has no `id`, and the file has no `name`, so"), "{}", why(nameless));
    for name in ["../x", "a/b", "", "a b", "a?b"] {
        assert!(why(&format!("name = '{name}'\n{nameless}")).contains("cannot be a Worker's"), "{name}");
    }
}

#[test]
fn a_preview_has_an_id_of_its_own() {
    let preview = |binding| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wrangler.toml");
        std::fs::write(&file, TOML).unwrap();
        bound(&file, Lookup { binding, environment: None, preview: true }).map_err(|error| error.to_string())
    };
    assert_eq!(preview("SESSIONS"), Ok(found(Some("account-top"), "top-preview")));
    assert_eq!(preview("PREVIEW"), Ok(found(Some("account-top"), "only")));
    assert!(preview("NONE").unwrap_err().contains("has no `preview_id`"));
}

#[cfg(unix)]
#[test]
fn a_program_hides_what_is_above_it() {
    let top = tempfile::tempdir().unwrap();
    let inner = top.path().join("a/b");
    std::fs::create_dir_all(&inner).unwrap();
    std::fs::write(top.path().join("wrangler.json"), "{}").unwrap();
    std::fs::write(top.path().join("a/cloudflare.config.ts"), "export default {}").unwrap();
    let error = nearest(&inner).unwrap_err().to_string();
    assert!(error.contains("a/cloudflare.config.ts is not evaluated"), "{error}");
    std::fs::write(top.path().join("a/wrangler.toml"), "").unwrap();
    assert_eq!(nearest(&inner).unwrap(), top.path().join("a/wrangler.toml"));
}

#[test]
fn what_is_missing_is_said_with_what_there_is() {
    for (binding, environment, said) in [
        ("sessions", None, r#"no KV binding "sessions"; it has "SESSIONS", "TWICE""#),
        ("TWICE", None, r#"has 2 KV bindings "TWICE""#),
        ("SESSIONS", Some("stagin"), r#"no environment "stagin"; it has "production", "staging""#),
    ] {
        let error = look("wrangler.toml", TOML, binding, environment).unwrap_err();
        assert!(error.contains(said), "{error}");
    }
    for (name, text) in [
        ("wrangler.toml", "kv_namespaces = \u{1b}"),
        ("wrangler.toml", "kv_namespaces = 7"),
        ("wrangler.json", "{'kv_namespaces': []}"),
        ("wrangler.json", ""),
    ] {
        let error = look(name, text, "A", None).unwrap_err();
        assert!(error.starts_with("it is not a wrangler file: ") && !error.contains(['\n', '\u{1b}']), "{error:?}");
    }
    let path = look("wrangler.json", r#"{"kv_namespaces": [{"binding": "A", "id": "../x"}]}"#, "A", None).unwrap_err();
    assert!(path.starts_with("`id` \"../x\" cannot be an id"), "{path}");
}

#[test]
fn the_nearest_folder_wins_and_in_it_json_before_toml() {
    let top = tempfile::tempdir().unwrap();
    let inner = top.path().join("a/b");
    std::fs::create_dir_all(&inner).unwrap();
    std::fs::write(top.path().join("wrangler.json"), "{}").unwrap();
    assert_eq!(nearest(&inner).unwrap(), top.path().join("wrangler.json"));
    for name in ["a/wrangler.toml", "a/wrangler.jsonc", "a/wrangler.json"] {
        std::fs::write(top.path().join(name), "").unwrap();
        assert_eq!(nearest(&inner).unwrap(), top.path().join(name));
    }
}

#[test]
fn marks_and_line_endings_of_an_editor_do_not_matter() {
    let lookup = Lookup { binding: "KV", environment: None, preview: false };
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("wrangler.toml", "kv_namespaces = [{ binding = \"KV\", id = \"0f\" }]\n# the end"),
        ("wrangler.jsonc", "{ // KV\n\"kv_namespaces\": [{ \"binding\": \"KV\", \"id\": \"0f\" }]\n}\n"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("\u{feff}{}\r", text.replace('\n', "\r\n"))).unwrap();
        assert_eq!(bound(&path, lookup).unwrap(), found(None, "0f"), "{name}");
        std::fs::write(&path, b"\xff\xfe{\0}\0").unwrap();
        assert!(bound(&path, lookup).unwrap_err().to_string().contains("UTF-16"), "{name}");
    }
}
