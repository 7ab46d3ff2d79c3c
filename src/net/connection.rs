//! Connections to one server that do nothing unasked: no redirect, no hidden retry, no proxy that cannot be used.

use std::path::Path;

use reqwest::{ClientBuilder, Proxy};
use thiserror::Error;

use super::proxy::{self, ProxyError};
use super::tls::{self, TrustError};
use super::{Peer, error_chain};

/// Why no connection can be set up.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// No certificates to trust.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The environment names a proxy that cannot be used.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// Anything else that the HTTP library says.
    #[error("cannot set up the HTTP client: {0}")]
    Build(String),
}

/// A client for `peer` with `settings`, that does nothing unasked. Sends nothing yet.
pub(crate) fn connect(
    peer: &Peer,
    ca_file: Option<&Path>,
    settings: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<reqwest::Client, ConnectError> {
    let builder = reqwest::Client::builder()
        // By default a DELETE is sent again to wherever a redirect points, secrets included.
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // By default some failures are repeated unseen, outside of our count and budget.
        .retry(reqwest::retry::never())
        .tcp_nodelay(true);
    let builder = match proxy::for_peer(peer)? {
        Some(url) => builder.proxy(Proxy::all(url).map_err(|error| ConnectError::Build(error_chain(&error)))?),
        // A proxy is not meant for this machine, and could not reach it.
        None if peer.is_loopback => builder.no_proxy(),
        // No variable applies; the proxy settings of macOS and Windows may.
        None => builder,
    };
    let builder = tls::trust(settings(builder), peer, ca_file)?;
    builder.build().map_err(|error| {
        if tls::is_without_roots(&error) {
            ConnectError::Trust(TrustError::NoRoots)
        } else {
            ConnectError::Build(error_chain(&error))
        }
    })
}
