//! What `--version` says besides the version: the commit, if it is known, and the target.

#![allow(clippy::print_stdout, reason = "cargo reads it")]

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=KVSWEEP_COMMIT");
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let commit = variable("KVSWEEP_COMMIT").or_else(of_repository).or_else(of_package);
    let commit = commit.filter(|commit| commit.len() >= SHORT && commit.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let commit = commit.map(|commit| format!("commit {}, ", &commit[..SHORT])).unwrap_or_default();
    let target = variable("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=KVSWEEP_BUILD={commit}{target}");
}

/// So many digits of a commit are shown.
const SHORT: usize = 12;

/// The commit that is checked out. Sources without `.git`, a release's archive for example, may lie in the repository of
/// another project.
fn of_repository() -> Option<String> {
    if !Path::new(".git").exists() {
        return None;
    }
    // It grows whenever another commit is checked out.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists()) {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["rev-parse", "HEAD"])
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// The commit that `cargo package` wrote down.
fn of_package() -> Option<String> {
    let info = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = info.split_once("\"sha1\"")?;
    rest.split('"').nth(1).map(str::to_owned)
}
