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
use crate::api::url::{BaseUrl, Peer};
use crate::api::usual::Usual;
use crate::api::values::{Room, SMALL_VALUE_BYTES};
use crate::clock::wall_now;

/// How long a server's words may be in a message, in characters.
pub(crate) const MAX_MESSAGE: usize = 500;

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

    /// One request; with the body of its answer, empty where it did not come whole.
    pub(crate) async fn attempt(&self, ask: Ask) -> (Reply, Vec<u8>) {
        let call = ask.call;
        let received = timeout(self.timeout, self.receive(ask)).await.unwrap_or_else(|_| Err(self.out_of_time()));
        let (head, body) = match received {
            Ok(received) => received,
            Err(answer) => return (without_status(self.presentable(answer)), Vec::new()),
        };
        let reply = Reply {
            answer: self.presentable(self.usual.classify(call, &head, &body)),
            http_status: Some(head.status),
            quota: head.advice.quota,
        };
        match body {
            Body::Whole(bytes) => (reply, bytes),
            Body::Cut(..) => (reply, Vec::new()),
        }
    }

    /// Takes the secret out of what came from outside, and cuts it to a length that fits a row.
    pub(crate) fn presentable(&self, mut answer: Answer) -> Answer {
        if let Some(text) = text_mut(&mut answer) {
            self.credentials.redact(text);
            shorten(text);
        }
        answer
    }

    /// The answer's head and at most as many bytes as the call allows of its body; `Err` where no head came.
    async fn receive(&self, ask: Ask) -> Result<(Head, Body), Answer> {
        let most = ask.call.max_answer();
        let mut opened = self.open(ask).await?;
        let ended = opened.read(most).await;
        Ok((opened.head, ended.body(opened.bytes, most)))
    }

    /// As [`Http::attempt`] for the body of a value, which may be large: the time is counted anew once there is `room`
    /// for it. With the body and the headers where a value came whole.
    pub(crate) async fn attempt_value(&self, ask: Ask, room: &Room) -> (Reply, Option<Received>) {
        let call = ask.call;
        let begun = timeout(self.timeout, async {
            let mut opened = self.open(ask).await?;
            let ended = opened.read(SMALL_VALUE_BYTES).await;
            Ok((opened, ended))
        });
        let (mut opened, mut ended) = match begun.await.unwrap_or_else(|_| Err(self.out_of_time())) {
            Ok(begun) => begun,
            Err(answer) => return (without_status(self.presentable(answer)), None),
        };
        let (mut place, mut most) = (None, SMALL_VALUE_BYTES);
        if ended == Ended::Full && opened.head.status == 200 {
            most = call.max_answer();
            let length = opened.response.content_length();
            place = room.place(length).await;
            opened.expect(length, most);
            ended = match timeout(self.timeout, opened.read(most)).await {
                Ok(ended) => ended,
                Err(_) => return (without_status(self.presentable(self.out_of_time())), None),
            };
        }
        let (head, headers) = (opened.head, std::mem::take(opened.response.headers_mut()));
        let body = ended.body(opened.bytes, most);
        let answer = self.presentable(classify(call, &head, &body));
        let reply = Reply { answer, http_status: Some(head.status), quota: head.advice.quota };
        match body {
            Body::Whole(bytes) => (reply, Some((bytes, headers, place))),
            Body::Cut(..) => (reply, None),
        }
    }

    fn out_of_time(&self) -> Answer {
        no_answer(format!("no complete answer within {}", humantime::format_duration(self.timeout)))
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

/// A body that came whole, the headers in front of it, and its place in the room.
pub(crate) type Received = (Vec<u8>, HeaderMap, Option<OwnedSemaphorePermit>);

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
            Self::Full => Body::Cut(bytes, format!("the body is longer than {} KiB", most / 1024)),
            Self::Cut(why) => Body::Cut(bytes, format!("the body was cut off: {why}")),
        }
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

fn without_status(answer: Answer) -> Reply {
    Reply { answer, http_status: None, quota: Vec::new() }
}

pub(crate) fn unsent(message: String) -> Reply {
    without_status(Answer::Refused(Refusal { http_status: None, code: None, message }))
}

pub(crate) fn no_answer(what: String) -> Answer {
    Answer::Passing(Trouble::no_answer(what))
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

fn shorten(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MAX_MESSAGE) {
        text.truncate(end);
        text.push('…');
    }
}
