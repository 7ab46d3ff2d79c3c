//! The real binary against a real HTTP server on loopback: input, server log and report are compared.
//!
//! One binary for all, because each would link the HTTP stack again. A module a promise; `lab` starts the server, runs
//! the binary and reads the report back.

// Signals, links and permissions as Unix has them.
#![cfg(unix)]
#![expect(clippy::expect_used, unreachable_pub, reason = "a test that cannot go on says so; the lab is no library")]

mod account;
mod answers;
mod backup;
mod binding;
mod bulk;
mod changes;
mod check;
mod config;
mod confirm;
mod delete;
mod descriptors;
mod disk;
mod docs;
mod dry_run;
mod endless;
mod ends;
mod formats;
mod grid;
mod guards;
mod http2;
mod inputs;
mod instant;
mod isolated;
mod job_file;
mod lab;
mod layers;
mod list;
// Reads /proc.
#[cfg(target_os = "linux")]
mod memory;
mod messages;
mod mixed_inputs;
mod monitoring;
mod names;
mod openapi;
mod outage;
mod outputs;
mod plan;
mod prefix;
mod proxy;
mod publish;
mod quota;
mod readme;
mod refusals;
mod restore;
mod resume;
mod resumed;
mod review;
mod sameness;
mod sandbox;
mod schedule;
mod schema;
mod secrets;
mod shard;
mod sharing;
mod signals;
mod slurm;
mod stop;
mod throttled;
mod tls;
mod token_command;
mod url_encoding;
mod waits;
