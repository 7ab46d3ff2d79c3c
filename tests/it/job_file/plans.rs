//! A plan is carried out only against the namespace that it was made for.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use kvsweep::sandbox::{Sandbox, SandboxOptions};
use serde_json::Value;

use super::{job_file, refused};
use crate::lab::{ACCOUNT, Lab, NAMESPACE, TOKEN};

#[test]
fn a_plan_is_carried_out_only_against_the_namespace_that_it_was_made_for() {
    let lab = Lab::new();
    lab.keys(5);
    let other = Sandbox::start(SandboxOptions {
        token: Some(TOKEN.to_owned()),
        account: Some(ACCOUNT.to_owned()),
        namespace: Some("1".repeat(32)),
        ..SandboxOptions::default()
    })
    .expect("a free port");
    other.preload(["key:0", "key:1"]);
    lab.delete(["keys.txt", "--dry-run", "--report", "plan.csv"]).run().code(0);
    lab.delete(["--all", "--dry-run", "--report", "listed.csv"]).run().code(0);
    let before = lab.server.requests();
    let in_place = if cfg!(target_os = "linux") { "/proc/self/cwd/plan.csv" } else { "./plan.csv" };
    for plan in ["plan.csv", "listed.csv", in_place] {
        for (name, value) in [
            ("CLOUDFLARE_KV_NAMESPACE_ID", "1".repeat(32)),
            ("CLOUDFLARE_ACCOUNT_ID", "1".repeat(32)),
            ("CLOUDFLARE_API_BASE_URL", other.base_url()),
        ] {
            refused(&lab, lab.delete([plan, "--report", "r.csv"]).env(name, &value), &[plan, &value]);
            assert!(!lab.path("r.csv").exists());
        }
    }
    assert_eq!((lab.server.requests(), other.requests()), (before, 0));
    // A torn job file proves nothing.
    let whole = lab.read("plan.csv.job.json");
    lab.write("plan.csv.job.json", &whole[..9]);
    refused(&lab, lab.delete(["plan.csv", "--report", "r.csv"]), &["plan.csv.job.json"]);
    lab.write("plan.csv.job.json", whole);
    lab.delete(["plan.csv", "--report", "r.csv"]).run().code(0);
    assert!(lab.server.is_empty());
}

#[test]
fn a_plan_is_known_through_a_link_too() {
    let lab = Lab::new();
    lab.keys(5);
    lab.delete(["keys.txt", "--dry-run", "--report", "plan.csv"]).run().code(0);
    symlink("plan.csv", lab.path("first.csv")).expect("a link");
    symlink("first.csv", lab.path("today.csv")).expect("a link");
    let other = "1".repeat(32);
    let elsewhere = |plan| lab.delete([plan, "--report", "r.csv"]).env("CLOUDFLARE_KV_NAMESPACE_ID", &other);
    refused(&lab, elsewhere("today.csv"), &["today.csv", NAMESPACE, &other]);
    // Whatever is beside the link.
    lab.write("today.csv.job.json", lab.read("plan.csv.job.json").replace(NAMESPACE, &other));
    refused(&lab, elsewhere("today.csv"), &["today.csv", NAMESPACE, &other]);
    refused(&lab, lab.delete(["today.csv", "--report", "r.csv"]), &["today.csv", NAMESPACE, &other]);
    fs::remove_file(lab.path("today.csv.job.json")).expect("the job file");
    let done = lab.delete(["today.csv", "--report", "r.csv"]).run().code(0);
    assert!(!done.stderr.contains("warning"), "{}", done.stderr);
    assert!(lab.server.is_empty());
}

#[test]
fn a_plan_made_without_a_namespace_may_be_carried_out_anywhere() {
    let lab = Lab::new();
    lab.keys(5);
    let plan = lab.delete(["keys.txt", "--dry-run", "--report", "plan.csv"]).without_env("CLOUDFLARE_KV_NAMESPACE_ID");
    plan.run().code(0);
    assert_eq!(job_file(&lab, "plan.csv")["namespace_id"], Value::Null);
    let done = lab.delete(["plan.csv", "--report", "r.csv"]).run().code(0);
    assert!(!done.stderr.contains("warning"), "{}", done.stderr);
    assert!(lab.server.is_empty());
}

#[test]
fn a_plan_without_a_job_file_is_taken_with_a_warning() {
    let lab = Lab::new();
    lab.keys(5);
    lab.delete(["keys.txt", "--dry-run", "--report", "plan.csv"]).run().code(0);
    lab.write("copy.csv", lab.read("plan.csv"));
    let warning = "its namespace cannot be checked";
    let done = lab.delete(["copy.csv", "--report", "none", "--max-keys", "1"]).run().code(8);
    assert!(done.stderr.contains(warning) && done.stderr.contains("copy.csv"), "{}", done.stderr);
    let done = lab.delete(["-", "--report", "none"]).stdin(lab.read("plan.csv")).run().code(0);
    assert!(done.stderr.contains(warning) && done.stderr.contains("stdin"), "{}", done.stderr);
    let done = lab.delete(["plan.csv", "--report", "none"]).run().code(0);
    assert!(!done.stderr.contains(warning), "{}", done.stderr);
    let done = lab.delete(["keys.txt", "--report", "none"]).run().code(0);
    assert!(!done.stderr.contains(warning), "{}", done.stderr);
}

#[test]
fn half_a_plan_leaves_no_job_file() {
    let lab = Lab::new();
    lab.write("keys.csv", "key\na\n");
    lab.delete(["keys.csv", "--dry-run", "--column", "nope", "--report", "plan.csv"]).run().code(2);
    assert!(!Path::new(&lab.path("plan.csv.job.json")).exists());
}
