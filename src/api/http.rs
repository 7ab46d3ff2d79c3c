//! One request, one [`Reply`]: whatever the call. Its time and the size of its answer are limited; nothing is sent
//! twice, followed, decompressed or remembered.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{ClientBuilder, Method, Request, Url};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::api::answer::{Answer, Fatal, Refusal, Reply, Trouble};
use crate::api::auth::Credentials;
use crate::api::classify::{Body, Call, Head, classify};
use crate::api::client::ClientError;
use crate::api::tls::{self, TrustError};
use crate::api::transport;
use crate::api::url::{BaseUrl, NotItself, Peer};
use crate::api::usual::Usual;
use crate::api::values::{Room, SMALL_VALUE_BYTES};
use crate::clock::wall_now;

/// A connection is given up sooner than a whole attempt.
const MAX_CONNECT: Duration = Duration::from_secs(10);

/// workerd closes a connection that was idle for 5 s: be quicker, so that no request meets the closing.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// How often a silent HTTP/2 connection is asked whether it lives, and how long it may take to say so. Without this a
/// dead one is kept for ever.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// How much of an answer is on its way before it is read, in bytes.
const STREAM_WINDOW: u32 = 512 << 10;

/// Enough for as many answers, but no more than HTTP/2 has numbers for (RFC 9113, 6.9.1).
fn connection_window(concurrency: usize) -> u32 {
    let answers = u32::try_from(concurrency).unwrap_or(u32::MAX).saturating_add(1);
    STREAM_WINDOW.saturating_mul(answers).min((1 << 31) - 1)
}

/// What all connections of a client have in common.
pub(crate) struct HttpOptions<'a> {
    pub(crate) base_url: &'a BaseUrl,
    pub(crate) credentials: Credentials,
    /// How long one attempt may take, from connecting to the last byte of the answer.
    pub(crate) timeout: Duration,
    /// As many idle connections are kept.
    pub(crate) concurrency: usize,
    pub(crate) ca_file: Option<&'a Path>,
}

/// One request.
pub(crate) struct Ask {
    pub(crate) call: Call,
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// JSON.
    pub(crate) body: Option<Bytes>,
}

impl Ask {
    pub(crate) fn new(call: Call, method: Method, url: Url) -> Self {
        Self { call, method, url, body: None }
    }
}

