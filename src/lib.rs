//! Deletes keys from a Cloudflare Workers KV namespace in bulk.
//!
//! [`Deleter`] takes a stream of [`KeyName`]s and yields an [`Outcome`] per key. It stays within Cloudflare's rate limits in
//! every window, retries temporary errors, waits for outages to end, and reports a key as deleted only once the server has
//! confirmed it. [`sandbox`] is a server in memory to test against. The command `kvsweep` adds inputs, reports that can be
//! resumed, and everything else that the README describes.
//!
//! ```
//! use futures::{StreamExt, stream};
//! use kvsweep::api::{Client, ClientOptions, Credentials};
//! use kvsweep::sandbox::{Sandbox, SandboxOptions};
//! use kvsweep::{Deleter, KeyName, Status};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Sandbox::start(SandboxOptions::default())?;
//! server.preload(["session:1", "session:2", "config"]);
//!
//! let credentials = Credentials::token("any")?;
//! let (account, namespace) = (server.account_id().parse()?, server.namespace_id().parse()?);
//! let client = Client::new(ClientOptions::new(server.base_url().parse()?, credentials, account, namespace))?;
//! let keys = ["session:1", "session:2"].map(|name| KeyName::new(name).expect("a valid name"));
//!
//! let mut outcomes = std::pin::pin!(Deleter::new(client).run(stream::iter(keys)));
//! while let Some(outcome) = outcomes.next().await {
//!     assert_eq!(outcome?.status, Status::Deleted);
//! }
//! assert_eq!(server.keys(), ["config"]);
//! # Ok(())
//! # }
//! ```

#![allow(rustdoc::private_intra_doc_links, reason = "only readers of the source see the documentation of internals")]

pub mod api;
mod backup;
mod cli;
mod clock;
mod command;
mod deleter;
mod exit;
mod files;
mod format;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod input;
#[doc(hidden)]
pub mod internals;
mod key;
mod key_index;
mod listing;
mod logging;
mod monitoring;
mod net;
mod outcome;
mod pipeline;
mod plan;
mod platform;
mod profile;
mod progress;
mod quota;
mod record;
mod record_table;
mod report;
mod review;
pub mod sandbox;
mod shard;
mod stderr;
mod terminal;
mod text;
mod wrangler;

pub use deleter::{Deleter, Outcome};
pub use key::{AccountId, IdError, KeyName, KeyNameError, NamespaceId};
pub use outcome::{Pending, Signal, Status, Stop, StopReason};
pub use quota::{Rate, RateError};
