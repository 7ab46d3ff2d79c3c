//! A request that got no answer, as an [`Answer`]. Only what the chain of causes proves is distinguished; all else may
//! pass, and may or may not have been done.

use std::error::Error as StdError;
use std::io;

use rustls::CertificateError;

use crate::api::answer::{Answer, Refusal, TransientError};
use crate::net::{Stage, causes, error_chain, in_words, peer};
use crate::platform;

/// The outcome of a request whose response did not begin.
pub(crate) fn unanswered(error: reqwest::Error) -> Answer {
    let (stage, peer) = (Stage::of(&error), peer(&error));
    // The URL is long, known, and may be foreign text.
    classify(stage, &error.without_url(), &peer)
}

fn classify(stage: Stage, error: &(dyn StdError + 'static), peer: &str) -> Answer {
    if stage == Stage::Building {
        return Answer::Refused(Refusal::without_response(format!("not sent: {}", error_chain(error))));
    }
    let text = in_words(stage, error, peer);
    if causes(error).any(|cause| distrust(cause).is_some()) {
        let why = causes(error).find_map(distrust).unwrap_or_default();
        let message = format!("the certificate of {peer} is not trusted: {why}");
        return Answer::Transient(TransientError::Unexpected(Refusal::without_response(message)));
    }
    if causes(error).any(is_proxy_auth) {
        let message = format!("the proxy requires authentication (HTTP 407) to connect to {peer}");
        return Answer::Transient(TransientError::Unexpected(Refusal::without_response(message)));
    }
    if causes(error).any(is_out_of_files) {
        return Answer::Transient(TransientError::no_answer(
            "not sent: this process may not open more files or connections; raise ulimit -n or lower --concurrency",
        ));
    }
    if stage == Stage::Connected {
        let unprocessed = causes(error).any(is_unprocessed);
        if unprocessed || causes(error).any(is_closed_unanswered) {
            return Answer::ConnectionClosed { text, unprocessed };
        }
    }
    Answer::Transient(TransientError::no_answer(text))
}

fn distrust(cause: &(dyn StdError + 'static)) -> Option<String> {
    let Some(rustls::Error::InvalidCertificate(error)) = cause.downcast_ref() else { return None };
    Some(match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet".to_owned(),
        CertificateError::UnknownIssuer => "its issuer is unknown".to_owned(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another host".to_owned()
        }
        other => other.to_string(),
    })
}

/// The proxy of an https URL answered CONNECT with 407. hyper-util keeps the type to itself.
fn is_proxy_auth(cause: &(dyn StdError + 'static)) -> bool {
    cause.to_string() == "tunnel error: proxy authorization required"
}

/// The machine's or the process's own limit of open files: the server has no part in it.
fn is_out_of_files(cause: &(dyn StdError + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(platform::is_out_of_files)
}

/// The server reported that it did not process the request (RFC 9113, 8.7). A GOAWAY without an error ends only the requests after
/// the last one that it names; the others are still answered.
fn is_unprocessed(cause: &(dyn StdError + 'static)) -> bool {
    cause.downcast_ref::<h2::Error>().is_some_and(|error| {
        error.is_remote()
            && match error.reason() {
                Some(h2::Reason::REFUSED_STREAM) => true,
                Some(h2::Reason::NO_ERROR) => error.is_go_away(),
                _ => false,
            }
    })
}

/// The connection ended before the answer began. hyper cannot tell a head that was cut in the middle from one that never came;
/// to this crate they are the same.
fn is_closed_unanswered(cause: &(dyn StdError + 'static)) -> bool {
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return error.is_incomplete_message() || error.is_canceled();
    }
    cause.downcast_ref::<io::Error>().is_some_and(|error| {
        matches!(
            error.kind(),
            // The last is a TLS connection that was closed without saying so.
            io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof
        )
    })
}

#[cfg(test)]
mod tests {
    use thiserror::Error;

    use super::*;

    #[derive(Debug, Error)]
    #[error("{text}")]
    struct Outer {
        text: &'static str,
        source: Box<dyn StdError + Send + Sync>,
    }

    fn within(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Outer {
        Outer { text: "error sending request", source: Box::new(Outer { text: "client error", source: source.into() }) }
    }

    fn untrusted() -> Outer {
        within(io::Error::new(io::ErrorKind::InvalidData, rustls::Error::InvalidCertificate(CertificateError::Expired)))
    }

    fn kind(answer: &Answer) -> &'static str {
        match answer {
            Answer::ConnectionClosed { unprocessed: false, .. } => "stale",
            Answer::ConnectionClosed { unprocessed: true, .. } => "unprocessed",
            Answer::Refused(_) => "refused",
            Answer::Transient(TransientError::NoAnswer(_)) => "no answer",
            Answer::Transient(TransientError::Unexpected(_)) => "unexpected",
            _ => "other",
        }
    }

    #[test]
    fn a_connection_that_ended_is_stale_only_once_it_stood() {
        use io::ErrorKind as K;
        for (cause, connected) in [
            (K::ConnectionReset, "stale"),
            (K::ConnectionAborted, "stale"),
            (K::BrokenPipe, "stale"),
            (K::UnexpectedEof, "stale"),
            (K::ConnectionRefused, "no answer"),
            (K::TimedOut, "no answer"),
            (K::InvalidData, "no answer"),
        ] {
            assert_eq!(kind(&classify(Stage::Connected, &within(io::Error::from(cause)), "h")), connected, "{cause}");
            let connecting = classify(Stage::Connecting, &within(io::Error::from(cause)), "h");
            assert_eq!(kind(&connecting), "no answer", "{cause}");
        }
    }

    #[test]
    fn a_reason_alone_is_not_the_servers_word() {
        for reason in [h2::Reason::REFUSED_STREAM, h2::Reason::NO_ERROR, h2::Reason::CANCEL] {
            assert_eq!(kind(&classify(Stage::Connected, &within(h2::Error::from(reason)), "h")), "no answer");
        }
    }

    #[test]
    fn distrust_is_not_the_api_however_deep_it_lies() {
        for stage in [Stage::Connecting, Stage::Connected] {
            let answer = classify(stage, &untrusted(), "h");
            assert_eq!(kind(&answer), "unexpected", "{answer:?}");
        }
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::InternalError);
        let alert = within(io::Error::new(io::ErrorKind::InvalidData, alert));
        assert_eq!(kind(&classify(Stage::Connecting, &alert, "h")), "no answer");
        assert_eq!(kind(&classify(Stage::Building, &within("a bad header"), "h")), "refused");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_missing_on_this_machine_is_not_the_servers_fault() {
        use rustix::io::Errno;

        for errno in [Errno::MFILE, Errno::NFILE] {
            let answer = classify(Stage::Connecting, &within(io::Error::from(errno)), "h");
            let Answer::Transient(TransientError::NoAnswer(refusal)) = answer else { panic!("{answer:?}") };
            assert!(refusal.message.contains("ulimit -n"), "{}", refusal.message);
        }
    }
}
