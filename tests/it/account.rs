//! A namespace is found by its title, an account's namespaces are listed, and credentials say what they are.

use kvsweep::sandbox::{Canned, Fault, Identity, SandboxOptions, When};
use serde_json::{Value, json};

use crate::lab::{ACCOUNT, Kvsweep, Lab, NAMESPACE, TOKEN};

/// So many namespaces beside the lab's own, whose title is `sessions`.
fn among(others: usize) -> SandboxOptions {
    let other = |number| (format!("{number:032x}"), format!("cache-{number}"));
    SandboxOptions {
        title: "sessions".to_owned(),
        other_namespaces: (0..others).map(other).collect(),
        ..SandboxOptions::default()
    }
}

fn whoami(lab: &Lab, args: &[&str]) -> Kvsweep {
    lab.kvsweep(["whoami"]).args(args)
}

/// The paths that were asked for, without what all have in common.
fn asked(lab: &Lab) -> Vec<String> {
    let path = |path: String| path.trim_start_matches("/client/v4").replace(ACCOUNT, "A").replace(NAMESPACE, "N");
    lab.server.request_log().into_iter().map(|entry| format!("{} {}", entry.method, path(entry.path))).collect()
}

#[test]
fn a_title_leads_to_the_namespace() {
    let lab = Lab::with(among(250));
    lab.keys(3);
    lab.server.preload(["bystander"]);
    // The environment's namespace is another one: the flag wins over it.
    let run = |args: &[&str]| lab.kvsweep(args).env("CLOUDFLARE_KV_NAMESPACE_ID", "another").run();
    let listed = run(&["list", "--namespace", "sessions", "--prefix", "by"]).code(0);
    assert_eq!(listed.stdout, "bystander\n");
    let before = lab.server.requests();
    let done = run(&["delete", "keys.txt", "--yes", "--report", "none", "--namespace", "sessions"]).code(0);
    assert!(done.stdout.contains(&format!("\nnamespace: sessions ({NAMESPACE})\n")), "{}", done.stdout);
    assert_eq!(lab.server.keys(), ["bystander"]);
    // Three pages, the namespace itself, three keys: all of them are in the summary.
    assert_eq!(lab.server.requests() - before, 7);
    assert!(done.stdout.contains("7 requests"), "{}", done.stdout);
    assert_eq!(lab.server.namespaces_deleted(), 0);
}

#[test]
fn a_title_that_nobody_has_stops_the_job_and_shows_what_is_alike() {
    let lab = Lab::with(among(3));
    lab.keys(1);
    let done = lab.delete(["keys.txt", "--namespace", "Sesions", "--json"]).run().code(7);
    assert_eq!(done.summary()["stopped"], "namespace_not_found");
    assert!(done.stderr.contains(&format!("did you mean \"sessions\" ({NAMESPACE})?")), "{}", done.stderr);
    assert!(done.stderr.contains("kvsweep namespaces"), "{}", done.stderr);
    let done = lab.kvsweep(["list", "--namespace", "nothing like it", "--output", "keys.txt2"]).run().code(7);
    assert!(done.stderr.contains("lists its 4 namespaces") && !lab.path("keys.txt2").exists(), "{}", done.stderr);
    assert!(lab.deletes().is_empty());
}

#[test]
fn a_title_that_several_have_is_refused_with_their_ids() {
    let options = SandboxOptions { other_namespaces: vec![("twin".into(), "sessions".into())], ..among(0) };
    let lab = Lab::with(options);
    lab.keys(1);
    for args in [&["delete", "keys.txt", "--yes"][..], &["list"], &["whoami"]] {
        let done = lab.kvsweep(args).args(["--namespace", "sessions"]).run().code(2);
        assert!(done.stderr.contains("twin") && done.stderr.contains(NAMESPACE), "{}", done.stderr);
    }
    assert!(lab.deletes().is_empty());
}

#[test]
fn ways_to_name_the_namespace_exclude_each_other_and_a_dry_run_needs_none() {
    let lab = Lab::new();
    lab.keys(1);
    for pair in [["--namespace-id", "x", "--namespace", "y"], ["--binding", "x", "--namespace", "y"]] {
        let done = lab.delete(["keys.txt"]).args(pair).run().code(2);
        assert!(done.stderr.contains("select the namespace"), "{}", done.stderr);
    }
    lab.delete(["keys.txt", "--dry-run", "--namespace", "sessions"]).run().code(0);
    assert_eq!(lab.server.requests(), 0);
}

