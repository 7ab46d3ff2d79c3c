//! One request, one [`Reply`]: whatever the call. Its time and the size of its answer are limited; nothing is sent
//! twice, followed, decompressed or remembered.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::time::Duration;

use hyper::body::Bytes;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    TRANSFER_ENCODING, USER_AGENT,
};
use reqwest::{Request, Url, Version};
use tokio::time::{Instant, timeout};

use crate::api::answer::{Answer, Fatal, Refusal, Reply, TransientError};
use crate::api::auth::Credentials;
use crate::api::classify::{Body, Endpoint, Head, classify};
use crate::api::connection;
use crate::api::error::ClientError;
use crate::api::memory::{MAX_HELD, MemoryBudget, Reservation, SMALL_BODY};
use crate::api::token_command::{AfterRefusal, TokenCommand};
use crate::api::transport;
use crate::api::url::{BaseUrl, UrlMismatch};
use crate::clock::wall_now;
use crate::net::error_chain;
use crate::terminal::Escaped;

/// Cloudflare's id of a request, which its support needs.
const CF_RAY: HeaderName = HeaderName::from_static("cf-ray");

#[derive(Debug, Clone)]
pub struct Access {
    pub base_url: BaseUrl,
    pub credentials: Credentials,
    /// Certificates to trust besides the system's, in PEM.
    pub ca_file: Option<PathBuf>,
}

pub(crate) struct ApiRequest {
    pub(crate) call: Endpoint,
    /// One that would name something else is never sent.
    pub(crate) url: Result<Url, UrlMismatch>,
    pub(crate) body: Option<Bytes>,
}

impl ApiRequest {
    pub(crate) fn new(call: Endpoint, url: Result<Url, UrlMismatch>) -> Self {
        Self { call, url, body: None }
    }
}

/// Connections to one server, and the secrets that open it.
pub(crate) struct Http {
    client: reqwest::Client,
    /// Those of every request. Not the client's defaults: it would insert them into each request one by one.
    headers: HeaderMap,
    credentials: Credentials,
    timeout: Duration,
    memory: MemoryBudget,
}

/// The body of an answer; empty unless it came whole.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) bytes: Vec<u8>,
    pub(crate) headers: HeaderMap,
    /// Its part of the memory budget, if it is large: kept as long as the bytes are.
    pub(crate) reservation: Option<Reservation>,
}

