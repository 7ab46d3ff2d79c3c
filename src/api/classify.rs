//! The table from status and code to [`Answer`], in one pure function.
//!
//! Codes are those of Cloudflare's client API (<https://developers.cloudflare.com/api>) and of Workers KV, as its
//! users saw them: the service publishes no list.

use std::time::SystemTime;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, LOCATION};
use reqwest::{Method, StatusCode};

use crate::api::answer::{Answer, Fatal, Refusal, TOO_MANY_BULK_CALLS, TransientError};
use crate::api::envelope::{Envelope, Fault};
use crate::api::memory::SMALL_BODY;
use crate::api::retry_hints::RetryHints;
use crate::clock::wall_now;

/// The largest value, in bytes (<https://developers.cloudflare.com/kv/platform/limits>).
pub(crate) const MAX_VALUE_BYTES: usize = 25 << 20;

const CF_MITIGATED: HeaderName = HeaderName::from_static("cf-mitigated");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    DeleteKey,
    DeleteMany,
    GetNamespace,
    ListKeys,
    ReadValue,
    ReadMetadata,
    ReadMany,
    PutMany,
    ListNamespaces,
    ListAccounts,
    GetWorkerSettings,
    VerifyToken,
    GetToken,
    GetUser,
}

impl Endpoint {
    pub(crate) fn method(self) -> Method {
        match self {
            Self::DeleteKey => Method::DELETE,
            Self::DeleteMany | Self::ReadMany => Method::POST,
            Self::PutMany => Method::PUT,
            _ => Method::GET,
        }
    }

    /// Whether it reads or changes keys: a response that cannot be read leaves those unknown, and no others.
    pub(crate) fn is_about_keys(self) -> bool {
        self.is_about_a_key() || matches!(self, Self::DeleteMany | Self::PutMany | Self::ReadMany)
    }

    fn is_about_a_key(self) -> bool {
        matches!(self, Self::DeleteKey | Self::ReadValue | Self::ReadMetadata)
    }

    /// How much of an answer is read, in bytes; the API's own to a call for one thing have some hundred.
    pub(crate) fn max_answer(self) -> usize {
        match self {
            Self::DeleteKey | Self::GetNamespace | Self::ReadMetadata => 64 * 1024,
            // 100 titles of 512 bytes, all policies of a token, or all bindings of a Worker.
            Self::ListNamespaces
            | Self::ListAccounts
            | Self::GetWorkerSettings
            | Self::VerifyToken
            | Self::GetToken
            | Self::GetUser => 1024 * 1024,
            // Every name of the call may stand in `unsuccessful_keys`, each of its bytes escaped.
            Self::DeleteMany | Self::PutMany => 32 << 20,
            // 1,000 names of 512 bytes and as much metadata of 1 KiB, each character perhaps escaped in six.
            Self::ListKeys => 16 * 1024 * 1024,
            Self::ReadValue => MAX_VALUE_BYTES,
            // Only whether there are values matters: fewer keys are requested if they are larger.
            Self::ReadMany => 4 << 20,
        }
    }

    /// As [`Endpoint::max_answer`] once the status is known: an error about a value has a small body, as all have.
    pub(crate) fn max_body(self, status: u16) -> usize {
        if self == Self::ReadValue && status != 200 { SMALL_BODY } else { self.max_answer() }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) retry_hints: RetryHints,
    is_html: bool,
    /// `cf-mitigated: challenge`: a firewall responded instead of the API
    /// (<https://developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/detect-response>).
    is_challenge: bool,
    location: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    Whole(Vec<u8>),
    /// Only the start, and why: the connection ended.
    Cut(Vec<u8>, String),
    /// Only the start, and how long the API's own bodies are at most.
    TooLong(Vec<u8>, String),
    /// None that means what it says, and why: it has a `Content-Encoding`, and none was requested.
    Encoded(String),
}

