//! Pings that tell a dead man's switch that a job began, and how it ended, in the convention of healthchecks.io
//! (<https://healthchecks.io/docs/http_api/>): a POST to `URL/start`, to `URL` after success, to `URL/CODE` after
//! anything else.
//!
//! Whoever knows the URL can ping, so it is kept like a secret: it is in no log, no error and no debug print.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use tokio::time::{sleep, timeout};

use crate::net::{ConnectError, Peer, Stage, connect, in_words, peer};

const TIMEOUT: Duration = Duration::from_secs(10);

/// The waits between attempts; there is one attempt more.
const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// The most that is read of an answer, in bytes.
const MOST_READ: usize = 256;

#[derive(Clone)]
pub struct PingUrl {
    url: SecretString,
    peer: Peer,
}

/// A text that is no URL to ping. Never holds any part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PingUrlError {
    #[error("expected a URL such as https://hc-ping.com/…")]
    Unreadable,
    #[error("only https and http URLs can be pinged")]
    Scheme,
    #[error("a ping URL must not contain `#`")]
    Fragment,
}

impl FromStr for PingUrl {
    type Err = PingUrlError;

    /// `https`, or `http` for a server of one's own.
    fn from_str(text: &str) -> Result<Self, PingUrlError> {
        let url = Url::parse(text.trim()).map_err(|_| PingUrlError::Unreadable)?;
        let plain = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => return Err(PingUrlError::Scheme),
        };
        if url.fragment().is_some() {
            return Err(PingUrlError::Fragment);
        }
        let peer = Peer::new(url.host_str().unwrap_or_default(), plain);
        Ok(Self { url: SecretString::from(String::from(url)), peer })
    }
}

impl fmt::Debug for PingUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PingUrl").field("host", &self.host()).finish_non_exhaustive()
    }
}

impl PartialEq for PingUrl {
    fn eq(&self, other: &Self) -> bool {
        self.url.expose_secret() == other.url.expose_secret()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Start,
    /// It ended with this code; 0 is success.
    End(u8),
}

impl PingUrl {
    pub fn host(&self) -> &str {
        self.peer.host()
    }

    fn at(&self, signal: Signal) -> Option<Url> {
        let mut url = Url::parse(self.url.expose_secret()).ok()?;
        let last = match signal {
            Signal::Start => "start".to_owned(),
            Signal::End(0) => return Some(url),
            Signal::End(code) => code.to_string(),
        };
        url.path_segments_mut().ok()?.pop_if_empty().push(&last);
        Some(url)
    }
}

/// Why a ping did not arrive, or not count. Never holds the URL.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum PingError {
    #[error("the server responded with {status}{}{said}", if said.is_empty() { "" } else { ": " })]
    Answer {
        status: u16,
        /// The beginning of what it said; may hold any character.
        said: String,
    },
    #[error("{0}")]
    NoAnswer(String),
}

