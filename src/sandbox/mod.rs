//! The API from the other side: an HTTP server on loopback that behaves like Cloudflare's Workers KV REST API, from
//! memory, for rehearsals and tests.
//!
//! It decodes paths, checks keys and counts windows with code of its own and uses nothing of the rest of the crate: were
//! it built from the client's parts, a fault in them would agree with itself.
//!
//! - [`Sandbox`]: a running server; dropping it stops it. Its store can be filled and looked at.
//! - [`SandboxOptions`]: what it accepts and how it misbehaves.
//! - [`Quota`]: how many requests which window may hold, judged at arrival.
//! - [`Fault`]: which requests fail, and how.
//! - [`Entry`]: what the server saw of a request: the witness of a test.
//!
//! Below them: `server` and `connection`, `service` (the way of one request), `route` (paths), `auth` (credentials),
//! `calls` (what each call does), `account` (its namespaces) and `store` (the keys), `answer` (the envelope).

#![warn(missing_docs)]

mod account;
mod answer;
mod auth;
mod calls;
mod connection;
mod fault;
mod handle;
mod lock;
mod options;
mod quota;
mod request_log;
mod route;
mod server;
mod service;
mod store;
#[cfg(test)]
mod tests;

pub use fault::{BulkResult, Canned, Fault, FaultError, Scope, What, When};
pub use handle::Sandbox;
pub use options::{Identity, MissingKey, RetryAfter, SandboxOptions};
pub use quota::{Quota, QuotaError, WindowKind};
pub use request_log::Entry;
pub use store::Stored;