#[test]
fn looking_a_title_up_waits_out_what_passes() {
    let lab = Lab::with(among(150));
    lab.keys(1);
    let throttled = Canned::error(429, 971, "slow down").with_header("retry-after", "1");
    lab.server.set_faults([
        Fault::new(When::Nth(1..=1), Canned::error(503, None, "busy").into()).everywhere(),
        Fault::new(When::Nth(3..=3), throttled.into()).everywhere(),
    ]);
    let done = lab.delete(["keys.txt", "--report", "none", "--json", "--namespace", "sessions"]).run().code(0);
    let summary = done.summary();
    assert_eq!((&summary["retries"], &summary["throttled"]), (&json!(2), &json!(1)), "{summary}");
    lab.server.set_faults([Fault::new(When::Probability(1.0), Canned::error(503, None, "busy").into()).everywhere()]);
    for command in ["list", "whoami"] {
        lab.kvsweep([command, "--namespace", "sessions", "--retries", "1"]).run().code(5);
    }
    lab.kvsweep(["namespaces", "--retries", "0"]).run().code(5);
    let done = lab.kvsweep(["namespaces", "--deadline", "1ms", "--retries", "100"]).run().code(5);
    assert!(done.stderr.contains("the --deadline passed"), "{}", done.stderr);
}

#[test]
fn a_list_of_namespaces_is_whole_or_no_list() {
    let page = |ids: std::ops::Range<u32>, info: &Value| {
        let result: Vec<_> = ids.map(|id| json!({"id": format!("id{id}"), "title": format!("title {id}")})).collect();
        let body = json!({"success": true, "errors": [], "messages": [], "result": result, "result_info": info});
        Canned::raw(200, body.to_string())
    };
    let (five, four, none) = (json!({"total_count": 5}), json!({"total_count": 4}), Value::Null);
    for (pages, code, lines) in [
        // One that was made meanwhile moves another to the next page, where it is seen again.
        (vec![page(0..3, &five), page(2..5, &five)], 0, 5),
        (vec![page(0..3, &five), page(3..4, &four)], 0, 4),
        (vec![page(0..3, &five), page(0..3, &five)], 5, 0),
        (vec![page(0..3, &five), page(0..0, &five)], 5, 0),
        (vec![page(0..3, &none), page(3..4, &none), page(0..0, &none)], 0, 4),
        (vec![page(0..2, &none), page(0..2, &none)], 0, 2),
    ] {
        let lab = Lab::new();
        let asked = pages.len() as u64;
        let fault = |(index, page): (u64, Canned)| Fault::new(When::Nth(index..=index), page.into()).everywhere();
        lab.server.set_faults((1..).zip(pages).map(fault));
        let done = lab.kvsweep(["namespaces"]).run().code(code);
        assert_eq!((done.stdout.lines().count(), lab.server.requests()), (lines, asked), "{}", done.stderr);
        assert_eq!(code == 5, done.stderr.contains("3 of 5 namespaces"), "{}", done.stderr);
    }
    // An id that would change a path is none.
    let lab = Lab::new();
    let evil = json!({"success": true, "result": [{"id": "../..", "title": "sessions"}]}).to_string();
    lab.server.set_faults([Fault::new(When::Probability(1.0), Canned::raw(200, evil).into()).everywhere()]);
    let done = lab.kvsweep(["list", "--namespace", "sessions"]).run().code(7);
    assert!(done.stderr.contains("the id contains"), "{}", done.stderr);
    assert_eq!(lab.server.requests(), 1);
}