impl PingError {
    fn may_pass(&self) -> bool {
        match self {
            Self::Answer { status, .. } => matches!(status, 429 | 500..),
            Self::NoAnswer(_) => true,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Pinger {
    url: PingUrl,
    client: reqwest::Client,
}

impl Pinger {
    /// Sets up a client of its own: nothing is shared with the requests of the job. Sends nothing.
    pub(crate) fn new(url: PingUrl, ca_file: Option<&Path>) -> Result<Self, ConnectError> {
        // No connection is kept: the next ping may be sent hours later, and from another runtime.
        let client = connect(&url.peer, ca_file, |builder| {
            builder
                .user_agent(concat!("kvsweep/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(TIMEOUT)
                .timeout(TIMEOUT)
                .pool_max_idle_per_host(0)
        })?;
        Ok(Self { url, client })
    }

    pub(crate) fn host(&self) -> &str {
        self.url.host()
    }

    /// Sends one ping with a text for people, three times at most.
    pub(crate) async fn send(&self, signal: Signal, text: &str) -> Result<(), PingError> {
        let mut waits = WAITS.into_iter();
        loop {
            match (self.attempt(signal, text).await, waits.next()) {
                (Err(error), Some(wait)) if error.may_pass() => {
                    tracing::debug!(?error, "a ping failed and is sent again");
                    sleep(wait).await;
                }
                (done, _) => return done,
            }
        }
    }

    async fn attempt(&self, signal: Signal, text: &str) -> Result<(), PingError> {
        let Some(url) = self.url.at(signal) else { return Err(PingError::NoAnswer("not sent".to_owned())) };
        let no_answer = |error: reqwest::Error| {
            let (stage, peer) = (Stage::of(&error), peer(&error));
            PingError::NoAnswer(in_words(stage, &error.without_url(), &peer))
        };
        let mut response = self.client.post(url).body(text.to_owned()).send().await.map_err(no_answer)?;
        let status = response.status();
        let mut said = Vec::new();
        // How it ended does not depend on what is said about it.
        while let Ok(Ok(Some(chunk))) = timeout(TIMEOUT, response.chunk()).await
            && said.len() < MOST_READ
        {
            said.extend_from_slice(&chunk);
        }
        said.truncate(MOST_READ);
        let said = String::from_utf8_lossy(&said);
        let said = said.lines().next().unwrap_or_default().trim();
        // healthchecks.io answers 200 and "OK (not found)" or "OK (rate limited)" to what it did not count.
        if status.is_success() && !said.starts_with("OK (") {
            return Ok(());
        }
        // A server may repeat what it was asked, and with it the secret.
        let secret = Url::parse(self.url.url.expose_secret()).map(|url| url.path().to_owned()).unwrap_or_default();
        let repeats = secret.split('/').any(|part| part.len() >= 8 && said.contains(part));
        let said = if repeats { String::new() } else { said.to_owned() };
        Err(PingError::Answer { status: status.as_u16(), said })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> PingUrl {
        text.parse().unwrap()
    }

    #[test]
    fn a_signal_has_its_own_place() {
        for (text, start, success, failure) in [
            ("https://hc-ping.com/uuid", "/uuid/start", "/uuid", "/uuid/143"),
            ("https://hc-ping.com/uuid/", "/uuid/start", "/uuid/", "/uuid/143"),
            (
                "http://hc.lan:8000/ping/key/slug?create=1",
                "/ping/key/slug/start?create=1",
                "/ping/key/slug?create=1",
                "/ping/key/slug/143?create=1",
            ),
            ("https://hc-ping.com", "/start", "/", "/143"),
        ] {
            let at = |signal| {
                let url = url(text).at(signal).unwrap();
                format!("{}{}", url.path(), url.query().map(|query| format!("?{query}")).unwrap_or_default())
            };
            assert_eq!(at(Signal::Start), start);
            assert_eq!(at(Signal::End(0)), success);
            assert_eq!(at(Signal::End(143)), failure);
        }
    }

    #[test]
    fn the_url_is_never_shown() {
        let url = url("https://user:hunter2@hc-ping.com/hunter2-hunter2");
        assert_eq!(format!("{url:?}"), "PingUrl { host: \"hc-ping.com\", .. }");
        let pinger = Pinger::new(url, None).unwrap();
        assert!(!format!("{pinger:?}").contains("hunter2"));
        for (text, error) in [
            ("hunter2", PingUrlError::Unreadable),
            ("", PingUrlError::Unreadable),
            ("ftp://hunter2/x", PingUrlError::Scheme),
            ("hunter2:x", PingUrlError::Scheme),
            ("https://", PingUrlError::Unreadable),
            ("https://h/x#hunter2", PingUrlError::Fragment),
        ] {
            let got = text.parse::<PingUrl>().unwrap_err();
            assert_eq!(got, error, "{text}");
            assert!(!format!("{got} {got:?}").contains("hunter2"));
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_an_error_without_the_url() {
        let pinger = Pinger::new(url("http://127.0.0.1:9/hunter2-hunter2"), None).unwrap();
        let error = pinger.attempt(Signal::Start, "").await.unwrap_err();
        assert!(error.may_pass());
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
