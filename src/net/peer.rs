//! The server at the other end of a connection, as far as a connection depends on it.

use std::net::IpAddr;

use hyper::Uri;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    host: Box<str>,
    /// Whether it is reached without TLS.
    pub(crate) is_plain: bool,
    pub(crate) is_loopback: bool,
}

impl Peer {
    /// `host` as a parsed URL has it: lower case, IPv4 in its usual form, IPv6 in brackets.
    pub(crate) fn new(host: &str, is_plain: bool) -> Self {
        let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_loopback =
            host == "localhost" || address.unwrap_or(host).parse().is_ok_and(|address: IpAddr| address.is_loopback());
        Self { host: host.into(), is_plain, is_loopback }
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn uri(&self) -> Option<Uri> {
        let scheme = if self.is_plain { "http" } else { "https" };
        format!("{scheme}://{}/", self.host()).parse().ok()
    }
}