#[test]
fn the_namespaces_of_an_account_are_listed() {
    let options = SandboxOptions { other_namespaces: vec![("odd".into(), "a\n\u{1b}[2J".into())], ..among(0) };
    let lab = Lab::with(options);
    let done = lab.kvsweep(["namespaces"]).run().code(0);
    assert_eq!(done.stdout, format!("odd  a\\n\\u{{1b}}[2J\n{NAMESPACE}  sessions\n"));
    let listed = lab.kvsweep(["namespaces", "--json"]).run().code(0).summary();
    let titles: Vec<_> = listed.as_array().expect("an array").iter().map(|namespace| &namespace["title"]).collect();
    assert_eq!(titles, ["a\n\u{1b}[2J", "sessions"]);
    assert_eq!(listed[1], json!({"id": NAMESPACE, "title": "sessions", "supports_url_encoding": true}));
    assert_eq!(asked(&lab)[0], "GET /accounts/A/storage/kv/namespaces");
    lab.kvsweep(["namespaces"]).without_env("CLOUDFLARE_ACCOUNT_ID").run().code(0);
    lab.kvsweep(["namespaces", "--account-id", "other"]).run().code(7);
    let done = lab.kvsweep(["namespaces"]).env("CLOUDFLARE_API_TOKEN", "wrong-token").run().code(7);
    assert!(done.stderr.contains("kvsweep whoami") && !done.stderr.contains("wrong-token"), "{}", done.stderr);
}

fn with_identity(identity: Identity) -> Lab {
    Lab::with(SandboxOptions { identity, ..among(2) })
}

#[test]
fn a_token_says_what_it_is_and_nothing_is_changed() {
    let lab = with_identity(Identity { expires_on: Some("2030-01-01T00:00:00Z".into()), ..Identity::default() });
    lab.server.preload(["keep"]);
    let done = whoami(&lab, &[]).run().code(0);
    for part in [
        "✓ token active: user token ",
        ", expires 2030-01-01T00:00:00Z\n",
        &format!("✓ account {ACCOUNT}: 3 namespaces\n"),
        &format!("✓ namespace sessions ({NAMESPACE})\n"),
        "? delete permission: unknown (the token cannot read its own policies)\n",
    ] {
        assert!(done.stdout.contains(part), "{part:?} in {}", done.stdout);
    }
    assert!(!done.stdout.contains(TOKEN) && !done.stderr.contains(TOKEN));
    let asked = asked(&lab);
    assert!(asked.iter().all(|call| call.starts_with("GET ")), "{asked:?}");
    assert_eq!(asked.len(), 4, "{asked:?}");
    // Without ids the token and its only account are looked at.
    let alone = whoami(&lab, &["--json"]).without_env("CLOUDFLARE_ACCOUNT_ID");
    let json = alone.without_env("CLOUDFLARE_KV_NAMESPACE_ID").run().code(0).summary();
    let account = json!({"id": ACCOUNT, "name": "sandbox", "namespaces": 3, "error": null});
    assert_eq!((&json["account"], &json["namespace"], &json["exit_code"]), (&account, &Value::Null, &json!(0)));
    assert_eq!((&json["credentials"], &json["token"]["policies"]), (&json!("user_token"), &Value::Null));
    let done = whoami(&lab, &[]).without_env("CLOUDFLARE_ACCOUNT_ID").run().code(0);
    assert!(done.stdout.contains(&format!("✓ account sandbox ({ACCOUNT}): 3 namespaces")), "{}", done.stdout);
}

#[test]
fn an_oauth_session_is_told_from_a_token_that_is_wrong() {
    let lab = with_identity(Identity { oauth: true, ..Identity::default() });
    for ids in [&[][..], &["CLOUDFLARE_ACCOUNT_ID"]] {
        let run = |args: &[&str]| ids.iter().fold(whoami(&lab, args), |run, id| run.without_env(id));
        let done = run(&[]).run().code(0);
        let lines: Vec<_> = done.stdout.lines().collect();
        assert_eq!(lines.len(), 4, "{}", done.stdout);
        assert_eq!(lines[0], "✓ token active: an OAuth session (wrangler login)");
        assert!(lines[1].starts_with("✓ account ") && lines[2].starts_with("✓ namespace "), "{}", done.stdout);
        assert_eq!(lines[3], "? delete permission: unknown (the token cannot read its own policies)");
        let json = run(&["--json"]).run().code(0).summary();
        assert_eq!((&json["credentials"], &json["token"]), (&json!("oauth_session"), &Value::Null));
    }
    // Nobody lists accounts for a token that is wrong.
    let done = whoami(&lab, &["--json"]).env("CLOUDFLARE_API_TOKEN", "wrong-token").run().code(7);
    assert_eq!(done.summary()["credentials"], Value::Null);
    assert!(done.stderr.contains("neither a user token") && !done.stderr.contains("wrong-token"), "{}", done.stderr);
}

