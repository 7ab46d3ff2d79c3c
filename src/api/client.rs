//! One request, one [`Reply`]. Its time and the size of its answer are limited; nothing is sent twice, followed,
//! decompressed or remembered.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, Url};
use serde::Deserialize;
use thiserror::Error;
use tokio::time::timeout;

use crate::api::answer::{Answer, Fatal, Refusal, Reply, Trouble};
use crate::api::auth::{Credentials, CredentialsError};
use crate::api::classify::{Body, Call, Head, classify};
use crate::api::envelope::Envelope;
use crate::api::tls::{self, TrustError};
use crate::api::transport;
use crate::api::url::{BaseUrl, Endpoint, NotItself};
use crate::clock::wall_now;
use crate::key::{AccountId, KeyName, NamespaceId};

/// How much of an answer is read, in bytes; the API's own have some hundred.
const MAX_BODY: usize = 64 * 1024;

/// How long a server's words may be in a message, in characters.
const MAX_MESSAGE: usize = 500;

/// A connection is given up sooner than a whole attempt.
const MAX_CONNECT: Duration = Duration::from_secs(10);

/// workerd closes a connection that was idle for 5 s: be quicker, so that no request meets the closing.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// How often a silent HTTP/2 connection is asked whether it lives, and how long it may take to say so. Without this a
/// dead one is kept for ever.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// What a [`Client`] is made of.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Where the API is.
    pub base_url: BaseUrl,
    /// Who asks.
    pub credentials: Credentials,
    /// Whose namespace it is.
    pub account: AccountId,
    /// The namespace; nothing outside of it is ever named.
    pub namespace: NamespaceId,
    /// How long one attempt may take, from connecting to the last byte of the answer.
    pub timeout: Duration,
    /// How many requests will be in flight at once; as many idle connections are kept.
    pub concurrency: usize,
    /// Certificates to trust besides the system's, in PEM.
    pub ca_file: Option<PathBuf>,
}

/// Why a client cannot be made.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The secrets cannot be sent.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// No certificates to trust.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The namespace's own URL would not be what was written.
    #[error("the URL of the namespace cannot be used: {0}")]
    Url(#[from] NotItself),
    /// Anything else that the HTTP library says, a proxy in the environment that is no URL for example.
    #[error("cannot set up the HTTP client: {0}")]
    Build(String),
}

/// What the API says of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Namespace {
    /// Its id.
    pub id: String,
    /// Its name, for people; may hold any character.
    pub title: String,
    /// Whether key names are taken percent-encoded; `Some(false)` for very old namespaces, `None` where it is not said.
    pub supports_url_encoding: Option<bool>,
}

/// Talks to one namespace. Cheap to clone; all clones share their connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    endpoint: Endpoint,
    namespace_url: Url,
    credentials: Credentials,
    timeout: Duration,
}