impl Head {
    pub(crate) fn read(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Self {
        let says = |name: &HeaderName, start: &[u8]| {
            let value = headers.get(name).map(|value| value.as_bytes().trim_ascii_start());
            value.and_then(|value| value.get(..start.len())).is_some_and(|value| value.eq_ignore_ascii_case(start))
        };
        Self {
            status: status.as_u16(),
            retry_hints: RetryHints::read(headers, now),
            is_html: says(&CONTENT_TYPE, b"text/html"),
            is_challenge: says(&CF_MITIGATED, b"challenge"),
            location: headers.get(LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
        }
    }

    fn refusal(&self, message: String) -> Refusal {
        Refusal { http_status: Some(self.status), code: None, message }
    }

    fn redirect(&self) -> Option<String> {
        (300..400).contains(&self.status).then(|| match &self.location {
            Some(target) => format!("redirect to {target}, never followed"),
            None => "redirect without a target, never followed".to_owned(),
        })
    }

    /// `Bad Gateway: what`.
    fn with_reason(&self, what: &str) -> String {
        match StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason()) {
            Some(reason) => format!("{reason}: {what}"),
            None => what.to_owned(),
        }
    }
}

impl Body {
    fn start(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) | Self::Cut(bytes, _) | Self::TooLong(bytes, _) => bytes,
            Self::Encoded(_) => &[],
        }
    }
}

/// What a code means, whatever it comes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    DailyLimit,
    TooManyBulkCalls,
    KeyAbsent,
    NamespaceAbsent,
    NoRoute,
    Credentials,
    Mistake,
}

fn meaning(code: u64) -> Option<Meaning> {
    Some(match code {
        10_048 => Meaning::DailyLimit,
        TOO_MANY_BULK_CALLS => Meaning::TooManyBulkCalls,
        10_009 => Meaning::KeyAbsent,
        10_013 => Meaning::NamespaceAbsent,
        // "Could not route to …, perhaps your object identifier is invalid?"
        7_000 | 7_003 => Meaning::NoRoute,
        // "Invalid request headers" with the header's format, "Unknown X-Auth-Key or X-Auth-Email", "Missing …",
        // "Invalid access token", "Authentication error"; the last two are KV's own for a plan or a permission.
        6_003 | 6_102 | 6_103 | 6_111 | 9_103 | 9_106 | 9_107 | 9_109 | 10_000 | 10_026 | 10_037 => {
            Meaning::Credentials
        }
        // "Method … not available for that URI"; a namespace with this title already exists.
        7_001 | 10_014 => Meaning::Mistake,
        _ => return None,
    })
}

/// 520–527 and 530 are Cloudflare's own for an origin that fails, 529 "site is overloaded".
fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 500 | 502..=504 | 520..=527 | 529 | 530)
}

/// The outcome of a response. It is the API's own only if its body is an envelope with a boolean `success`: nothing else
/// settles a key or ends the job for a reason that the API gives.
pub(crate) fn classify(call: Endpoint, head: &Head, body: &Body) -> Answer {
    match (call, head.status, body) {
        (Endpoint::ReadValue, 200, _) => return value(head, body),
        // Sending it again would not make it shorter; requesting fewer keys does.
        (Endpoint::ReadMany, 200, Body::TooLong(_, why)) => return Answer::Refused(head.refusal(why.clone())),
        // From a proxy in between.
        (_, 407, _) => return without_envelope(call, head, body, "the proxy requires authentication"),
        _ => {}
    }
    let why = match body {
        Body::Whole(_) if head.is_challenge => "a firewall refused the request".to_owned(),
        Body::Whole(bytes) => match Envelope::parse(bytes) {
            Ok(envelope) => return with_envelope(call, head, bytes, &envelope),
            Err(why) => format!("the body is not the API's JSON: {why}"),
        },
        Body::Cut(_, why) | Body::TooLong(_, why) | Body::Encoded(why) => why.clone(),
    };
    without_envelope(call, head, body, &why)
}