#[test]
fn of_several_accounts_one_has_to_be_named() {
    let accounts = vec![(ACCOUNT.to_owned(), "Acme".to_owned()), ("0".repeat(32), "Be\u{1b}ta".to_owned())];
    let lab = Lab::with(SandboxOptions { accounts: Some(accounts), ..among(0) });
    lab.keys(3);
    let nameless = |args: &[&str]| lab.kvsweep(args).without_env("CLOUDFLARE_ACCOUNT_ID");
    for args in [
        &["delete", "keys.txt", "--yes"][..],
        &["delete", "--all", "--dry-run"],
        &["delete", "keys.txt", "--dry-run", "--check"],
        &["list"],
        &["namespaces"],
        &["whoami"],
    ] {
        let before = lab.server.requests();
        let done = nameless(args).run().code(2);
        for part in ["2 accounts", &format!("{ACCOUNT}  Acme\n"), "  Be\\u{1b}ta\n", "hint: pass --account-id ID"] {
            assert!(done.stderr.contains(part), "{args:?}: {part:?} in {}", done.stderr);
        }
        assert_eq!(lab.server.requests() - before, 1, "{args:?}");
    }
    // Without a namespace whoami only shows them.
    let done = nameless(&["whoami"]).without_env("CLOUDFLARE_KV_NAMESPACE_ID").run().code(0);
    assert!(done.stdout.contains(&format!("? account Acme ({ACCOUNT})\n")), "{}", done.stdout);
    let none = Lab::with(SandboxOptions { accounts: Some(Vec::new()), ..among(0) });
    none.keys(1);
    let done = none.delete(["keys.txt"]).without_env("CLOUDFLARE_ACCOUNT_ID").run().code(2);
    assert!(done.stderr.contains("can access no account"), "{}", done.stderr);
    assert!(lab.deletes().is_empty() && none.deletes().is_empty());
}

#[test]
fn the_only_account_of_a_token_need_not_be_named() {
    let accounts = Some(vec![(ACCOUNT.to_owned(), "Acme".to_owned())]);
    let lab = Lab::with(SandboxOptions { accounts, ..among(0) });
    lab.keys(4);
    let nameless = |args: &[&str]| lab.kvsweep(args).without_env("CLOUDFLARE_ACCOUNT_ID");
    nameless(&["namespaces"]).run().code(0);
    let before = lab.server.requests();
    let done = nameless(&["delete", "keys.txt", "--yes", "--only", "key:[01]", "--report", "r.csv"]).run().code(0);
    assert!(done.stdout.contains(&format!("\naccount: Acme ({ACCOUNT})\n")), "{}", done.stdout);
    assert_eq!((lab.server.requests() - before, lab.server.len()), (4, 2));
    // The report belongs to that account, however it is named next time.
    let file: Value = serde_json::from_str(&lab.read("r.csv.job.json")).expect("JSON");
    assert_eq!(file["account_id"], ACCOUNT);
    let resume = ["delete", "keys.txt", "--yes", "--only", "key:[01]", "--report", "r.csv", "--resume"];
    nameless(&resume).run().code(0);
    lab.kvsweep(resume).run().code(0);
    let done = lab.kvsweep(resume).env("CLOUDFLARE_ACCOUNT_ID", "0".repeat(32)).run().code(2);
    assert!(done.stderr.contains("account"), "{}", done.stderr);
    // The question names it.
    let asked = nameless(&["delete", "keys.txt", "--report", "none"]).on_terminal().stdin("n\n").run();
    assert!(asked.stdout.contains(&format!("Acme ({ACCOUNT})")), "{}", asked.stdout);
    assert_eq!(lab.server.len(), 2);
    // Who may not ask for accounts has to name it.
    let denied = Fault::new(When::Nth(1..=1), Canned::error(403, 9_109, "Unauthorized").into()).everywhere();
    lab.server.set_faults([denied]);
    nameless(&["delete", "keys.txt", "--yes"]).run().code(7);
}

