//! A server, an empty folder and the binary: what every test needs, and the comparison of input, server log and report.

#![allow(dead_code, reason = "not every part is used by every test")]

mod hook;
mod live;
mod report;
mod run;
pub mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use assert_cmd::cargo::cargo_bin;
use kvsweep::sandbox::{Entry, Sandbox, SandboxOptions};
use tempfile::TempDir;

pub use hook::{Hook, next_request};
pub use live::{Running, pause, wait_until};
pub use report::{Row, complete, final_rows, is_csv, parse_csv, parse_ndjson};
pub use run::{Done, Kvsweep, unshare_works};

/// The secret that the server expects; long enough that it cannot appear by accident.
pub const TOKEN: &str = "test-token-0123456789-abcdefghij";
pub const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";
pub const NAMESPACE: &str = "fedcba9876543210fedcba9876543210";

/// A folder of its own, and a server with its log.
pub struct Lab {
    folder: TempDir,
    pub server: Sandbox,
}

impl Lab {
    /// A server that does as it is told.
    pub fn new() -> Self {
        Self::with(SandboxOptions::default())
    }

    /// A server with options of its own; it always knows only [`TOKEN`], [`ACCOUNT`] and [`NAMESPACE`].
    pub fn with(options: SandboxOptions) -> Self {
        Self::for_any_token(SandboxOptions { token: Some(TOKEN.to_owned()), ..options })
    }

    /// The same, and it takes any token.
    pub fn for_any_token(options: SandboxOptions) -> Self {
        let account = Some(ACCOUNT.to_owned());
        let options = SandboxOptions { account, namespace: Some(NAMESPACE.to_owned()), ..options };
        let server = Sandbox::start(options).expect("a free port on loopback");
        Self { folder: tempfile::tempdir().expect("a folder"), server }
    }

    /// Where files of this test are.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves the folder and what is in it for a person to look at.
    pub fn keep(&mut self) {
        self.folder.disable_cleanup(true);
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a file in the folder");
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// `kvsweep delete` with credentials, ids and address of this server, in this folder, without a rate, confirmed.
    pub fn delete<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Kvsweep {
        self.kvsweep(["delete", "--yes", "--rate", "none"]).args(args)
    }

    /// `kvsweep` with credentials, ids and address of this server in the environment, in this folder.
    pub fn kvsweep<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Kvsweep {
        self.like(Kvsweep::new(cargo_bin("kvsweep"), self.folder())).args(args)
    }

    /// Gives another command (a shell that runs the binary, say) the same environment.
    pub fn like(&self, command: Kvsweep) -> Kvsweep {
        command
            .env("CLOUDFLARE_API_TOKEN", TOKEN)
            .env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)
            .env("CLOUDFLARE_KV_NAMESPACE_ID", NAMESPACE)
            .env("CLOUDFLARE_API_BASE_URL", self.server.base_url())
    }

    /// The deletes that the server saw, in order.
    pub fn deletes(&self) -> Vec<Entry> {
        self.server.request_log().into_iter().filter(|entry| entry.method == "DELETE").collect()
    }

    /// Distinct keys, written into `keys.txt` and stored on the server.
    pub fn keys(&self, count: usize) -> Vec<String> {
        let keys: Vec<String> = (0..count).map(|index| format!("key:{index}")).collect();
        self.server.preload(keys.iter().map(String::as_str));
        self.write("keys.txt", keys.join("\n"));
        keys
    }

    /// The rows of a report in the folder.
    pub fn rows(&self, name: &str) -> Vec<Row> {
        let text = self.read(name);
        if is_csv(name) { parse_csv(&text) } else { parse_ndjson(&text) }
    }

    /// Compares input, server log and report of a job over distinct keys that all end as `deleted`: every key was
    /// asked for, none that is not in the input; every record has one row; nothing but the keys is gone.
    pub fn assert_all_deleted<'a>(&self, keys: impl IntoIterator<Item = &'a str>, rows: &[Row]) {
        let input: BTreeSet<&str> = keys.into_iter().collect();
        let deletes = self.deletes();
        let asked: BTreeSet<&str> = deletes.iter().filter_map(|entry| entry.key.as_deref()).collect();
        assert_eq!(asked, input, "the server was asked for other keys than the input holds");
        let mut by_record = BTreeMap::new();
        for row in rows {
            assert!(by_record.insert(row.record, row).is_none(), "record {} has two rows", row.record);
            assert_eq!(row.status, "deleted", "{row:?}");
        }
        let reported: BTreeSet<&str> = rows.iter().map(|row| row.key.as_str()).collect();
        assert_eq!(reported, input, "the report names other keys than the input holds");
        assert_eq!(rows.len(), input.len());
        assert_eq!(self.server.namespaces_deleted(), 0);
        for key in input {
            assert!(!self.server.contains(key), "{key:?} is still there");
        }
    }
}
