//! A request that got no response, in words.

use std::error::Error as StdError;

use super::causes;
use crate::text::without_os_errors;

/// How far a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Building,
    Connecting,
    Connected,
}

impl Stage {
    pub(crate) fn of(error: &reqwest::Error) -> Self {
        if error.is_builder() {
            Self::Building
        } else if error.is_connect() {
            Self::Connecting
        } else {
            Self::Connected
        }
    }
}

/// `127.0.0.1:1`; the usual port is left out.
pub(crate) fn peer(error: &reqwest::Error) -> String {
    let host = |url: &reqwest::Url| {
        let (host, port) = (url.host_str()?, url.port());
        Some(port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
    };
    error.url().and_then(host).unwrap_or_else(|| "the server".to_owned())
}

/// `cannot connect to 127.0.0.1:1: connection refused`: what the libraries say about their own layers is left out.
pub(crate) fn in_words(stage: Stage, error: &(dyn StdError + 'static), peer: &str) -> String {
    let texts: Vec<_> = causes(error).map(ToString::to_string).collect();
    let text = texts.last().map(|text| without_os_errors(text)).unwrap_or_default();
    let text = text.strip_prefix(LOOKUP).unwrap_or(&text);
    let is_lookup = texts.iter().any(|text| text == "dns error");
    let text = match text.split_at_checked(1) {
        // Not an acronym, nor the name of an error.
        Some((first, rest)) if rest.starts_with(|c: char| c.is_ascii_lowercase()) && text.contains(' ') => {
            format!("{}{rest}", first.to_ascii_lowercase())
        }
        _ => text.to_owned(),
    };
    match stage {
        Stage::Connecting if is_lookup => format!("cannot resolve {}: {text}", peer.split(':').next().unwrap_or(peer)),
        Stage::Connecting => format!("cannot connect to {peer}: {text}"),
        Stage::Building | Stage::Connected => format!("the connection to {peer} failed: {text}"),
    }
}

/// What getaddrinfo's errors begin with in the standard library.
const LOOKUP: &str = "failed to lookup address information: ";

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::io;

    use rustix::io::Errno;

    use super::super::error_chain::tests::{Outer, within};
    use super::*;

    #[test]
    fn a_failed_connection_is_named_without_the_layers_of_the_libraries() {
        let refused = within(io::Error::from(Errno::CONNREFUSED));
        assert_eq!(in_words(Stage::Connecting, &refused, "h:1"), "cannot connect to h:1: connection refused");
        let reset = within(io::Error::from(Errno::CONNRESET));
        assert_eq!(in_words(Stage::Connected, &reset, "h"), "the connection to h failed: connection reset by peer");
        let unresolved = Outer { text: "dns error", source: format!("{LOOKUP}Name or service not known").into() };
        assert_eq!(in_words(Stage::Connecting, &unresolved, "h:1"), "cannot resolve h: name or service not known");
    }
}
