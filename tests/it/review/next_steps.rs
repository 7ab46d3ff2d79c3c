//! The commands that the page offers: only those that go on with the same keys in the same way.

use std::process::Command;

use kvsweep::sandbox::{Fault, SandboxOptions};

use crate::lab::{ACCOUNT, Lab, NAMESPACE, TOKEN};

#[test]
fn no_command_deletes_what_was_to_be_restored() {
    let lab = Lab::new();
    lab.keys(3);
    lab.delete(["keys.txt", "--report", "none", "--backup", "b.ndjson"]).run().code(0);
    lab.server.set_faults(["400@prefix:key:".parse::<Fault>().expect("a fault")]);
    let args = ["restore", "b.ndjson", "--yes", "--rate", "none", "--retries", "0", "--report", "r.csv"];
    lab.kvsweep(args).run().code(3);
    lab.kvsweep(["report", "r.csv", "--html", "page.html"]).run().code(0);
    let page = lab.read("page.html");
    assert!(!page.contains("kvsweep delete") && page.contains("kvsweep restore b.ndjson --namespace-id"));
    // Without its job file nothing says what it is of: none of its rows is `restored`.
    lab.write("copy.csv", lab.read("r.csv"));
    lab.kvsweep(["report", "copy.csv", "--html", "page.html", "--overwrite"]).run().code(0);
    let page = lab.read("page.html");
    assert!(page.contains("3 keys not deleted") && !page.contains("kvsweep delete") && !page.contains("--resume"));
}

#[test]
fn no_command_goes_on_with_a_dry_run_or_a_rehearsal() {
    let lab = Lab::new();
    lab.keys(3);
    lab.server.set_faults(["403@key:key:1".parse::<Fault>().expect("a fault")]);
    let args = ["delete", "keys.txt", "--dry-run", "--check", "--report", "plan.csv", "--rate", "none"];
    lab.kvsweep(args).run().code(3);
    lab.kvsweep(["report", "plan.csv", "--html", "page.html"]).run().code(0);
    let page = lab.read("page.html");
    assert!(page.contains("failed") && !page.contains("kvsweep delete") && !page.contains("--resume"));
    // A rehearsal's keys are nowhere any more.
    lab.delete(["keys.txt", "--sandbox", "--report", "rehearsal.csv"]).run().code(0);
    lab.kvsweep(["report", "rehearsal.csv", "--html", "page.html", "--overwrite"]).run().code(0);
    assert!(!lab.read("page.html").contains("--resume"));
}

/// Whoever copies it may have another namespace in the environment, and none of the job's flags.
#[test]
fn the_commands_of_a_page_are_about_the_same_keys_as_the_job() {
    let lab = Lab::with(SandboxOptions {
        faults: vec!["400@prefix:bad".parse::<Fault>().expect("a fault")],
        ..SandboxOptions::default()
    });
    lab.server.preload(["bad:1", "it's", "config:1"]);
    lab.write("a list.csv", "n;kv key\n1;bad:1\n2;it's\n3;config:1\n");
    let flags = ["--column", "kv key", "--delimiter", ";", "--protect", "config:*", "--only", "?*", "--max-keys", "5"];
    lab.delete(["a list.csv", "--report", "r.csv"]).args(flags).run().code(3);
    lab.kvsweep(["report", "r.csv", "--html", "page.html"]).run().code(0);
    let page = lab.read("page.html").replace("&#39;", "'").replace("&#38;", "&");
    let commands: Vec<_> =
        page.split("<code>kvsweep ").skip(1).filter_map(|rest| rest.split("</code>").next()).collect();
    assert_eq!(commands.len(), 2, "{page}");
    for command in &commands {
        assert!(
            command.contains(&format!("--namespace-id={NAMESPACE} --account-id={ACCOUNT} --base-url=http")),
            "{command}"
        );
    }
    lab.server.set_faults([]);
    let other = "1".repeat(32);
    let shell = |line: &str| {
        let binary = env!("CARGO_BIN_EXE_kvsweep");
        let line = format!("{binary} {}", line.replace("&& kvsweep", &format!("&& {binary}")));
        let mut sh = Command::new("sh");
        sh.args(["-c", &line]).current_dir(lab.folder()).env("CLOUDFLARE_API_TOKEN", TOKEN);
        sh.env("CLOUDFLARE_KV_NAMESPACE_ID", &other).env("KVSWEEP_RATE", "none");
        let done = sh.output().expect("sh");
        assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
    };
    shell(&format!("{} --report failed-again.csv --yes", commands[1]));
    assert_eq!(lab.server.keys(), ["config:1"]);
    lab.server.preload(["bad:1"]);
    shell(&format!("{} --yes", commands[0]));
    assert_eq!(lab.server.keys(), ["config:1"]);
}

/// Without its backup, no other job deletes what is left.
#[test]
fn a_job_with_a_backup_is_only_resumed() {
    let lab = Lab::with(SandboxOptions {
        faults: vec!["400@prefix:bad".parse::<Fault>().expect("a fault")],
        ..SandboxOptions::default()
    });
    lab.server.preload(["bad:1", "a"]);
    lab.write("keys.txt", "bad:1\na\n");
    for (flags, part) in [
        (&["--backup", "b.ndjson", "--max-failures", "none"][..], "--backup=b.ndjson --max-failures=none"),
        (&["--check", "--overwrite", "--rate", "none"], "--check --rate=none"),
    ] {
        lab.kvsweep(["delete", "keys.txt", "--yes", "--report", "r.csv"]).args(flags).run().code(3);
        lab.kvsweep(["report", "r.csv", "--html", "page.html", "--overwrite"]).run().code(0);
        let page = lab.read("page.html");
        assert!(page.contains(part) && !page.contains("failed.csv"), "{part}: {page}");
    }
}

#[test]
fn an_interrupted_job_has_the_command_that_resumes_it() {
    let lab = Lab::new();
    lab.keys(5);
    lab.server.set_faults(["400@key:key:0".parse::<Fault>().expect("a fault")]);
    lab.delete(["keys.txt", "--report", "r.csv", "--canary", "1"]).run().code(8);
    lab.write("r.csv", lab.read("r.csv").lines().next().expect("the header").to_owned() + "\n");
    lab.kvsweep(["report", "r.csv", "--html", "page.html"]).run().code(0);
    assert!(lab.read("page.html").contains("--resume --report r.csv"));
}
