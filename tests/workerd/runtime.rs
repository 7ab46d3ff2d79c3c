//! One workerd for the whole binary, a namespace of it for each test, and `kvsweep` pointed at that namespace.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use assert_cmd::cargo::cargo_bin;
use serde::Deserialize;
use tempfile::TempDir;

use crate::report::{Row, parse_csv};
use crate::rest::Rest;
use crate::run::Kvsweep;

pub const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";
pub const TOKEN: &str = "workerd-token-0123456789-abcdefghij";

/// So many keys as issues ask for where `KVSWEEP_TEST_LONG=1`, fewer elsewhere.
pub fn many(fewer: usize) -> usize {
    if std::env::var("KVSWEEP_TEST_LONG").as_deref() == Ok("1") { 25_000 } else { fewer }
}

/// A test takes one that no other takes.
const NAMESPACES: [&str; 21] = [
    "backup",
    "backup-many",
    "prefix",
    "list-pipe",
    "names",
    "missing",
    "keep-alive",
    "dry-run",
    "refused",
    "wrangler-names",
    "wrangler-objects",
    "parity",
    "explorer-parity",
    "explorer-names",
    "explorer-prefix",
    "explorer-bulk",
    "explorer-check",
    "explorer-restore",
    "explorer-backup",
    "unread",
    "explorer-unread",
];

/// Where the APIs are.
#[derive(Deserialize)]
struct Addresses {
    api: String,
    explorer: String,
}

/// Which of the two sides of the namespaces is asked.
#[derive(Clone, Copy)]
pub enum Side {
    Api,
    Explorer,
}

/// The running server. It is never dropped; it ends when its stdin is closed, which the end of this process does.
struct Runtime {
    _node: Child,
    addresses: Addresses,
}

/// A namespace of the real runtime and a folder of one's own.
pub struct Workerd {
    folder: TempDir,
    namespace: &'static str,
    base_url: &'static str,
    pub rest: Rest,
}

impl Workerd {
    /// The namespace, still empty.
    pub fn start(namespace: &'static str, side: Side) -> Self {
        static RUNTIME: OnceLock<Runtime> = OnceLock::new();
        assert!(NAMESPACES.contains(&namespace), "{namespace} is not in the list of namespaces");
        let addresses = &RUNTIME.get_or_init(Runtime::start).addresses;
        let base_url = match side {
            Side::Api => &addresses.api,
            Side::Explorer => &addresses.explorer,
        };
        // Looked at and filled through the Worker, whichever side is tested.
        let rest = Rest::new(&addresses.api, ACCOUNT, namespace, TOKEN);
        Self { folder: tempfile::tempdir().expect("a folder"), namespace, base_url, rest }
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.folder.path().join(name), content).expect("a file in the folder");
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).expect("a file in the folder")
    }

    pub fn has(&self, name: &str) -> bool {
        self.folder.path().join(name).exists()
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.folder.path().join(name)).expect("a file in the folder");
    }

    pub fn rows(&self, name: &str) -> Vec<Row> {
        parse_csv(&self.read(name))
    }

    /// The side that is tested, as a test asks it.
    pub fn itself(&self) -> Rest {
        Rest::new(self.base_url, ACCOUNT, self.namespace, TOKEN)
    }

    /// `kvsweep delete` of this namespace, confirmed, without a rate.
    pub fn delete<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Kvsweep {
        self.kvsweep(["delete", "--yes", "--rate", "none"]).args(args)
    }

    /// `kvsweep restore` into this namespace, confirmed, without a rate.
    pub fn restore<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Kvsweep {
        self.kvsweep(["restore", "--yes", "--rate", "none"]).args(args)
    }

    /// `kvsweep` with this namespace in its environment.
    pub fn kvsweep<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Kvsweep {
        Kvsweep::new(cargo_bin("kvsweep"), self.folder.path())
            .env("CLOUDFLARE_API_TOKEN", TOKEN)
            .env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)
            .env("CLOUDFLARE_KV_NAMESPACE_ID", self.namespace)
            .env("CLOUDFLARE_API_BASE_URL", self.base_url)
            .args(args)
    }
}

impl Runtime {
    fn start() -> Self {
        let modules = modules();
        let node = node(&modules).expect("Node from 22 on");
        let is_there = modules.join("node_modules/miniflare").is_dir();
        assert!(is_there, "miniflare is not in {} (.ci/run installs it)", modules.display());
        Self::start_in(&modules, &node)
    }

    fn start_in(modules: &Path, node: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workerd/server.cjs");
        let mut command = Command::new(node);
        command.arg(script).arg(modules).args([ACCOUNT, TOKEN]).args(NAMESPACES);
        // The namespaces are files in the temporary folder: ten times faster in memory.
        if Path::new("/dev/shm").is_dir() {
            command.env("TMPDIR", "/dev/shm");
        }
        let mut node = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("node starts");
        let mut line = String::new();
        let stdout = node.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("what node says");
        let addresses = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: workerd said {line:?}"));
        Self { _node: node, addresses }
    }
}

/// The folder into which `.ci/run` installs: `workerd` in the target folder.
fn modules() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("workerd")
}

/// The Node that was installed beside the runtime, else the machine's where it is new enough.
fn node(modules: &Path) -> Option<PathBuf> {
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let beside = modules.join(format!("node_modules/node-linux-{arch}/bin/node"));
    [beside, PathBuf::from("node")].into_iter().find(|node| {
        let said = Command::new(node).arg("--version").output().ok();
        let version = said.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
        let major = version.strip_prefix('v').and_then(|version| version.split('.').next()?.parse().ok());
        major.is_some_and(|major: u32| major >= 22)
    })
}
