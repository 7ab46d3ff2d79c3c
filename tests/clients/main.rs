//! Cloudflare's own clients against the sandbox: wrangler 4 and 3, and the `cloudflare` packages of npm and `PyPI`.
//!
//! Needs what `tests/clients/install` installs into `target/clients/`. Ignored by `cargo test`; `.ci/run` runs them
//! (`--include-ignored`) if it could install them.
//!
//! A client's word is not enough: after each step the sandbox is asked what it holds, and at the end which requests it
//! refused.

// Signals, links and permissions as Unix has them.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that cannot go on says so")]

mod sdks;
mod wrangler;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kvsweep::sandbox::{Sandbox, SandboxOptions};
use tempfile::TempDir;

const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";
const NAMESPACE: &str = "fedcba9876543210fedcba9876543210";

/// A sandbox and an empty folder.
struct Lab {
    folder: TempDir,
    sandbox: Sandbox,
}

impl Lab {
    fn new() -> Self {
        let options = SandboxOptions {
            token: Some("any".to_owned()),
            account: Some(ACCOUNT.to_owned()),
            namespace: Some(NAMESPACE.to_owned()),
            ..SandboxOptions::default()
        };
        Self { folder: tempfile::tempdir().expect("a folder"), sandbox: Sandbox::start(options).expect("a free port") }
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.folder.path().join(name), content).expect("a file in the folder");
    }

    /// Runs a program with the variables that `kvsweep sandbox` prints. Whether it succeeded, and stdout; if it failed,
    /// stderr, too.
    fn run<I: AsRef<OsStr>>(&self, program: &Path, args: impl IntoIterator<Item = I>) -> (bool, String) {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let output = Command::new(program)
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.folder.path())
            .env("CI", "1")
            .env("WRANGLER_SEND_METRICS", "false")
            .env("CLOUDFLARE_API_BASE_URL", self.sandbox.base_url())
            .env("CLOUDFLARE_API_TOKEN", "any")
            .env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)
            .env("CLOUDFLARE_KV_NAMESPACE_ID", NAMESPACE)
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{}: {error} (tests/clients/install)", program.display()));
        let success = output.status.success();
        let text = if success { output.stdout } else { [output.stdout, output.stderr].concat() };
        (success, String::from_utf8_lossy(&text).into_owned())
    }

    /// Titles and numbers of keys of all namespaces, by title.
    fn titles(&self) -> Vec<(String, usize)> {
        let mut titles: Vec<_> = self.sandbox.namespaces().into_iter().map(|(_, title, keys)| (title, keys)).collect();
        titles.sort();
        titles
    }

    /// The requests that were not successful, as method, status and the end of the path.
    fn refused(&self) -> Vec<String> {
        let log = self.sandbox.request_log();
        let refused = log.iter().filter(|entry| entry.status != 200);
        refused
            .map(|entry| {
                let (_, path) = entry.path.split_once("/namespaces").unwrap_or(("", &entry.path));
                format!("{} {} {}", entry.method, entry.status, path.replace(NAMESPACE, "N"))
            })
            .collect()
    }
}

/// Where the clients are installed.
fn clients() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients")
}

/// The Node that was installed beside them, otherwise the machine's.
fn node() -> PathBuf {
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let beside = clients().join(format!("node_modules/node-linux-{arch}/bin/node"));
    if beside.exists() { beside } else { PathBuf::from("node") }
}