/// The API responded. Of several errors in the body, the first with a known code counts, else the first.
fn with_envelope(call: Endpoint, head: &Head, body: &[u8], envelope: &Envelope) -> Answer {
    let meaning_of = |fault: &Fault| fault.code.and_then(meaning);
    let limit = envelope.faults.iter().find(|fault| meaning_of(fault) == Some(Meaning::DailyLimit));
    let known = || envelope.faults.iter().find(|fault| meaning_of(fault).is_some());
    let fault = limit.or_else(known).or(envelope.faults.first());
    let is_2xx = matches!(head.status, 200..=299);
    // A value has no envelope, so what came is not the value.
    if is_2xx && envelope.success && limit.is_none() && call != Endpoint::ReadValue {
        return Answer::Success;
    }
    let message = fault.map(|fault| fault.message.trim()).filter(|message| !message.is_empty());
    let message = match (message, head.redirect()) {
        (_, Some(redirect)) => redirect,
        (Some(message), None) => message.to_owned(),
        (None, None) => head.with_reason(&format!("no error in the body: {}", first_line(body))),
    };
    let refusal = Refusal { code: fault.and_then(|fault| fault.code), ..head.refusal(message) };
    let meaning = fault.and_then(meaning_of);
    match (head.status, meaning) {
        (_, Some(Meaning::DailyLimit)) => Answer::DailyLimit(refusal),
        (429, _) | (_, Some(Meaning::TooManyBulkCalls)) => Answer::Throttled {
            pause: head.retry_hints.pause(envelope.retry_after),
            error: TransientError::Refused(refusal),
        },
        (status, _) if envelope.success => {
            let message = if is_2xx {
                "the response contains no value".to_owned()
            } else {
                format!("the response contradicts itself: its status is {status}, its body says \"success\": true")
            };
            passing(head, TransientError::NoAnswer(Refusal { message, ..refusal }))
        }
        (401, _) | (200..=299 | 400 | 403, Some(Meaning::Credentials)) => Answer::Fatal(Fatal::Unauthorized, refusal),
        (405, Some(Meaning::Credentials)) if refusal.code == Some(10_000) => {
            Answer::Fatal(Fatal::Unauthorized, refusal)
        }
        (200..=299 | 404, Some(Meaning::NamespaceAbsent)) => Answer::Fatal(Fatal::NamespaceNotFound, refusal),
        (200..=299 | 400 | 404 | 405, Some(Meaning::NoRoute)) => Answer::Fatal(Fatal::AccountNotFound, refusal),
        (404, Some(Meaning::KeyAbsent)) if call.is_about_a_key() => Answer::Absent(refusal),
        (404 | 405, None) if call == Endpoint::DeleteMany => Answer::Fatal(Fatal::AccountNotFound, no_bulk(refusal)),
        (200..=299, Some(Meaning::Mistake)) => Answer::Refused(refusal),
        // That a key was absent is believed only with a 404.
        (status, _) if is_2xx || is_transient(status) => passing(head, TransientError::Refused(refusal)),
        _ => Answer::Refused(refusal),
    }
}

/// For the benchmarks alone: the outcome of a delete with this response. A `status` that is none of HTTP's counts as 200.
pub fn answer_to_delete(status: u16, headers: &HeaderMap, body: &[u8]) -> Answer {
    let head = Head::read(StatusCode::from_u16(status).unwrap_or_default(), headers, wall_now());
    classify(Endpoint::DeleteKey, &head, &Body::Whole(body.to_vec()))
}

