//! A namespace that is named as a wrangler file names it.

use kvsweep::sandbox::SandboxOptions;

use crate::lab::{ACCOUNT, Lab, NAMESPACE};

#[test]
fn a_binding_of_a_folder_above_names_account_and_namespace() {
    let lab = Lab::new();
    lab.keys(3);
    lab.server.preload(["bystander"]);
    let staging = format!("[env.staging]\nkv_namespaces = [{{ binding = \"KV\", id = \"{NAMESPACE}\" }}]\n");
    lab.write("wrangler.toml", format!("account_id = \"{ACCOUNT}\"\n{staging}"));
    std::fs::create_dir(lab.path("inner")).expect("a folder");
    let run = |args: &[&str]| {
        let mut run = lab.delete(["../keys.txt", "--report", "none", "--binding", "KV"]).args(args);
        run.command().current_dir(lab.path("inner"));
        // The environment's namespace is another one: the flag wins over it.
        run.without_env("CLOUDFLARE_ACCOUNT_ID").env("CLOUDFLARE_KV_NAMESPACE_ID", "another")
    };
    let top = run(&[]).run().code(2);
    assert!(top.stderr.contains("no KV binding \"KV\"; it has none"), "{}", top.stderr);
    assert_eq!(lab.server.requests(), 0, "nothing was sent");
    // CLOUDFLARE_ENV chooses as it does for wrangler, and --env wins over it.
    run(&["--env", "staging"]).env("CLOUDFLARE_ENV", "other").run().code(0);
    assert_eq!(lab.server.keys(), ["bystander"]);
    run(&[]).env("CLOUDFLARE_ENV", "staging").run().code(0);
}

#[test]
fn without_a_wrangler_file_nothing_is_sent() {
    let lab = Lab::new();
    lab.keys(1);
    let done = lab.delete(["keys.txt", "--binding", "KV"]).run().code(2);
    assert!(done.stderr.contains("wrangler.toml") && lab.server.requests() == 0, "{}", done.stderr);
}

#[test]
fn two_bindings_of_one_name_are_no_guess() {
    let deployed = |id: &str| ("shop".to_owned(), "KV".to_owned(), id.to_owned());
    let workers = vec![deployed(NAMESPACE), deployed("0123456789abcdef0123456789abcdef")];
    let lab = Lab::with(SandboxOptions { workers, ..SandboxOptions::default() });
    lab.keys(3);
    lab.write("wrangler.jsonc", r#"{"name": "shop", "kv_namespaces": [{"binding": "KV"}]}"#);
    let run = lab.kvsweep(["delete", "keys.txt", "--yes", "--binding", "KV"]);
    let done = run.without_env("CLOUDFLARE_KV_NAMESPACE_ID").run().code(7);
    assert!(done.stderr.contains("has 2 KV bindings \"KV\""), "{}", done.stderr);
    assert_eq!(lab.deletes().len(), 0);
}

#[test]
fn a_binding_without_an_id_is_that_of_the_deployed_worker() {
    let deployed = |worker: &str, binding: &str| (worker.to_owned(), binding.to_owned(), NAMESPACE.to_owned());
    let workers = vec![deployed("shop", "KV"), deployed("shop-staging", "KV"), deployed("own", "OTHER")];
    let lab = Lab::with(SandboxOptions { workers, ..SandboxOptions::default() });
    lab.keys(3);
    lab.write(
        "wrangler.jsonc",
        r#"{"name": "shop", "kv_namespaces": [{"binding": "KV"}], "env": {
            "staging": {"kv_namespaces": [{"binding": "KV"}]},
            "own": {"name": "own", "kv_namespaces": [{"binding": "KV"}]},
            "gone": {"kv_namespaces": [{"binding": "KV"}]}}}"#,
    );
    let run = |args: &[&str]| lab.kvsweep(args).without_env("CLOUDFLARE_KV_NAMESPACE_ID");
    let listed = run(&["list", "--binding", "KV", "-v"]).run().code(0);
    assert!(listed.stdout.starts_with("key:0\n") && listed.stderr.contains("Worker shop"), "{}", listed.stderr);
    let done = run(&["delete", "keys.txt", "--yes", "--report", "r.csv", "--binding", "KV", "--env", "staging"]);
    let done = done.without_env("CLOUDFLARE_ACCOUNT_ID").run().code(0);
    assert!(done.stdout.contains(&format!("namespace: sandbox ({NAMESPACE})")), "{}", done.stdout);
    let paths: Vec<_> = lab.server.request_log().into_iter().map(|entry| entry.path).collect();
    for worker in ["shop", "shop-staging"] {
        assert!(
            paths.contains(&format!("/client/v4/accounts/{ACCOUNT}/workers/scripts/{worker}/settings")),
            "{paths:?}"
        );
    }
    // An id is taken as it is: nobody is asked.
    let before = lab.server.requests();
    run(&["delete", "keys.txt", "--dry-run", "--binding", "KV"]).run().code(0);
    assert_eq!(lab.server.requests(), before);
    for (environment, why) in [("own", "has no KV binding \"KV\" (it has OTHER)"), ("gone", "code 10007")] {
        let done = run(&["delete", "keys.txt", "--yes", "--binding", "KV", "--env", environment]).run().code(7);
        assert!(done.stderr.contains(why), "{}", done.stderr);
    }
    run(&["whoami", "--binding", "KV"]).run().code(0);
}

#[test]
fn a_preview_namespace_is_asked_for() {
    let lab = Lab::new();
    let file = |members: &str| {
        lab.write("wrangler.toml", format!("kv_namespaces = [{{ binding = \"KV\", {members} }}]\n"));
    };
    let list = |args: &[&str]| lab.kvsweep(["list"]).args(args).without_env("CLOUDFLARE_KV_NAMESPACE_ID");
    file(&format!("id = \"other\", preview_id = \"{NAMESPACE}\""));
    list(&["--binding", "KV", "--preview"]).run().code(0);
    list(&["--binding", "KV"]).run().code(7);
    file(&format!("id = \"{NAMESPACE}\""));
    let done = list(&["--binding", "KV", "--preview"]).run().code(2);
    assert!(done.stderr.contains("has no `preview_id`"), "{}", done.stderr);
    let done = lab.kvsweep(["list", "--preview"]).run().code(2);
    assert!(done.stderr.contains("--preview needs --binding"), "{}", done.stderr);
}

#[test]
fn a_configuration_that_is_a_program_is_named_and_not_evaluated() {
    let lab = Lab::new();
    std::fs::create_dir(lab.path("inner")).expect("a folder");
    lab.write("wrangler.toml", format!("kv_namespaces = [{{ binding = \"KV\", id = \"{NAMESPACE}\" }}]\n"));
    lab.write("inner/cloudflare.config.ts", "export default {}");
    let mut run = lab.kvsweep(["list", "--binding", "KV"]);
    run.command().current_dir(lab.path("inner"));
    let done = run.run().code(2);
    assert!(done.stderr.contains("inner/cloudflare.config.ts is not evaluated"), "{}", done.stderr);
    assert_eq!(lab.server.requests(), 0, "what is above belongs to something else");
    // Beside a file that can be read it is only mentioned if the binding is not there.
    lab.write("cloudflare.config.ts", "export default {}");
    lab.kvsweep(["list", "--binding", "KV"]).run().code(0);
    let done = lab.kvsweep(["list", "--binding", "SESSIONS"]).run().code(2);
    assert!(done.stderr.contains("no KV binding") && done.stderr.contains("is not evaluated"), "{}", done.stderr);
}
