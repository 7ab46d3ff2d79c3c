//! Deletes keys from a Cloudflare Workers KV namespace in bulk.
//!
//! The binary `kvsweep` is this library with a `main` of thirty lines. Data flows one way:
//!
//! ```text
//! input ──► plan ──► pipeline ──► report
//!                    │      ▲
//!                    ▼      │ quota
//!                    api ◄──┘
//! ```
//!
//! - [`cli`]: what may be said on the command line; [`command`]: builds the parts from it, joins them, says how it ended.
//! - [`input`]: from files or stdin to [`record::Record`]s, in four formats.
//! - [`listing`]: the keys of a namespace, page by page, and where an interrupted listing goes on.
//! - [`plan`]: which of them may be sent, who agreed to it, and what they look like.
//! - [`pipeline`]: sends them, again where it is worth it, and settles each with one [`outcome::Status`].
//! - [`quota`]: when the next request may be sent.
//! - [`api`]: the KV REST API: one attempt in, one typed answer out.
//! - [`backup`]: values on the disk before they are deleted, and back again.
//! - [`report`]: a row for every record; the journal, the failures file, the summary.
//! - [`review`]: what finished reports say, as text, JSON or a page.
//! - [`progress`], [`logging`], [`terminal`]: what people see; [`monitoring`]: who else is told.
//! - [`progress`], [`logging`], [`terminal`]: what people see.
//! - [`profile`]: values of flags that go by a name, and the files that hold them.
//! - [`wrangler`]: which namespace a binding of a wrangler file stands for.
//! - [`key`], [`record`], [`shard`], [`outcome`], [`exit`], [`clock`]: the words that all of them use.
//! - [`sandbox`]: the API from the other side, for rehearsals and tests.
//!
//! # Example
//! Two keys are deleted, over HTTP, from a server in memory:
//!
//! ```
//! use std::time::Duration;
//!
//! use kvsweep::api::answer::Answer;
//! use kvsweep::api::{Client, ClientOptions, Credentials};
//! use kvsweep::key::KeyName;
//! use kvsweep::sandbox::{Sandbox, SandboxOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Sandbox::start(SandboxOptions::default()).await?;
//! server.preload(["session:1", "a/b?c", "keep"]);
//!
//! let client = Client::new(ClientOptions {
//!     base_url: server.base_url().parse()?,
//!     credentials: Credentials::token("any")?,
//!     account: "account".parse()?,
//!     namespace: "namespace".parse()?,
//!     timeout: Duration::from_secs(30),
//!     concurrency: 1,
//!     ca_file: None,
//! })?;
//! for name in ["session:1", "a/b?c"] {
//!     let reply = client.delete(&KeyName::new(name)?).await;
//!     assert_eq!(reply.answer, Answer::Success);
//! }
//! assert_eq!(server.keys(), ["keep"]);
//!
//! // A name that would change the path is no key.
//! assert!(KeyName::new("..").is_err());
//! # Ok(())
//! # }
//! ```
//!
//! [`pipeline::run`] does the same for a stream of records, within a [`quota::Budget`], with retries, and with an answer
//! to everything that can go wrong.

pub mod api;
pub mod backup;
pub mod cli;
pub mod clock;
pub mod command;
pub mod exit;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod input;
pub mod key;
pub mod listing;
pub mod logging;
pub mod monitoring;
pub mod outcome;
pub mod pipeline;
pub mod plan;
pub mod profile;
pub mod progress;
pub mod quota;
pub mod record;
pub mod report;
pub mod review;
pub mod sandbox;
pub mod shard;
pub mod terminal;
pub mod wrangler;