/// Something else responded, or the response did not come whole; `why` it is not the API's.
fn without_envelope(call: Endpoint, head: &Head, body: &Body, why: &str) -> Answer {
    let no_answer = |message| TransientError::NoAnswer(head.refusal(message));
    let is_cut = match body {
        Body::Cut(..) => true,
        Body::Encoded(_) => call.is_about_keys(),
        Body::Whole(_) | Body::TooLong(..) => false,
    };
    match head.status {
        407 => {}
        429 => {
            let error = no_answer(describe(head, body));
            return Answer::Throttled { pause: head.retry_hints.pause(None), error };
        }
        // A gateway's, which does not know whether it was done.
        status if is_transient(status) => return passing(head, no_answer(describe(head, body))),
        _ if is_cut => return passing(head, no_answer(why.to_owned())),
        _ => {}
    }
    let message = match head.status {
        200..=299 => why.to_owned(),
        407 => format!("{why} ({})", describe(head, body)),
        403 if head.is_challenge || is_page(head, body) => from_firewall(call, &describe(head, body)),
        _ => format!("not a response of the API: {}", describe(head, body)),
    };
    Answer::Transient(TransientError::Unexpected(head.refusal(message)))
}

/// A value has no envelope: any complete body is the value, except a page that something else sent instead.
fn value(head: &Head, body: &Body) -> Answer {
    match body {
        Body::Whole(_) if head.is_html || head.is_challenge => {
            let why = "the body is a page for people, and values are application/octet-stream";
            Answer::Transient(TransientError::Unexpected(head.refusal(why.to_owned())))
        }
        Body::Whole(_) => Answer::Success,
        Body::Cut(_, why) | Body::TooLong(_, why) | Body::Encoded(why) => {
            passing(head, TransientError::NoAnswer(head.refusal(why.clone())))
        }
    }
}

fn no_bulk(mut refusal: Refusal) -> Refusal {
    refusal.message = format!("{}; the server does not support bulk deletes: omit --bulk", refusal.message);
    refusal
}

fn passing(head: &Head, error: TransientError) -> Answer {
    match head.retry_hints.retry_after {
        Some(pause) => Answer::Throttled { error, pause: Some(pause) },
        None => Answer::Transient(error),
    }
}

/// Not the API but something in front of it: a page for people, or the bare text of an edge error.
fn is_page(head: &Head, body: &Body) -> bool {
    let start = body.start().trim_ascii_start();
    head.is_html || start.starts_with(b"<") || start.starts_with(b"error code: 1")
}

fn from_firewall(call: Endpoint, page: &str) -> String {
    let hint = match call {
        Endpoint::DeleteKey => "the key's name in its path may look like an attack, and --bulk sends names in the body",
        _ if call.is_about_a_key() => "the key's name in its path may look like an attack",
        _ => "try from another address or without a proxy",
    };
    format!("a firewall refused the request before the API saw it ({page}); {hint}")
}

/// The text of a response that is not the API's, or ours if it had none.
fn describe(head: &Head, body: &Body) -> String {
    if let Some(redirect) = head.redirect() {
        return redirect;
    }
    if let Body::Encoded(why) = body {
        return head.with_reason(why);
    }
    let start = body.start().trim_ascii();
    head.with_reason(&match first_line(start) {
        _ if head.is_html || start.starts_with(b"<") => title(&String::from_utf8_lossy(start))
            .map_or("an HTML page".to_owned(), |title| format!("an HTML page, \"{title}\"")),
        line if line.is_empty() => "no body".to_owned(),
        line => line,
    })
}

fn first_line(text: &[u8]) -> String {
    let line = text.trim_ascii().split(|byte| matches!(byte, b'\n' | b'\r')).next();
    String::from_utf8_lossy(line.unwrap_or_default()).into_owned()
}

/// The text of `<title>`, its white space folded.
fn title(html: &str) -> Option<String> {
    let lower = html.to_ascii_lowercase();
    let tag = lower.find("<title")?;
    let start = tag + lower[tag..].find('>')? + 1;
    let length = lower[start..].find("</title")?;
    let words: Vec<_> = html[start..start + length].split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

#[cfg(test)]
mod tests;