#[test]
fn an_id_of_another_shape_is_the_first_suspect() {
    let gateway = Canned::error(405, 10_000, "Method not allowed for this authentication scheme");
    let lab = Lab::with(SandboxOptions {
        faults: vec![Fault::new(When::Probability(1.0), gateway.into()).everywhere()],
        ..among(0)
    });
    lab.keys(1);
    let short = &NAMESPACE[1..];
    let warned = format!("warning: the namespace id {short} is not 32 hexadecimal digits");
    for args in [&["delete", "keys.txt", "--yes"][..], &["list"], &["restore", "b.ndjson", "--yes"]] {
        lab.write("b.ndjson", "{\"key\":\"a\",\"value\":\"\"}\n");
        let done = lab.kvsweep(args).args(["--namespace-id", short]).run().code(7);
        assert!(done.stderr.contains(&warned), "{args:?}: {}", done.stderr);
        if args[0] != "list" {
            let blamed = format!("\nhint: check the namespace id {short} first: it is not 32 hexadecimal digits\n");
            assert!(done.stderr.contains(&blamed), "{args:?}: {}", done.stderr);
        }
        let usual = lab.kvsweep(args).run().code(7);
        assert!(!usual.stderr.contains("hexadecimal"), "{}", usual.stderr);
    }
    for args in [&["namespaces"][..], &["list", "--namespace", "sessions"]] {
        let done = lab.kvsweep(args).args(["--account-id", "acc"]).run().code(7);
        for part in ["the account id acc is not 32 hexadecimal", "hint: check the account id acc first"] {
            assert!(done.stderr.contains(part), "{}", done.stderr);
        }
    }
    let done = lab.kvsweep(["whoami", "--account-id", "acc"]).run().code(7);
    assert!(done.stderr.contains("the account id acc is not"), "{}", done.stderr);
    // What works is not blamed.
    lab.server.set_faults([]);
    let any = Lab::with(SandboxOptions { other_namespaces: vec![("twin".into(), "twin".into())], ..among(0) });
    let done = any.kvsweep(["whoami", "--namespace-id", "twin"]).run().code(0);
    assert_eq!(done.stderr.matches("hexadecimal").count(), 1, "{}", done.stderr);
}

/// Nothing more is known then, and that is no reason to ask again.
#[test]
fn a_token_whose_policies_come_back_empty_is_valid_and_its_permission_unknown() {
    let lab = with_identity(Identity::default());
    let empty = Canned::raw(200, json!({"success": true, "errors": [], "messages": [], "result": {}}).to_string());
    lab.server.set_faults([Fault::new(When::Nth(2..=2), empty.into()).everywhere()]);
    let done = whoami(&lab, &["--json"]).run().code(0);
    let json = done.summary();
    assert_eq!((&json["token"]["status"], &json["token"]["policies"]), (&json!("active"), &Value::Null));
    assert_eq!(lab.server.requests(), 4, "{}", done.stderr);
    lab.server.set_faults([]);
    assert!(whoami(&lab, &[]).run().code(0).stdout.contains("? delete permission: unknown"));
}

#[test]
fn single_calls_are_logged_as_those_of_a_job_are() {
    let lab = with_identity(Identity::default());
    let busy = Canned::error(503, None, "busy").with_header("cf-ray", "0123456789abcdef-LHR");
    for (args, path, start) in [
        (
            &["namespaces"][..],
            format!("/accounts/{ACCOUNT}/storage/kv/namespaces"),
            format!("namespaces of account {ACCOUNT}"),
        ),
        (
            &["whoami"],
            "/user/tokens/verify".to_owned(),
            format!("checking the credentials at {}", lab.server.base_url()),
        ),
    ] {
        let run = |level: &[&str]| {
            lab.server.set_faults([Fault::new(When::Nth(1..=1), busy.clone().into()).everywhere()]);
            lab.kvsweep(args).args(level).run().code(0).stderr
        };
        let plain = run(&[]);
        assert!(plain.lines().count() == 1 && plain.contains("trying again for up to"), "{plain}");
        let verbose = run(&["-v"]);
        assert!(verbose.contains(&start) && verbose.contains("trying again") && !verbose.contains("GET"), "{verbose}");
        for level in ["-vv", "-vvv"] {
            let log = run(&[level]);
            let line = format!("GET /client/v4{path}: HTTP 503 in ");
            let line = log.lines().find(|text| text.contains(&line)).unwrap_or_else(|| panic!("{log}"));
            assert!(line.contains(" ms, cf-ray 0123456789abcdef-LHR"), "{line}");
            assert!(log.lines().filter(|line| line.contains("kvsweep::api::http: GET ")).count() > 1, "{log}");
            assert!(log.contains(&start) && !log.contains(TOKEN), "{log}");
            assert_eq!(level == "-vvv", log.contains("hyper_util"), "{log}");
        }
    }
}

