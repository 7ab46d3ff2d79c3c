//! An error with everything that caused it, in one line.

use std::error::Error as StdError;
use std::io;
use std::iter;

/// An error and everything that caused it, including what `source()` skips.
pub(crate) fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    iter::successors(Some(error), |&error| {
        // An io::Error passes on the source of what it wraps, not what it wraps.
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            return Some(inner);
        }
        if let Some(inner) = error.downcast_ref::<h2::Error>().and_then(h2::Error::get_io) {
            return Some(inner);
        }
        error.source()
    })
}

/// All causes in one line, each named once.
pub(crate) fn error_chain(error: &(dyn StdError + 'static)) -> String {
    let mut chain = String::new();
    for cause in causes(error) {
        let text = cause.to_string();
        if chain.contains(&text) {
            continue;
        }
        if !chain.is_empty() {
            chain.push_str(": ");
        }
        chain.push_str(&text);
    }
    chain
}

#[cfg(test)]
pub(super) mod tests {
    use thiserror::Error;

    use super::*;

    #[derive(Debug, Error)]
    #[error("{text}")]
    pub(crate) struct Outer {
        pub(crate) text: &'static str,
        pub(crate) source: Box<dyn StdError + Send + Sync>,
    }

    pub(crate) fn within(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Outer {
        Outer { text: "error sending request", source: Box::new(Outer { text: "client error", source: source.into() }) }
    }

    #[test]
    fn each_cause_is_named_once() {
        let wrapped = io::Error::new(io::ErrorKind::InvalidData, "client error: no certificate");
        assert_eq!(error_chain(&within(wrapped)), "error sending request: client error: client error: no certificate");
        assert_eq!(
            error_chain(&within(io::Error::from(io::ErrorKind::BrokenPipe))),
            "error sending request: client error: broken pipe"
        );
    }
}
