//! The real binary against Cloudflare's own runtime: workerd with a real KV binding, behind the REST layout.
//!
//! Needs what `.ci/run` installs into `target/workerd/`: miniflare 5, and on Linux the Node 22 that it asks for.
//! Ignored by `cargo test`; `.ci/run` runs them (`--include-ignored`) if it could install them, and in CI in any case.
//!
//! - `api`: the Worker in `worker.mjs`: every call that there is.
//! - `explorer`: the local API of Cloudflare's development tools, their own code, for the calls that it has.
//! - `parity`: the sandbox beside the two of them.

// Signals, links and permissions as Unix has them.
#![cfg(unix)]
#![expect(clippy::expect_used, unreachable_pub, reason = "a test that cannot go on says so; the lab is no library")]

#[path = "../it/names/awkward.rs"]
mod awkward;
mod backup;
mod explorer;
mod keep_alive;
mod listing;
mod names;
mod parity;
#[path = "../it/lab/report.rs"]
#[expect(dead_code, reason = "shared with another binary, which uses the rest")]
mod report;
mod rest;
#[path = "../it/lab/run.rs"]
#[expect(dead_code, reason = "shared with another binary, which uses the rest")]
mod run;
mod runtime;
mod safety;
mod wrangler;