impl Http {
    /// Reads the certificates and sets up the connections; sends nothing. `timeout` is for one attempt, from connecting to
    /// the last byte of the response; `concurrency` idle connections are kept.
    pub(crate) fn new(access: Access, timeout: Duration, concurrency: usize) -> Result<Self, ClientError> {
        let mut headers = access.credentials.headers()?;
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("kvsweep/", env!("CARGO_PKG_VERSION"))));
        // The client would add it.
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        let (peer, ca_file) = (access.base_url.peer(), access.ca_file.as_deref());
        let client = connection::client(peer, ca_file, timeout, concurrency)?;
        let memory = MemoryBudget::new(MAX_HELD);
        Ok(Self { client, headers, credentials: access.credentials, timeout, memory })
    }

    /// One request, and what `read` makes of the body of a success. A body that it cannot read is no conclusive
    /// response, and its error says why.
    pub(crate) async fn attempt<T>(
        &self,
        request: ApiRequest,
        read: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> (Reply, Option<T>) {
        let read = |answer: &Answer, received: Received| {
            (*answer == Answer::Success).then(|| read(&received.bytes)).transpose()
        };
        let (reply, read) = self.attempt_received(request, read).await;
        (reply, read.flatten())
    }

    /// As [`Http::attempt`], and `read` is also given the body of a response that is no success: for a call whose
    /// keys may have different outcomes. Its error matters after a success only. A success that cannot be read is none: it leaves
    /// the keys of the call unknown, and of any other call it is not the response of the API.
    pub(crate) async fn attempt_received<T>(
        &self,
        request: ApiRequest,
        read: impl FnOnce(&Answer, Received) -> Result<T, String>,
    ) -> (Reply, Option<T>) {
        let call = request.call;
        let Responded { answer, head, received, token } = match self.exchange(request).await {
            Ok(responded) => responded,
            Err(answer) => return (self.reply(answer, None), None),
        };
        let read = received.map(|received| read(&answer, received));
        let (answer, read) = match (answer, read.transpose()) {
            (Answer::Success, Err(message)) => {
                let refusal = Refusal { http_status: Some(head.status), code: None, message };
                let error = if call.is_about_keys() { TransientError::NoAnswer } else { TransientError::Unexpected };
                (Answer::Transient(error(refusal)), None)
            }
            (answer, read) => (answer, read.unwrap_or_default()),
        };
        let mut reply = self.reply(answer, Some(head));
        if let Some(token) = token {
            token.judge(&mut reply).await;
        }
        (reply, read)
    }

    /// Sends a request and takes in its response; `Err` if there is none.
    async fn exchange(&self, ApiRequest { call, url, body }: ApiRequest) -> Result<Responded<'_>, Answer> {
        let url = url.map_err(|why| Answer::Refused(Refusal::without_response(why.to_string())))?;
        let name = tracing::enabled!(tracing::Level::DEBUG).then(|| format!("{} {}", call.method(), url.path()));
        let mut request = Request::new(call.method(), url);
        request.headers_mut().clone_from(&self.headers);
        let token = self.token(&request, body.as_ref());
        if let Some(token) = &token {
            request.headers_mut().insert(AUTHORIZATION, token.header.clone());
        }
        if let Some(body) = body {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Some(body.into());
        }
        let started = Instant::now();
        let response = self.receive(call, request).await;
        if let Some(name) = name {
            let millis = started.elapsed().as_millis();
            if let Ok((head, _, received)) = &response {
                let ray = received.headers.get(&CF_RAY).and_then(|ray| ray.to_str().ok()).unwrap_or("none");
                let ray = self.credentials.sanitized(ray);
                tracing::debug!("{name}: HTTP {} in {millis} ms, cf-ray {}", head.status, Escaped(&ray));
            } else {
                tracing::debug!("{name}: no response in {millis} ms");
            }
        }
        let (head, body, received) = response?;
        let answer = classify(call, &head, &body);
        let is_the_apis = !matches!(answer, Answer::Transient(TransientError::Unexpected(_)));
        let received = match body {
            Body::Whole(bytes) if is_the_apis => Some(Received { bytes, ..received }),
            _ => None,
        };
        Ok(Responded { answer, head, received, token })
    }

    fn token(&self, request: &Request, body: Option<&Bytes>) -> Option<TokenInUse<'_>> {
        let Credentials::Command(command) = &self.credentials else { return None };
        let (number, header) = command.in_use()?;
        let mut hasher = DefaultHasher::new();
        (request.method().as_str(), request.url().as_str(), body).hash(&mut hasher);
        Some(TokenInUse { command, number, header, request: hasher.finish() })
    }

    /// The only way for a reply to leave this module: everything in it that came from outside is sanitized.
    fn reply(&self, mut answer: Answer, head: Option<Head>) -> Reply {
        if let Some(refusal) = answer.refusal_mut() {
            refusal.message = self.credentials.sanitized(&refusal.message);
        } else if let Answer::ConnectionClosed { text, .. } = &mut answer {
            *text = self.credentials.sanitized(text);
        }
        let (http_status, mut rate_limits) = head.map(|head| (head.status, head.retry_hints.rate_limits)).unzip();
        for policy in rate_limits.iter_mut().flatten() {
            policy.name = self.credentials.sanitized(&policy.name);
        }
        Reply { answer, http_status, rate_limits: rate_limits.unwrap_or_default() }
    }

    /// What takes the secret out of text in the body of a response, and cuts it.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The answer's head and at most as many bytes as the call allows of its body; `Err` if no head came. For a large body
    /// the time is counted again once there is memory for it.
    async fn receive(&self, call: Endpoint, request: Request) -> Result<(Head, Body, Received), Answer> {
        let begun = timeout(self.timeout, async {
            let mut response = self.client.execute(request).await.map_err(transport::unanswered)?;
            let head = Head::read(response.status(), response.headers(), wall_now());
            let mut bytes = Vec::new();
            let ended = read_on(&mut response, &mut bytes, SMALL_BODY.min(call.max_answer())).await;
            Ok((head, response, bytes, ended))
        });
        let (head, mut response, mut bytes, mut ended) = begun.await.unwrap_or_else(|_| Err(self.out_of_time()))?;
        let most = call.max_body(head.status);
        let mut reservation = None;
        if ended == Ended::Full && most > SMALL_BODY {
            let length = response.content_length();
            reservation = self.memory.reserve(length, most).await;
            // All at once: a vector that grows takes twice as much.
            let length = length.and_then(|length| usize::try_from(length).ok()).unwrap_or_default().min(most);
            bytes.reserve_exact(length.saturating_sub(bytes.len()));
            let rest = timeout(self.timeout, read_on(&mut response, &mut bytes, most)).await;
            ended = rest.map_err(|_| self.out_of_time())?;
        }
        let (version, headers) = (response.version(), std::mem::take(response.headers_mut()));
        // Anything but a value shows by itself whether it is whole.
        let has_end = call != Endpoint::ReadValue
            || head.status != 200
            || version > Version::HTTP_11
            || [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| headers.contains_key(name));
        let body = match (encoding(&headers), ended) {
            (Some(why), _) => Body::Encoded(why),
            (None, Ended::Whole) if !has_end => Body::Cut(bytes, "the response does not say where it ends".to_owned()),
            (None, Ended::Whole) => Body::Whole(bytes),
            (None, Ended::Full) => Body::TooLong(bytes, format!("the body is longer than {} KiB", most / 1024)),
            (None, Ended::Cut(why)) => Body::Cut(bytes, format!("the body was cut off: {why}")),
        };
        Ok((head, body, Received { bytes: Vec::new(), headers, reservation }))
    }

    fn out_of_time(&self) -> Answer {
        let time = humantime::format_duration(self.timeout);
        Answer::Transient(TransientError::no_answer(format!("no complete response within {time}")))
    }
}