impl Client {
    /// Reads the certificates and sets up the connections; sends nothing.
    ///
    /// # Errors
    /// Where the secrets cannot stand in a header, or there is no certificate to trust.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let endpoint = Endpoint::new(&options.base_url, &options.account, &options.namespace);
        let builder = reqwest::Client::builder()
            .user_agent(concat!("kvsweep/", env!("CARGO_PKG_VERSION")))
            .default_headers(options.credentials.headers()?)
            // By default a DELETE is sent again to wherever a redirect points, secrets included.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            // By default some failures are repeated unseen, outside of our count and budget.
            .retry(reqwest::retry::never())
            .connect_timeout(options.timeout.min(MAX_CONNECT))
            .pool_idle_timeout(POOL_IDLE)
            // Fewer, and connections are thrown away between two requests.
            .pool_max_idle_per_host(options.concurrency.max(1))
            .http2_keep_alive_interval(KEEP_ALIVE)
            .http2_keep_alive_timeout(KEEP_ALIVE)
            .http2_keep_alive_while_idle(true)
            .tcp_nodelay(true);
        // A proxy from the environment is not meant for this machine, and could not reach it.
        let builder = if options.base_url.is_loopback() { builder.no_proxy() } else { builder };
        let builder = tls::trust(builder, &options.base_url, options.ca_file.as_deref())?;
        let http = builder.build().map_err(|error| {
            if tls::is_without_roots(&error) {
                ClientError::Trust(TrustError::NoRoots)
            } else {
                ClientError::Build(transport::story(&error))
            }
        })?;
        Ok(Self {
            inner: Arc::new(Inner {
                http,
                namespace_url: endpoint.namespace()?,
                endpoint,
                credentials: options.credentials,
                timeout: options.timeout,
            }),
        })
    }

    /// Sends one `DELETE` for `key`.
    pub async fn delete(&self, key: &KeyName) -> Reply {
        match self.inner.endpoint.value(key) {
            Ok(url) => self.attempt(Call::DeleteKey, Method::DELETE, url).await.0,
            Err(error) => unsent(error.to_string()),
        }
    }

    /// Sends one `GET` for the namespace: proves credentials and ids.
    ///
    /// # Errors
    /// What came instead; never [`Answer::Deleted`] or [`Answer::Absent`].
    pub async fn namespace(&self) -> Result<Namespace, Reply> {
        let url = self.inner.namespace_url.clone();
        let (reply, body) = self.attempt(Call::GetNamespace, Method::GET, url).await;
        if reply.answer != Answer::Deleted {
            return Err(reply);
        }
        Envelope::parse(&body).and_then(|envelope| Namespace::deserialize(envelope.result)).map_err(|error| {
            let what = format!("the answer does not describe a namespace: {error}");
            Reply { answer: self.presentable(no_answer(what)), ..reply }
        })
    }

    /// One request; with the body of its answer, empty where it did not come whole.
    async fn attempt(&self, call: Call, method: Method, url: Url) -> (Reply, Vec<u8>) {
        let limit = self.inner.timeout;
        let received = timeout(limit, self.receive(method, url)).await.unwrap_or_else(|_| {
            let limit = humantime::format_duration(limit);
            Err(no_answer(format!("no complete answer within {limit}")))
        });
        let (head, body) = match received {
            Ok(received) => received,
            Err(answer) => return (without_status(self.presentable(answer)), Vec::new()),
        };
        let reply = Reply {
            answer: self.presentable(classify(call, &head, &body)),
            http_status: Some(head.status),
            quota: head.advice.quota,
        };
        match body {
            Body::Whole(bytes) => (reply, bytes),
            Body::Cut(..) => (reply, Vec::new()),
        }
    }

    /// Takes the secret out of what came from outside, and cuts it to a length that fits a row.
    fn presentable(&self, mut answer: Answer) -> Answer {
        if let Some(text) = text_mut(&mut answer) {
            self.inner.credentials.redact(text);
            shorten(text);
        }
        answer
    }

    /// The answer's head and at most [`MAX_BODY`] bytes of its body; `Err` where no head came.
    async fn receive(&self, method: Method, url: Url) -> Result<(Head, Body), Answer> {
        let request = self.inner.http.request(method, url);
        let mut response = request.send().await.map_err(transport::unanswered)?;
        let head = Head::read(response.status(), response.headers(), wall_now());
        let mut bytes = Vec::new();
        let body = loop {
            match response.chunk().await {
                Ok(None) => break Body::Whole(bytes),
                Ok(Some(chunk)) if bytes.len() + chunk.len() <= MAX_BODY => bytes.extend_from_slice(&chunk),
                Ok(Some(_)) => break Body::Cut(bytes, format!("the body is longer than {} KiB", MAX_BODY / 1024)),
                Err(error) => {
                    let why = transport::story(&error.without_url());
                    break Body::Cut(bytes, format!("the body was cut off: {why}"));
                }
            }
        };
        Ok((head, body))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("namespace", &self.inner.namespace_url.as_str())
            .field("timeout", &self.inner.timeout)
            .finish_non_exhaustive()
    }
}

fn without_status(answer: Answer) -> Reply {
    Reply { answer, http_status: None, quota: Vec::new() }
}

fn unsent(message: String) -> Reply {
    without_status(Answer::Refused(Refusal { http_status: None, code: None, message }))
}

fn no_answer(what: String) -> Answer {
    Answer::Passing { trouble: Trouble::NoAnswer(what), retry_after: None }
}

/// The one text of an answer that may hold a server's words.
fn text_mut(answer: &mut Answer) -> Option<&mut String> {
    match answer {
        Answer::Deleted => None,
        Answer::Stale(text) | Answer::Passing { trouble: Trouble::NoAnswer(text), .. } => Some(text),
        Answer::Absent(refusal)
        | Answer::Refused(refusal)
        | Answer::DailyLimit(refusal)
        | Answer::Throttled { refusal, .. }
        | Answer::Fatal(Fatal::Unauthorized | Fatal::NamespaceNotFound | Fatal::AccountNotFound, refusal)
        | Answer::Passing { trouble: Trouble::Refused(refusal), .. } => Some(&mut refusal.message),
    }
}

fn shorten(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MAX_MESSAGE) {
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests;