/// A client for `peer` with `settings`, that does nothing unasked. Sends nothing yet.
pub(crate) fn connect(
    peer: Peer,
    ca_file: Option<&Path>,
    settings: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<reqwest::Client, ClientError> {
    let builder = reqwest::Client::builder()
        // By default a DELETE is sent again to wherever a redirect points, secrets included.
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // By default some failures are repeated unseen, outside of our count and budget.
        .retry(reqwest::retry::never())
        .tcp_nodelay(true);
    // A proxy from the environment is not meant for this machine, and could not reach it.
    let builder = if peer.is_loopback { builder.no_proxy() } else { builder };
    let builder = tls::trust(settings(builder), peer, ca_file)?;
    builder.build().map_err(|error| {
        if tls::is_without_roots(&error) {
            ClientError::Trust(TrustError::NoRoots)
        } else {
            ClientError::Build(transport::story(&error))
        }
    })
}

/// Connections to one server, and the secrets that open it.
pub(crate) struct Http {
    client: reqwest::Client,
    /// Those of every request. Not the client's defaults: it would insert them into each request one by one.
    headers: HeaderMap,
    credentials: Credentials,
    timeout: Duration,
    usual: Usual,
}

impl Http {
    /// Reads the certificates and sets up the connections; sends nothing.
    pub(crate) fn new(options: HttpOptions<'_>) -> Result<Self, ClientError> {
        let mut headers = options.credentials.headers()?;
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("kvsweep/", env!("CARGO_PKG_VERSION"))));
        // The client would add it.
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        let client = connect(options.base_url.peer(), options.ca_file, |builder| {
            builder
                .connect_timeout(options.timeout.min(MAX_CONNECT))
                .pool_idle_timeout(POOL_IDLE)
                // Fewer, and connections are thrown away between two requests.
                .pool_max_idle_per_host(options.concurrency.max(1))
                .http2_keep_alive_interval(KEEP_ALIVE)
                .http2_keep_alive_timeout(KEEP_ALIVE)
                .http2_keep_alive_while_idle(true)
                // So that large values that wait for room do not hold up the other answers of the same connection.
                .http2_initial_stream_window_size(STREAM_WINDOW)
                .http2_initial_connection_window_size(connection_window(options.concurrency))
        })?;
        let (credentials, timeout) = (options.credentials, options.timeout);
        Ok(Self { client, headers, credentials, timeout, usual: Usual::default() })
    }

    /// One request, and what `read` makes of the body of a success. A body that it cannot read is no conclusive
    /// response, and its error says why.
    pub(crate) async fn attempt<T>(
        &self,
        ask: Ask,
        read: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> (Reply, Option<T>) {
        let read = |answer: &Answer, body: &[u8]| (*answer == Answer::Success).then(|| read(body)).transpose();
        let (reply, read) = self.attempt_in_part(ask, read).await;
        (reply, read.flatten())
    }

    /// As [`Http::attempt`], and `read` is also given the body of a response that is no success: for a call whose
    /// keys may fare differently. Its error matters after a success only.
    pub(crate) async fn attempt_in_part<T>(
        &self,
        ask: Ask,
        read: impl FnOnce(&Answer, &[u8]) -> Result<T, String>,
    ) -> (Reply, Option<T>) {
        let call = ask.call;
        let received = timeout(self.timeout, self.receive(ask)).await.unwrap_or_else(|_| Err(self.out_of_time()));
        let (head, body) = match received {
            Ok(received) => received,
            Err(answer) => return (self.reply(answer, None), None),
        };
        let answer = self.usual.classify(call, &head, &body);
        let is_the_apis = !matches!(answer, Answer::Passing(Trouble::Unexpected(_)));
        let read = match body {
            Body::Whole(bytes) if is_the_apis => Some(read(&answer, &bytes)),
            _ => None,
        };
        self.with_read(answer, head, read)
    }

    /// The reply, and what was read of the response; a success that cannot be read is none.
    fn with_read<T>(&self, answer: Answer, head: Head, read: Option<Result<T, String>>) -> (Reply, Option<T>) {
        let (answer, read) = match (answer, read.transpose()) {
            (Answer::Success, Err(message)) => {
                let refusal = Refusal { http_status: Some(head.status), code: None, message };
                (Answer::Passing(Trouble::NoAnswer(refusal)), None)
            }
            (answer, read) => (answer, read.unwrap_or_default()),
        };
        (self.reply(answer, Some(head)), read)
    }

    /// The only way for a reply to leave this module: everything in it that came from outside is sanitized.
    fn reply(&self, mut answer: Answer, head: Option<Head>) -> Reply {
        if let Some(text) = text_mut(&mut answer) {
            *text = self.credentials.sanitized(text);
        }
        let (http_status, mut quota) = head.map(|head| (head.status, head.advice.quota)).unzip();
        for policy in quota.iter_mut().flatten() {
            policy.name = self.credentials.sanitized(&policy.name);
        }
        Reply { answer, http_status, quota: quota.unwrap_or_default() }
    }

    /// The reply to a request that cannot be sent, for this reason.
    pub(crate) fn unsent(&self, why: &NotItself) -> Reply {
        self.reply(Answer::Refused(Refusal::without_response(why.to_string())), None)
    }

    /// What takes the secret out of text in the body of a response, and cuts it.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The answer's head and at most as many bytes as the call allows of its body; `Err` where no head came.
    async fn receive(&self, ask: Ask) -> Result<(Head, Body), Answer> {
        let most = ask.call.max_answer();
        let mut opened = self.open(ask).await?;
        let ended = opened.read(most).await;
        Ok((opened.head, ended.body(opened.bytes, most)))
    }

    /// As [`Http::attempt`] for the body of a value, which may be large: the time is counted anew once there is `room`
    /// for it. With the body and what `read` makes of the headers where a value came whole.
    pub(crate) async fn attempt_value<T>(
        &self,
        ask: Ask,
        room: &Room,
        read: impl FnOnce(&HeaderMap) -> Result<T, String>,
    ) -> (Reply, Option<Received<T>>) {
        let call = ask.call;
        let begun = timeout(self.timeout, async {
            let mut opened = self.open(ask).await?;
            let ended = opened.read(SMALL_VALUE_BYTES).await;
            Ok((opened, ended))
        });
        let (mut opened, mut ended) = match begun.await.unwrap_or_else(|_| Err(self.out_of_time())) {
            Ok(begun) => begun,
            Err(answer) => return (self.reply(answer, None), None),
        };
        let (mut place, mut most) = (None, SMALL_VALUE_BYTES);
        if ended == Ended::Full && opened.head.status == 200 {
            most = call.max_answer();
            let length = opened.response.content_length();
            place = room.place(length).await;
            opened.expect(length, most);
            ended = match timeout(self.timeout, opened.read(most)).await {
                Ok(ended) => ended,
                Err(_) => return (self.reply(self.out_of_time(), None), None),
            };
        }
        let (head, headers) = (opened.head, std::mem::take(opened.response.headers_mut()));
        let body = ended.body(opened.bytes, most);
        let answer = classify(call, &head, &body);
        let received = match body {
            Body::Whole(bytes) if answer == Answer::Success => Some(read(&headers).map(|read| (bytes, read, place))),
            _ => None,
        };
        self.with_read(answer, head, received)
    }

    fn out_of_time(&self) -> Answer {
        let time = humantime::format_duration(self.timeout);
        Answer::Passing(Trouble::no_answer(format!("no complete answer within {time}")))
    }

    /// The head of the answer; `Err` where none came.
    async fn open(&self, ask: Ask) -> Result<Opened, Answer> {
        let mut request = Request::new(ask.method, ask.url);
        request.headers_mut().clone_from(&self.headers);
        if let Some(body) = ask.body {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Some(body.into());
        }
        let response = self.client.execute(request).await.map_err(transport::unanswered)?;
        let head = Head::read(response.status(), response.headers(), wall_now());
        Ok(Opened { head, response, bytes: Vec::new() })
    }
}

