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
//! - [`files`]: text files of users, and files as a whole.
//! - [`report`]: a row for every record; the journal, the failures file, the summary.
//! - [`review`]: what finished reports say, as text, JSON or a page.
//! - [`progress`], [`logging`], [`stderr`], [`terminal`]: what people see; [`monitoring`]: who else is told.
//! - [`profile`]: values of flags that go by a name, and the files that hold them.
//! - [`wrangler`]: which namespace a binding of a wrangler file stands for.
//! - [`key_index`]: keys by their fingerprints.
//! - [`key`], [`record`], [`shard`], [`outcome`], [`exit`], [`clock`], [`text`]: the words that all of them use.
//! - [`sandbox`]: the API from the other side, for rehearsals and tests.
//!
//! # Examples
//! One key, one request, one answer; the server is in memory, the HTTP is real:
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
//! A whole job: records go in, within a rate, with retries and with an answer to everything that can go wrong; one row for
//! each comes out. A third of the requests fails here, and every key is deleted all the same:
//!
//! ```
//! use std::convert::Infallible;
//! use std::time::Duration;
//!
//! use kvsweep::api::{Client, ClientOptions, Credentials};
//! use kvsweep::key::KeyName;
//! use kvsweep::outcome::{Settled, Status};
//! use kvsweep::pipeline::state::State;
//! use kvsweep::pipeline::{self, Options, Request, Response};
//! use kvsweep::plan::{Approved, Consent, Guards};
//! use kvsweep::quota::Budget;
//! use kvsweep::record::{Content, Record, RecordNumber};
//! use kvsweep::sandbox::{Sandbox, SandboxOptions};
//! use rand::SeedableRng;
//! use tokio::sync::{mpsc, watch};
//! use tokio::time::Instant;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let names: Vec<String> = (0..30).map(|n| format!("session:{n}")).collect();
//! let faults = vec!["503=0.3".parse()?];
//! let server = Sandbox::start(SandboxOptions { faults, ..SandboxOptions::default() }).await?;
//! server.preload(names.iter().map(String::as_str).chain(["keep"]));
//!
//! let client = Client::new(ClientOptions {
//!     base_url: server.base_url().parse()?,
//!     credentials: Credentials::token("any")?,
//!     account: "account".parse()?,
//!     namespace: "namespace".parse()?,
//!     timeout: Duration::from_secs(30),
//!     concurrency: 8,
//!     ca_file: None,
//! })?;
//!
//! // Nothing is sent without somebody's consent, nor beyond the rates.
//! let approved = Approved::streaming(Guards { max_keys: Some(100), ..Guards::default() }, Consent::Rehearsal);
//! let budget = Budget::new(&["1200/5m".parse()?, "200/1s".parse()?], Instant::now());
//! let state = State::new(Options { concurrency: 8, ..Options::default() }, &approved, budget, rand::make_rng());
//!
//! let (input, records) = mpsc::channel(64);
//! let (report, mut rows) = mpsc::channel::<Settled>(64);
//! let (acknowledge, written) = watch::channel(0);
//! let (_stop, signals) = mpsc::channel(1);
//! let client = &client;
//! let send = |request| async move {
//!     match request {
//!         Request::Delete(key) => Response::Delete(client.delete(&key).await),
//!         // Asked only when the server seems to be down, to see whether it is back.
//!         Request::Namespace => Response::Namespace(client.namespace().await.map(drop)),
//!         _ => unreachable!("neither --bulk nor a backup nor a listing was asked for"),
//!     }
//! };
//! let reading = async move {
//!     let mut number = RecordNumber::FIRST;
//!     for name in names {
//!         let content = Content::Key(KeyName::new(name).expect("a key"));
//!         let _ = input.send(Ok::<_, Infallible>(vec![Record { number, content }])).await;
//!         number = number.next();
//!     }
//! };
//! let reporting = async move {
//!     while let Some(row) = rows.recv().await {
//!         println!("{},{},{}", row.number, row.key, row.status);
//!         acknowledge.send_modify(|rows| *rows += 1);
//!     }
//! };
//! let job = pipeline::run(state, records, report, written, send, signals, |_event| {});
//! let (end, (), ()) = tokio::join!(job, reading, reporting);
//!
//! assert!(end.stop.is_none());
//! assert_eq!(end.totals.tally.get(Status::Deleted), 30);
//! assert_eq!(server.keys(), ["keep"]);
//! # Ok(())
//! # }
//! ```
//!
//! [`command`] is what the binary does with it: files in, a report that can be resumed, progress, and an exit code.

pub mod api;
pub mod backup;
pub mod cli;
pub mod clock;
pub mod command;
pub mod exit;
pub mod files;
pub(crate) mod format;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod input;
pub mod key;
pub mod key_index;
pub mod listing;
pub mod logging;
pub mod monitoring;
pub mod net;
pub mod outcome;
pub mod pipeline;
pub mod plan;
pub mod profile;
pub mod progress;
pub mod quota;
pub mod record;
pub(crate) mod record_table;
pub mod report;
pub mod review;
pub mod sandbox;
pub mod shard;
pub mod stderr;
pub mod terminal;
pub mod text;
pub mod wrangler;
