//! Profiles of `kvsweep.toml`: which value wins, what no flag lifts, and what is never shown.

use std::path::Path;

use kvsweep::sandbox::{Sandbox, SandboxOptions};
use serde_json::Value;

use crate::lab::{ACCOUNT, Kvsweep, Lab, NAMESPACE, TOKEN, complete};

/// A run that knows neither ids nor credentials nor the address but by a profile.
fn bare<'a>(lab: &Lab, args: impl IntoIterator<Item = &'a str>) -> Kvsweep {
    lab.kvsweep(args)
        .without_env("CLOUDFLARE_API_TOKEN")
        .without_env("CLOUDFLARE_ACCOUNT_ID")
        .without_env("CLOUDFLARE_KV_NAMESPACE_ID")
        .without_env("CLOUDFLARE_API_BASE_URL")
}

/// A profile `prod` with all that a job needs, and `more`.
fn with_profile(lab: &Lab, more: &str) {
    lab.write("token", TOKEN);
    let base_url = lab.server.base_url();
    let text = format!(
        "[profile.prod]\naccount-id = \"{ACCOUNT}\"\nnamespace-id = \"{NAMESPACE}\"\nbase-url = \"{base_url}\"\n\
         api-token-file = \"token\"\nrate = \"none\"\n{more}"
    );
    lab.write("k.toml", text);
}