#[test]
fn a_token_of_an_account_is_verified_there_and_shows_its_policies() {
    let permissions = vec!["Workers KV Storage Read".to_owned(), "Workers KV Storage Write".to_owned()];
    let lab = with_identity(Identity {
        owned_by_account: true,
        permissions: Some(permissions.clone()),
        ..Identity::default()
    });
    let done = whoami(&lab, &["--namespace", "sessions"]).run().code(0);
    assert!(done.stdout.contains("✓ token active: account token "), "{}", done.stdout);
    assert!(
        done.stdout.contains("✓ delete permission: the policies include Workers KV Storage Write"),
        "{}",
        done.stdout
    );
    let json = whoami(&lab, &["--json"]).run().code(0).summary();
    assert_eq!(json["token"]["policies"][0]["permission_groups"], json!(permissions));
    assert_eq!(json["namespace"], json!({"id": NAMESPACE, "title": "sessions", "error": null}));
    let lonely =
        || whoami(&lab, &["--json"]).without_env("CLOUDFLARE_ACCOUNT_ID").without_env("CLOUDFLARE_KV_NAMESPACE_ID");
    assert_eq!(lonely().run().code(0).summary()["credentials"], "account_token");
    let denied = Fault::new(When::Nth(1..=1), Canned::error(403, 9_109, "Unauthorized").into()).everywhere();
    lab.server.set_faults([
        denied.clone(),
        Fault::new(When::Nth(3..=3), Canned::error(403, 9_109, "no").into()).everywhere(),
    ]);
    let done = lonely().run().code(7);
    assert!(done.stderr.contains("Invalid API Token") && done.stderr.contains("--account-id"), "{}", done.stderr);
    // A token that may not list accounts says so of its namespace.
    let lab = with_identity(Identity::default());
    lab.server.set_faults([denied]);
    let done = whoami(&lab, &[]).without_env("CLOUDFLARE_ACCOUNT_ID").run().code(7);
    assert!(done.stdout.contains("✓ token active") && done.stdout.contains("no account: "), "{}", done.stdout);
    let reading = Identity { permissions: Some(vec!["Workers KV Storage Read".into()]), ..Identity::default() };
    let done = whoami(&with_identity(reading), &[]).run().code(0);
    assert!(done.stdout.contains("✗ delete permission: the policies do not include"), "{}", done.stdout);
}

#[test]
fn what_is_refused_is_said_with_7() {
    let lab = with_identity(Identity { status: "expired".to_owned(), ..Identity::default() });
    assert!(whoami(&lab, &[]).run().code(7).stdout.contains("✗ token expired: "));
    let lab = with_identity(Identity::default());
    whoami(&lab, &[]).env("CLOUDFLARE_API_TOKEN", "wrong-token").run().code(7);
    let json = whoami(&lab, &["--json", "--namespace-id", "other"]).run().code(7).summary();
    assert_eq!(json["exit_code"], 7);
    assert!(json["namespace"]["error"].as_str().expect("a reason").contains("10013"), "{json}");
    let json = whoami(&lab, &["--json", "--account-id", "other", "--namespace", "sessions"]).run().code(7).summary();
    assert!(json["account"]["error"].is_string() && json["namespace"]["error"].is_string(), "{json}");
    let done = whoami(&lab, &["--namespace", "sesion"]).run().code(7);
    for part in ["error: 1 of 4 checks failed\n", "hint: did you mean \"sessions\""] {
        assert!(done.stderr.contains(part), "{}", done.stderr);
    }
}

#[test]
fn a_global_key_says_whose_it_is() {
    let lab = with_identity(Identity::default());
    let with_key = |email: &str| {
        let run = whoami(&lab, &["--json"]).without_env("CLOUDFLARE_API_TOKEN");
        run.env("CLOUDFLARE_EMAIL", email).env("CLOUDFLARE_API_KEY", TOKEN)
    };
    let json = with_key("me@example.com").run().code(0).summary();
    assert_eq!((&json["credentials"], &json["user"]["email"]), (&json!("global_key"), &json!("me@example.com")));
    assert_eq!((&json["token"], &json["account"]["namespaces"]), (&Value::Null, &json!(3)));
}