/// What came of a request that was answered.
struct Responded<'a> {
    answer: Answer,
    head: Head,
    /// Of a body that came whole from the API.
    received: Option<Received>,
    token: Option<TokenInUse<'a>>,
}

struct TokenInUse<'a> {
    command: &'a TokenCommand,
    number: usize,
    header: HeaderValue,
    request: u64,
}

impl TokenInUse<'_> {
    /// What a 401 means depends on whether the command prints another token.
    async fn judge(&self, reply: &mut Reply) {
        let refusal = reply.answer.refusal_mut().cloned();
        let (Some(401), Some(refusal)) = (reply.http_status, refusal) else {
            return self.command.accepted(self.number);
        };
        match self.command.refused(self.number, self.request).await {
            AfterRefusal::Repeat => reply.answer = Answer::TokenReplaced(refusal),
            AfterRefusal::Accept => {}
            AfterRefusal::NoToken(why) => {
                let message = format!("the API refused the token, and --api-token-command gave no other: {why}");
                reply.answer = Answer::Fatal(Fatal::NoToken, Refusal { message, ..refusal });
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Whole,
    /// There is more than was wanted.
    Full,
    Cut(String),
}

/// Reads on, up to the first chunk beyond `most` bytes.
async fn read_on(response: &mut reqwest::Response, bytes: &mut Vec<u8>, most: usize) -> Ended {
    while bytes.len() <= most {
        match response.chunk().await {
            Ok(None) => return Ended::Whole,
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Err(error) => return Ended::Cut(error_chain(&error.without_url())),
        }
    }
    Ended::Full
}

/// What is wrong with a body that came compressed or otherwise encoded, if it did: requests have no `Accept-Encoding`.
fn encoding(headers: &HeaderMap) -> Option<String> {
    let encodings =
        headers.get_all(CONTENT_ENCODING).iter().flat_map(|header| header.as_bytes().split(|byte| *byte == b','));
    let mut others = encodings.map(<[u8]>::trim_ascii).filter(|encoding| !encoding.is_empty());
    let other = others.find(|encoding| !encoding.eq_ignore_ascii_case(b"identity"))?;
    Some(format!("the body has the Content-Encoding {}, which was not requested", String::from_utf8_lossy(other)))
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
