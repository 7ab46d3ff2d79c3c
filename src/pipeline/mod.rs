//! Records in, outcomes out: bounded concurrency, retries, pauses, outages, and how a job ends.
//!
//! ```text
//!  records ──► State ──► send (one request) ──► State ──► rows
//!                ▲   retry later ◄──────────────┘
//!                └── budget, circuit_breaker: whether anything may be sent now
//! ```
//!
//! - [`dispatcher::run`] is the loop: it waits for what happens next and carries out what [`state::State`] decides.
//! - [`state::State`] owns everything that can change. Its methods are plain calls with `now` passed in.
//! - [`retry`] turns one answer into one decision, and [`call::ApiCaller`] applies it to an [`attempt`], for keys, pages, probes
//!   and single calls alike; [`circuit_breaker`] detects that the server is down.
//! - [`Pages`] are records that are requested: the next page is fetched while the keys of the last are sent.
//! - [`queues`] holds the keys that are not in flight; [`batch`] puts them into requests: one by one, or as many as a bulk call
//!   takes.
//! - [`Event`] is all that a listener gets.
//!
//! No file format and no terminal is known here, and rows leave through a bounded channel: when the report's disk is
//! slow, nothing more is sent.

mod access_check;
mod adaptive_batch;
mod attempt;
pub(crate) mod batch;
pub(crate) mod call;
pub(crate) mod circuit_breaker;
pub(crate) mod dispatcher;
mod event;
pub(crate) mod expiry;
mod failure_limit;
pub(crate) mod max_wait;
mod options;
mod pages;
mod queues;
mod request;
pub(crate) mod retry;
pub(crate) mod state;
mod task;

pub use batch::{BatchLimit, Batching};
pub use dispatcher::{End, run};
pub use event::{Event, PauseCause};
pub use failure_limit::FailureLimit;
pub use options::{KeyAction, OnExisting, Options};
pub use pages::Pages;
pub use request::{Request, Response, Subject};
pub use retry::RetryPolicy;

#[cfg(test)]
mod tests;
