//! The Cloudflare KV REST API and nothing else: one attempt in, one [`answer::Reply`] out. No retry, no rate, no
//! terminal, and no file but those of the token and the certificates.
//!
//! - `url`: the exact URLs of the few calls there are; nothing else can be asked for.
//! - `auth`: secrets, from text or file to header.
//! - `connection`: how connections are set up.
//! - `memory`: what all large responses share.
//! - `http`: one request, its time and size limited. `client`: the calls to one
//!   namespace, made of such; `bulk`: the one that deletes many keys; `listing`: a page of keys, asked for and read;
//!   `values`: what a key holds; `bulk_put`: puts many keys back.
//! - `account`: the calls that belong to an account or a user.
//! - `transport`: a request that got no answer, as an answer.
//! - `envelope`: the JSON of a body. `retry_hints`: what headers say of time and quota.
//! - `classify`: the table from status and code to [`answer::Answer`].

mod account;
pub mod answer;
mod auth;
#[doc(hidden)]
pub mod bench_internals;
mod bulk;
mod bulk_put;
mod classify;
mod client;
mod connection;
mod envelope;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod http;
mod listing;
mod memory;
pub mod retry_hints;
mod transport;
mod url;
mod values;

pub use account::{AccountClient, AccountOptions, NamespacesPage, Policy, TokenDetails, TokenStatus, User};
pub use auth::{Credentials, CredentialsError};
pub use bulk::{Accounting, BulkReply, MAX_BULK_BYTES, MAX_BULK_KEYS};
pub use bulk_put::{MAX_GET_KEYS, MAX_PUT_BYTES, MAX_PUT_KEYS, Presence};
pub use client::{Client, ClientError, ClientOptions, Namespace};
pub use listing::{Cursor, ListedKey, Page, PageRequest};
pub use url::{BaseUrl, BaseUrlError, Owner, UrlMismatch};
pub use values::{MAX_VALUE_BYTES, Metadata, Value};
