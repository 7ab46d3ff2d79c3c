//! Patterns of environment variables.

use crate::lab::Lab;

#[test]
fn patterns_of_the_environment_add_to_those_of_flags_and_profile() {
    let lab = Lab::new();
    let keys = ["config:1", "flag:1", "file:1", "listed:1", "prod:1", "tmp:1", "x"];
    lab.write("keys.txt", keys.join("\n"));
    lab.server.preload(keys);
    lab.write("flag.txt", "file:*\n");
    lab.write("listed.csv", "listed:*\n");
    lab.write("k.toml", "[profile.prod]\nprotect = 'prod:*'\n");
    let run = |args: &[&str], report: &str| {
        lab.delete(["keys.txt", "--config", "k.toml", "--report", report])
            .args(args)
            .env("KVSWEEP_PROTECT", "\u{feff}# as in a file\r\n\r\nconfig:*\r\nnone\r\n")
            .env("KVSWEEP_PROTECT_FROM", "listed.csv")
            .env("KVSWEEP_ONLY", "y\\,\n*:*")
    };
    let flags = ["--profile", "prod", "--protect", "flag:*", "--protect-from", "flag.txt", "--only", "*"];
    let done = run(&flags, "plan.csv").args(["--dry-run"]).run().code(0);
    for origin in
        ["(KVSWEEP_PROTECT)", "(KVSWEEP_PROTECT_FROM listed.csv)", "(KVSWEEP_ONLY)", "(--protect)", "(--only)"]
    {
        assert!(done.stdout.contains(origin), "{origin}: {}", done.stdout);
    }
    run(&flags, "r.csv").run().code(0);
    assert_eq!(lab.server.keys(), ["config:1", "file:1", "flag:1", "listed:1", "prod:1", "x"]);
    let rows = lab.rows("r.csv");
    let why = |key: &str| rows.iter().find(|row| row.key == key).map(|row| row.error.clone()).unwrap_or_default();
    assert_eq!(why("config:1"), "matches config:* of KVSWEEP_PROTECT");
    assert_eq!(why("listed:1"), "matches listed:* of KVSWEEP_PROTECT_FROM listed.csv");
    assert_eq!(why("x"), "matches no KVSWEEP_ONLY");
    // They are a part of the job, and --allow-protected lifts what the profile protects alone.
    let done = run(&flags, "r.csv").args(["--resume"]).env("KVSWEEP_PROTECT", "none").run().code(2);
    assert!(done.stderr.contains("config:*"), "{}", done.stderr);
    run(&["--profile", "prod", "--allow-protected"], "none").run().code(0);
    assert_eq!(lab.server.keys(), ["config:1", "listed:1", "x"]);
    let done = run(&["--overwrite", "--profile", "none"], "listed.csv").run().code(2);
    assert!(done.stderr.contains("listed.csv"), "{}", done.stderr);
}

#[test]
fn a_comma_does_not_separate_patterns_of_a_variable() {
    let lab = Lab::new();
    lab.keys(3);
    for (name, text, why) in [
        (
            "KVSWEEP_PROTECT",
            "key:*,user:*",
            "KVSWEEP_PROTECT, line 1: \"key:*,user:*\": invalid pattern: the comma at character 6",
        ),
        ("KVSWEEP_ONLY", "x\nkey:*,", "KVSWEEP_ONLY, line 2"),
        ("KVSWEEP_PROTECT", "", "KVSWEEP_PROTECT contains no pattern"),
        ("KVSWEEP_PROTECT", "# nothing\n", "KVSWEEP_PROTECT contains no pattern"),
        ("KVSWEEP_ONLY", "", "KVSWEEP_ONLY contains no pattern"),
        ("KVSWEEP_PROTECT_FROM", "", "the environment variable KVSWEEP_PROTECT_FROM is empty"),
        ("KVSWEEP_PROTECT_FROM", "missing.txt", "KVSWEEP_PROTECT_FROM missing.txt: No such file"),
        ("KVSWEEP_PROTECT", "key:*\rx", "KVSWEEP_PROTECT: line 1 contains a carriage return"),
    ] {
        let run = lab.delete(["keys.txt", "--report", "none", "--protect", "none"]).env(name, text);
        let done = run.run().code(2);
        assert!(done.stderr.contains(why), "{name} {text:?}: {}", done.stderr);
        // It shows the path of a file without reading it.
        lab.kvsweep(["config", "show"]).env(name, text).run().code(if text == "missing.txt" { 0 } else { 2 });
    }
    assert_eq!(lab.server.requests(), 0);
    for text in ["key:[,0]", "k{ey:0,x}", "key\\,\nkey:0"] {
        lab.delete(["keys.txt", "--report", "none", "--max-keys", "9"]).env("KVSWEEP_PROTECT", text).run().code(0);
        assert_eq!(lab.server.keys(), ["key:0"], "{text}");
    }
}
