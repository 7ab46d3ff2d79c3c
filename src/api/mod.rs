//! The Cloudflare KV REST API and nothing else: one attempt in, one [`answer::Reply`] out. No retry, no rate, no
//! terminal, and no file but those of the token and the certificates.
//!
//! - `url`: the exact URLs of the few calls; nothing else can be requested.
//! - `auth`: secrets, from text or file to header; `secret`: what one may look like. `token_command`: a token that a command prints, and its successors.
//! - `connection`: how connections are set up.
//! - `memory`: what all large responses share.
//! - `http`: one request, its time and size limited. `client`: the calls to one
//!   namespace, made of such; `bulk`: those that delete, write and look for many keys; `listing`: a
//!   page of keys; `values`: what a key holds; `metadata`: what is stored beside a value.
//! - `account`: the calls that belong to an account or a user.
//! - `transport`: a request that got no answer, as an answer.
//! - `envelope`: the JSON of a body. `retry_hints`: times and quotas in headers.
//! - `classify`: the table from status and code to [`answer::Answer`].

mod account;
pub(crate) mod answer;
mod auth;
mod bulk;
mod classify;
mod client;
mod connection;
mod envelope;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod http;
mod listing;
mod memory;
mod metadata;
pub(crate) mod retry_hints;
mod secret;
mod token_command;
mod transport;
mod url;
mod values;

pub use auth::{Credentials, CredentialsError};
pub use client::{Client, ClientOptions};
pub use error::ClientError;
pub use http::Access;
pub use secret::SecretError;
pub use token_command::{TokenCommand, TokenCommandError};
pub use url::{BaseUrl, BaseUrlError, UrlMismatch};

pub use crate::net::ConnectError;

// For the simulation and the tests, see `internals`.
#[doc(hidden)]
pub use bulk::{Accounting, BulkReply, Presence};
#[doc(hidden)]
pub use classify::answer_to_delete;
#[doc(hidden)]
pub use listing::{Cursor, Page, PageRequest};
#[doc(hidden)]
pub use metadata::Metadata;

pub(crate) use account::{Account, AccountClient, PageOf, Policy, TokenDetails, TokenStatus, User};
pub(crate) use bulk::{MAX_BULK_BYTES, MAX_BULK_KEYS, MAX_GET_KEYS, MAX_PUT_KEYS};
pub(crate) use classify::MAX_VALUE_BYTES;
pub(crate) use client::Namespace;
pub(crate) use listing::ListedKey;
pub(crate) use url::Owner;
pub(crate) use values::Value;
