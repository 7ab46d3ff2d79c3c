//! HTTP connections that do nothing unasked: what they trust, what they go through, how their errors are told.

mod connection;
mod error_chain;
mod failure;
mod peer;
mod proxy;
mod tls;

pub use connection::ConnectError;
pub(crate) use connection::connect;
pub(crate) use error_chain::{causes, error_chain};
pub(crate) use failure::{Stage, in_words, peer};
pub(crate) use peer::Peer;