/// What `config show` says of a setting: values, source and from where.
fn shown(run: Kvsweep, name: &str) -> (Vec<String>, String, String) {
    let done = run.args(["--json"]).run().code(0);
    let json: Value = serde_json::from_str(&done.stdout).expect("JSON");
    let settings = json["settings"].as_array().expect("settings");
    let setting = settings.iter().find(|setting| setting["name"] == name).unwrap_or_else(|| panic!("no {name}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let values = setting["values"].as_array().expect("values").iter().map(text).collect();
    (values, text(&setting["source"]), text(&setting["from"]))
}

#[test]
fn a_profile_alone_is_enough_for_a_job() {
    let lab = Lab::new();
    lab.keys(5);
    lab.server.preload(["bystander"]);
    with_profile(&lab, "report = \"reports/{profile}/{date}.csv\"\nfailures = \"failed/{date}-{time}.csv\"\n");
    let done = bare(&lab, ["delete", "keys.txt", "--yes", "--config", "k.toml", "--profile", "prod"]).run().code(0);
    assert_eq!(lab.server.keys(), ["bystander"]);
    assert!(done.stdout.contains("profile: prod (") && done.stdout.contains("k.toml)"), "{}", done.stdout);
    let reports: Vec<_> = std::fs::read_dir(lab.path("reports/prod")).expect("a folder that was made").collect();
    let mut reports = reports.into_iter().map(|report| report.expect("a file").path());
    let report = reports.find(|path| path.extension().is_some_and(|extension| extension == "csv")).expect("a report");
    assert_eq!(report.file_name().map(std::ffi::OsStr::len), Some("2026-11-24.csv".len()), "{report:?}");
    let rows = complete(&std::fs::read(&report).expect("the report"), true);
    assert_eq!(rows.lines().count(), 6, "{rows}");
    assert!(lab.path("failed").is_dir());
    // The same again is another run of the same day, and its report is in the way.
    bare(&lab, ["delete", "keys.txt", "--yes", "--config", "k.toml", "--profile", "prod"]).run().code(2);
}

#[test]
fn nothing_is_made_before_a_job_is_agreed_to() {
    let lab = Lab::new();
    lab.keys(1);
    with_profile(&lab, "report = \"reports/{date}.csv\"\n");
    bare(&lab, ["delete", "keys.txt", "--config", "k.toml", "--profile", "prod"]).run().code(2);
    let dry = ["delete", "keys.txt", "--dry-run", "--config", "k.toml", "--profile", "prod"];
    let done = bare(&lab, dry).run().code(0);
    assert!(done.stdout.contains("profile: prod"), "{}", done.stdout);
    assert!(!lab.path("reports").exists());
    assert!(lab.deletes().is_empty());
    // A folder that a flag names has to be there: it may be a mistake.
    let flag = ["--report", "nowhere/r.csv", "--yes", "--config", "k.toml", "--profile", "prod"];
    let done = bare(&lab, ["delete", "keys.txt"]).args(flag).run().code(2);
    assert!(done.stderr.contains("the folder nowhere does not exist"), "{}", done.stderr);
}

#[test]
fn flag_environment_profile_and_default_in_that_order() {
    let lab = Lab::new();
    lab.write(
        "k.toml",
        "[profile.p]\nrate = ['7/1s', '70/1m']\nretries = 3\ntimeout = '4s'\nconcurrency = 5\nbulk = true\n\
         log-format = 'json'\nmax-failures = '5%'\nsync = 'never'\n",
    );
    let show = |with: &[&str], flag: &[&str], variable: Option<(&str, &str)>| {
        let run = Kvsweep::new(assert_cmd::cargo::cargo_bin("kvsweep"), lab.folder());
        let run = run.args(["config", "show"]).args(with).args(flag);
        match variable {
            Some((name, value)) => run.env(name, value),
            None => run,
        }
    };
    let profile = ["--config", "k.toml", "--profile", "p"];
    for (name, variable, flag, variable_value, profile_value, line, default) in [
        ("rate", "KVSWEEP_RATE", "9/1s", "8/1s", &["7/1s", "70/1m"][..], 2, &["1200/5m", "200/1s"][..]),
        ("retries", "KVSWEEP_RETRIES", "9", "8", &["3"], 3, &["8"]),
        ("timeout", "KVSWEEP_TIMEOUT", "9s", "8s", &["4s"], 4, &["30s"]),
        ("concurrency", "KVSWEEP_CONCURRENCY", "9", "8", &["5"], 5, &["32"]),
        ("max-failures", "KVSWEEP_MAX_FAILURES", "9", "none", &["5%"], 8, &["50%"]),
        ("sync", "KVSWEEP_SYNC", "1s", "always", &["never"], 9, &["1s"]),
        ("log-format", "KVSWEEP_LOG_FORMAT", "text", "json", &["json"], 7, &["text"]),
    ] {
        let said = format!("--{name}={flag}");
        let (flags, environment) = (&[said.as_str()][..], Some((variable, variable_value)));
        let of = |with: &[&str], flags: &[&str], environment| shown(show(with, flags, environment), name);
        let (values, source, from) = of(&profile, flags, environment);
        assert_eq!((values, source.as_str(), from), (vec![flag.to_owned()], "flag", format!("--{name}")));
        let (values, source, from) = of(&profile, &[], environment);
        assert_eq!(
            (values, source.as_str(), from.as_str()),
            (vec![variable_value.to_owned()], "environment", variable)
        );
        let (values, source, from) = of(&profile, &[], None);
        assert_eq!((values, source.as_str()), (profile_value.iter().map(ToString::to_string).collect(), "profile"));
        assert!(from.ends_with(&format!("/k.toml:{line}:1")), "{from}");
        let (values, source, from) = of(&[], &[], None);
        assert_eq!((values, source.as_str()), (default.iter().map(ToString::to_string).collect(), "default"), "{name}");
        assert_eq!(from, "");
    }
    let bulk = |flags: &[&str], environment| shown(show(&profile, flags, environment), "bulk");
    assert_eq!(bulk(&[], None).0, ["true"]);
    assert_eq!(bulk(&["--no-bulk"], None).1, "flag");
    assert_eq!(shown(show(&[], &[], None), "bulk").0, ["false"]);
    assert_eq!(bulk(&[], Some(("KVSWEEP_BULK", "false"))).0, ["false"]);
    assert_eq!(bulk(&[], Some(("KVSWEEP_BULK", ""))).1, "profile", "an empty variable counts as unset");
    assert_eq!(bulk(&["--no-bulk"], Some(("KVSWEEP_BULK", "7"))).0, ["false"]);
    assert_eq!(bulk(&["--no-bulk", "--bulk=3"], Some(("KVSWEEP_BULK", "7"))).0, ["3"]);
}

#[test]
fn a_variable_can_only_make_a_job_safer_or_is_named() {
    let lab = Lab::new();
    lab.keys(3);
    let run = |name: &str, value: &str| lab.delete(["keys.txt", "--report", "none"]).env(name, value).run();
    for value in ["true", "1", "yes"] {
        let done = run("KVSWEEP_DRY_RUN", value).code(0);
        assert!(done.stdout.starts_with("would delete 3 keys"), "{}", done.stdout);
    }
    run("KVSWEEP_DRY_RUN", "perhaps").code(2);
    assert_eq!(lab.server.keys().len(), 3);
    let refused = lab.delete(["keys.txt", "--report", "r.csv", "--resume"]).env("KVSWEEP_DRY_RUN", "1").run().code(2);
    assert!(refused.stderr.contains("--dry-run"), "{}", refused.stderr);
    let done = lab.delete(["keys.txt", "--report", "r.csv", "--resume"]).env("KVSWEEP_DRY_RUN", "no").run().code(0);
    assert!(!done.stderr.contains("KVSWEEP"), "{}", done.stderr);
    let done = run("KVSWEEP_PROTECTED", "a*").code(0);
    assert!(
        done.stderr.contains("warning: KVSWEEP_PROTECTED is set, but no flag has this variable"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_job_keeps_what_its_values_say() {
    let lab = Lab::new();
    lab.keys(6);
    with_profile(&lab, "max-keys = 5\nreport = 'none'\n");
    let run = |args: &[&str]| {
        bare(&lab, ["delete", "keys.txt", "--yes"])
            .args(args)
            .env("KVSWEEP_PROFILE", "prod")
            .env("KVSWEEP_CONFIG", "k.toml")
    };
    let done = run(&[]).run().code(8);
    assert!(done.stderr.contains("--max-keys 5"), "{}", done.stderr);
    assert!(lab.deletes().is_empty());
    run(&[]).env("KVSWEEP_MAX_KEYS", "4").run().code(8);
    run(&["--max-keys", "6"]).env("KVSWEEP_MAX_KEYS", "4").run().code(0);
    assert_eq!(lab.deletes().len(), 6);
}

#[test]
fn what_a_profile_protects_no_flag_lifts() {
    let lab = Lab::new();
    let keys = ["config:a", "session:1", "session:keep", "listed", "other"];
    lab.write("keys.txt", keys.join("\n"));
    lab.server.preload(keys);
    lab.write("listed.txt", "# by name\nlisted\n");
    with_profile(
        &lab,
        "protect = 'config:*'\nprotect-from = 'listed.txt'\nonly = ['session:*', 'listed', 'config:*']\n",
    );
    let run = |args: &[&str], report: &str| {
        lab.write("none.txt", "nothing-of-this-name\n");
        bare(&lab, ["delete", "--yes", "--config", "k.toml", "--profile", "prod", "--report", report]).args(args)
    };
    let lifting = ["keys.txt", "--only", "*", "--protect", "*:keep", "--protect-from", "none.txt"];
    run(&lifting, "one.csv").env("KVSWEEP_PROTECT_FROM", "none.txt").run().code(0);
    assert_eq!(lab.server.keys(), ["config:a", "listed", "other", "session:keep"]);
    let rows = lab.rows("one.csv");
    let why = |key: &str| rows.iter().find(|row| row.key == key).map(|row| row.error.as_str());
    assert_eq!(why("config:a"), Some("matches protect config:* of the profile prod"));
    let listed = format!("matches listed of protect-from {} of the profile prod", lab.path("listed.txt").display());
    assert_eq!(why("listed"), Some(listed.as_str()));
    assert_eq!(why("other"), Some("matches no only of the profile prod"));
    assert_eq!(why("session:keep"), Some("matches --protect *:keep"));
    // Nor where the keys are listed.
    run(&["--prefix", "config:"], "two.csv").run().code(0);
    assert_eq!(lab.server.keys().len(), 4);
    let done = run(&[&lifting[..], &["--allow-protected"]].concat(), "three.csv").run().code(0);
    assert!(done.stderr.contains("keys that the profile prod protects may be deleted"), "{}", done.stderr);
    assert_eq!(lab.server.keys(), ["other", "session:keep"], "protect of the flags and only of the profile still hold");
    // There is nothing to lift where nothing is protected.
    with_profile(&lab, "only = 'session:*'\n");
    let done = run(&["keys.txt", "--allow-protected"], "four.csv").run().code(0);
    assert!(!done.stderr.contains("may be deleted"), "{}", done.stderr);
    assert_eq!(lab.server.keys(), ["other"]);
}

#[test]
fn what_protects_and_cannot_be_read_stops_the_job() {
    let lab = Lab::new();
    lab.keys(1);
    with_profile(&lab, "protect-from = 'gone.txt'\n");
    let args = ["delete", "keys.txt", "--yes", "--config", "k.toml", "--profile", "prod"];
    let done = bare(&lab, args).run().code(2);
    assert!(
        done.stderr.contains("protect-from of the profile prod") && done.stderr.contains("gone.txt"),
        "{}",
        done.stderr
    );
    assert_eq!(lab.server.requests(), 0);
}

#[test]
fn no_secret_is_ever_shown() {
    let lab = Lab::new();
    lab.keys(1);
    with_profile(&lab, "");
    let secrets =
        [("CLOUDFLARE_API_TOKEN", TOKEN), ("CLOUDFLARE_EMAIL", "me@example.com"), ("CLOUDFLARE_API_KEY", "k3y")];
    for json in [&[][..], &["--json"]] {
        let run = bare(&lab, ["config", "show", "--config", "k.toml", "--profile", "prod", "-vvv"]).args(json);
        let done = secrets.iter().fold(run, |run, (name, value)| run.env(name, value)).run().code(0);
        for (name, value) in secrets {
            assert!(!done.stdout.contains(value) && !done.stderr.contains(value), "{name}");
            assert!(done.stdout.contains(name));
        }
        assert!(done.stdout.contains("(set)"), "{}", done.stdout);
        assert!(done.stderr.contains("CLOUDFLARE_API_TOKEN is set and overrides api-token-file"), "{}", done.stderr);
    }
    lab.write("k.toml", format!("[profile.prod]\napi-token = \"{TOKEN}\"\n"));
    for args in [&["delete", "keys.txt", "--yes"][..], &["config", "show"], &["whoami"]] {
        let done = bare(&lab, args.iter().copied()).args(["--config", "k.toml", "--profile", "prod"]).run().code(2);
        assert!(done.stderr.contains("k.toml:2:1: api-token: secrets are not allowed in this file"), "{}", done.stderr);
        assert!(!done.stderr.contains(TOKEN));
    }
    assert_eq!(lab.server.requests(), 0);
}

#[test]
fn the_environment_that_wins_over_the_target_of_a_profile_is_named() {
    let lab = Lab::new();
    lab.keys(1);
    lab.write("k.toml", "[profile.p]\naccount-id = 'another'\nnamespace = 'sessions'\n");
    let args = ["keys.txt", "--config", "k.toml", "--profile", "p"];
    let done = lab.delete(args).run().code(0);
    for said in
        ["CLOUDFLARE_ACCOUNT_ID is set and overrides account-id", "_NAMESPACE_ID is set and overrides namespace"]
    {
        assert!(done.stderr.contains(said), "{said}: {}", done.stderr);
    }
    lab.write("k.toml", format!("[profile.p]\naccount-id = '{ACCOUNT}'\nnamespace-id = '{NAMESPACE}'\n"));
    let done = lab.delete(args).args(["--report", "none"]).run().code(0);
    assert!(!done.stderr.contains("overrides"), "they say the same: {}", done.stderr);
}

#[test]
fn a_file_of_a_folder_waits_to_be_asked() {
    let lab = Lab::new();
    lab.keys(1);
    lab.write("kvsweep.toml", "[profile.p]\nnamespace = 'sessions'\nretries = 3\n");
    let retries = |args: &[&str]| shown(lab.kvsweep(["config", "show"]).args(args), "retries");
    assert_eq!(retries(&[]).1, "default");
    assert_eq!(retries(&["--profile", "p"]).1, "profile");
    assert_eq!(retries(&["--profile", "none"]).1, "default");
    let named = lab.kvsweep(["config", "show"]).env("KVSWEEP_PROFILE", "p");
    assert_eq!(shown(named, "retries").1, "profile");
    let done = lab.kvsweep(["delete", "keys.txt", "--yes", "--profile", "q"]).run().code(2);
    assert!(done.stderr.contains("no profile q in ") && done.stderr.contains("known are p"), "{}", done.stderr);
    // One that would send the token elsewhere is not used.
    lab.write("kvsweep.toml", "[profile.p]\nbase-url = 'https://example.com'\n");
    let done = lab.kvsweep(["whoami", "--profile", "p"]).run().code(2);
    assert!(
        done.stderr.contains("kvsweep.toml:2:1: base-url is not allowed in a file found in a folder"),
        "{}",
        done.stderr
    );
    assert_eq!(lab.server.requests(), 0);
}

#[test]
fn ones_own_file_is_that_of_the_xdg_folder() {
    let lab = Lab::new();
    std::fs::create_dir_all(lab.path("home/.config/kvsweep")).expect("a folder");
    std::fs::create_dir_all(lab.path("xdg/kvsweep")).expect("a folder");
    lab.write("home/.config/kvsweep/kvsweep.toml", "default-profile = 'h'\n[profile.h]\nretries = 1\n");
    lab.write("xdg/kvsweep/kvsweep.toml", "default-profile = 'x'\n[profile.x]\nretries = 2\n");
    let (home, xdg) = (lab.path("home"), lab.path("xdg"));
    let show = || lab.kvsweep(["config", "show"]).env("HOME", &home);
    assert_eq!(shown(show(), "retries").0, ["1"]);
    assert_eq!(shown(show().env("XDG_CONFIG_HOME", &xdg), "retries").0, ["2"]);
    assert_eq!(shown(show().env("XDG_CONFIG_HOME", "xdg"), "retries").0, ["1"], "a relative one counts as unset");
    assert_eq!(shown(show().args(["--config", "none"]), "retries").1, "default");
    let done = lab.kvsweep(["config", "path"]).env("HOME", &home).run().code(0);
    let lines: Vec<&str> = done.stdout.lines().collect();
    assert!(lines[0].ends_with("kvsweep.toml  is not there"), "{}", done.stdout);
    assert!(lines[1].ends_with("home/.config/kvsweep/kvsweep.toml  has h; default h"), "{}", done.stdout);
    let text = show().run().code(0).stdout;
    assert!(text.starts_with("profile h of /") && text.contains("profile kvsweep.toml:3:1\n"), "{text}");
}

#[test]
fn the_sample_works_wherever_it_is_copied_to() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/kvsweep.toml");
    let lab = Lab::new();
    std::fs::create_dir_all(lab.path("home/.config/kvsweep")).expect("a folder");
    std::fs::create_dir_all(lab.path("home/project/inner")).expect("a folder");
    for copy in ["home/.config/kvsweep/kvsweep.toml", "home/project/kvsweep.toml", "home/other.toml"] {
        std::fs::copy(&sample, lab.path(copy)).expect("a copy");
        let run = |args: &[&str]| {
            let mut run = bare(&lab, args.iter().copied()).env("HOME", lab.path("home"));
            run.command().current_dir(lab.path("home/project/inner"));
            if copy.ends_with("other.toml") { run.args(["--config", "../../other.toml"]) } else { run }
        };
        let show = |profile| run(&["config", "show", "--profile", profile]);
        assert_eq!(shown(show("staging"), "namespace").0, ["sessions-staging"], "{copy}");
        assert_eq!(shown(show("prod"), "rate").0, ["600/5m", "100/1s"]);
        let (report, source, _) = shown(show("prod"), "report");
        let folder = lab.path("home/kvsweep/prod/2");
        assert!(report[0].starts_with(&*folder.to_string_lossy()) && source == "profile", "{report:?}");
        assert_eq!(shown(show("prod"), "protect").0, ["config:*", "feature-flag:*"]);
        // With a token nothing is missing.
        let ids =
            SandboxOptions { account: Some(ACCOUNT.into()), namespace: Some(NAMESPACE.into()), ..Default::default() };
        let server = Sandbox::start(ids).expect("a server");
        let whoami = run(&["whoami", "--profile", "prod", "--base-url", &server.base_url()]);
        whoami.env("CLOUDFLARE_API_TOKEN", TOKEN).run().code(0);
        std::fs::remove_file(lab.path(copy)).expect("the copy");
    }
}
