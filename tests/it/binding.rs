//! A namespace that is named as a wrangler file names it.

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
    assert!(top.stderr.contains("no KV binding \"KV\"; there are none"), "{}", top.stderr);
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