/// A body that came whole, what was read of the headers, and its place in the room.
pub(crate) type Received<T> = (Vec<u8>, T, Option<OwnedSemaphorePermit>);

/// An answer that is being read.
struct Opened {
    head: Head,
    response: reqwest::Response,
    bytes: Vec<u8>,
}

/// Why no more of a body is read.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// There is no more.
    Whole,
    /// There is more than was wanted.
    Full,
    /// It broke off.
    Cut(String),
}

impl Opened {
    /// Makes room for a body of this length at once: a vector that grows takes twice as much.
    fn expect(&mut self, length: Option<u64>, most: usize) {
        let length = length.and_then(|length| usize::try_from(length).ok()).unwrap_or_default().min(most);
        self.bytes.reserve_exact(length.saturating_sub(self.bytes.len()));
    }

    /// Reads on, up to the first chunk beyond `most` bytes.
    async fn read(&mut self, most: usize) -> Ended {
        while self.bytes.len() <= most {
            match self.response.chunk().await {
                Ok(None) => return Ended::Whole,
                Ok(Some(chunk)) => self.bytes.extend_from_slice(&chunk),
                Err(error) => return Ended::Cut(transport::story(&error.without_url())),
            }
        }
        Ended::Full
    }
}

impl Ended {
    fn body(self, bytes: Vec<u8>, most: usize) -> Body {
        match self {
            Self::Whole => Body::Whole(bytes),
            Self::Full => Body::TooLong(bytes, format!("the body is longer than {} KiB", most / 1024)),
            Self::Cut(why) => Body::Cut(bytes, format!("the body was cut off: {why}")),
        }
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// The one text of an answer that may hold a server's words.
fn text_mut(answer: &mut Answer) -> Option<&mut String> {
    match answer {
        Answer::Success => None,
        Answer::Stale(text) => Some(text),
        Answer::Throttled { trouble, .. } | Answer::Passing(trouble) => Some(&mut trouble.refusal_mut().message),
        Answer::Absent(refusal)
        | Answer::Refused(refusal)
        | Answer::DailyLimit(refusal)
        | Answer::Fatal(Fatal::Unauthorized | Fatal::NamespaceNotFound | Fatal::AccountNotFound, refusal) => {
            Some(&mut refusal.message)
        }
    }
}
