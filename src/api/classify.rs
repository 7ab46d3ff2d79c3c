//! The table from status and code to [`Answer`], in one pure function.
//!
//! Codes are those of Cloudflare's client API (<https://developers.cloudflare.com/api>) and of Workers KV, as its
//! users met them: the service publishes no list.

use std::time::SystemTime;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, LOCATION};

use crate::api::advice::Advice;
use crate::api::answer::{Answer, Fatal, Refusal, TOO_MANY_BULK_CALLS, Trouble};
use crate::api::envelope::{Envelope, Fault};
use crate::api::values::MAX_VALUE_BYTES;

const CF_MITIGATED: HeaderName = HeaderName::from_static("cf-mitigated");

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    DeleteKey,
    DeleteMany,
    GetNamespace,
    ListKeys,
    ReadValue,
    ReadMetadata,
    ReadMany,
    PutMany,
    ListNamespaces,
    VerifyToken,
    GetToken,
    GetUser,
}

impl Call {
    /// Whether its path names a key.
    fn is_about_a_key(self) -> bool {
        match self {
            Self::DeleteKey | Self::ReadValue | Self::ReadMetadata => true,
            Self::DeleteMany
            | Self::GetNamespace
            | Self::ListKeys
            | Self::ReadMany
            | Self::PutMany
            | Self::ListNamespaces
            | Self::VerifyToken
            | Self::GetToken
            | Self::GetUser => false,
        }
    }

    /// How much of an answer is read, in bytes; the API's own to a call for one thing have some hundred.
    pub(crate) fn max_answer(self) -> usize {
        match self {
            Self::DeleteKey | Self::GetNamespace | Self::ReadMetadata => 64 * 1024,
            // 100 titles of 512 bytes, or all policies of a token.
            Self::ListNamespaces | Self::VerifyToken | Self::GetToken | Self::GetUser => 1024 * 1024,
            // Every name of the call may stand in `unsuccessful_keys`, each of its bytes escaped.
            Self::DeleteMany | Self::PutMany => 32 << 20,
            // 1,000 names of 512 bytes and as much metadata of 1 KiB, each character perhaps escaped in six.
            Self::ListKeys => 16 * 1024 * 1024,
            Self::ReadValue => MAX_VALUE_BYTES,
            // Only whether there are values is looked at: fewer keys are asked for where they are larger.
            Self::ReadMany => 4 << 20,
        }
    }
}

/// What is known of an answer before its body.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) advice: Advice,
    is_html: bool,
    /// `cf-mitigated: challenge`: a firewall answered in the place of the API
    /// (<https://developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/detect-response>).
    is_challenge: bool,
    location: Option<String>,
}

/// What came behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    Whole(Vec<u8>),
    /// Only the start, and why.
    Cut(Vec<u8>, String),
}

impl Head {
    pub(crate) fn read(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Self {
        let says = |name: &HeaderName, start: &[u8]| {
            let value = headers.get(name).map(|value| value.as_bytes().trim_ascii_start());
            value.and_then(|value| value.get(..start.len())).is_some_and(|value| value.eq_ignore_ascii_case(start))
        };
        Self {
            status: status.as_u16(),
            advice: Advice::read(headers, now),
            is_html: says(&CONTENT_TYPE, b"text/html"),
            is_challenge: says(&CF_MITIGATED, b"challenge"),
            location: headers.get(LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
        }
    }
}

impl Body {
    fn start(&self) -> &[u8] {
        let (Self::Whole(bytes) | Self::Cut(bytes, _)) = self;
        bytes
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

/// 520–527 and 530 are Cloudflare's own for an origin in trouble, 529 "site is overloaded".
fn passes(status: u16) -> bool {
    matches!(status, 408 | 425 | 500 | 502..=504 | 520..=527 | 529 | 530)
}

/// What an answer came to. Of several errors in the body, the first with a known code speaks, else the first.
pub(crate) fn classify(call: Call, head: &Head, body: &Body) -> Answer {
    if call == Call::ReadValue && head.status == 200 {
        return value(head, body);
    }
    if let (Call::ReadMany, 200, Body::Cut(_, why)) = (call, head.status, body) {
        // Sending it again would not make it shorter; asking for fewer keys does.
        return Answer::Refused(Refusal { http_status: Some(200), code: None, message: why.clone() });
    }
    let envelope = match body {
        Body::Whole(bytes) => {
            Envelope::parse(bytes).map_err(|error| format!("the body is not the API's JSON: {error}"))
        }
        Body::Cut(_, why) => Err(why.clone()),
    };
    let faults = envelope.as_ref().map_or(&[][..], |envelope| &envelope.faults);
    let meaning_of = |fault: &Fault| fault.code.and_then(meaning);
    let limit = faults.iter().find(|fault| meaning_of(fault) == Some(Meaning::DailyLimit));
    let known = || faults.iter().find(|fault| meaning_of(fault).is_some());
    let fault = limit.or_else(known).or(faults.first());
    let is_success = matches!(envelope, Ok(Envelope { success: Some(true), .. }));
    if matches!(head.status, 200..=299) && is_success && limit.is_none() {
        return Answer::Success;
    }
    let refusal = Refusal {
        http_status: Some(head.status),
        code: fault.and_then(|fault| fault.code),
        message: describe(head, body, fault),
    };
    if limit.is_some() {
        return Answer::DailyLimit(refusal);
    }
    let meaning = fault.and_then(meaning_of);
    let throttled = |envelope: Result<Envelope, String>, refusal| Answer::Throttled {
        pause: head.advice.pause(envelope.ok().and_then(|envelope| envelope.retry_after)),
        trouble: Trouble::Refused(refusal),
    };
    if meaning == Some(Meaning::TooManyBulkCalls) {
        return throttled(envelope, refusal);
    }
    match head.status {
        200..=299 => not_accepted(head, envelope, meaning, refusal),
        401 => Answer::Fatal(Fatal::Unauthorized, refusal),
        403 if is_firewall(head, body, faults) => {
            Answer::Refused(Refusal { message: from_firewall(call, &refusal.message), ..refusal })
        }
        429 => throttled(envelope, refusal),
        status if passes(status) => passing(head, Trouble::Refused(refusal)),
        // What such a status means is in the body, and the body did not come whole.
        400 | 403..=405
            if let Body::Cut(_, why) = body
                && !head.is_html =>
        {
            unreadable(head, why)
        }
        status => match (status, meaning) {
            (404, Some(Meaning::KeyAbsent)) if call.is_about_a_key() => Answer::Absent(refusal),
            (404, Some(Meaning::NamespaceAbsent)) => Answer::Fatal(Fatal::NamespaceNotFound, refusal),
            (400 | 404 | 405, Some(Meaning::NoRoute)) => Answer::Fatal(Fatal::AccountNotFound, refusal),
            (400 | 403, Some(Meaning::Credentials)) => Answer::Fatal(Fatal::Unauthorized, refusal),
            (405, Some(Meaning::Credentials)) if refusal.code == Some(10_000) => {
                Answer::Fatal(Fatal::Unauthorized, refusal)
            }
            (404 | 405, None) if call == Call::DeleteMany => Answer::Fatal(Fatal::AccountNotFound, no_bulk(refusal)),
            _ => Answer::Refused(refusal),
        },
    }
}

/// A value has no envelope: whatever came whole is it, but for a page that something else put in its place.
fn value(head: &Head, body: &Body) -> Answer {
    match body {
        Body::Whole(_) if head.is_html || head.is_challenge => {
            unreadable(head, "the body is a page for people, and values are application/octet-stream")
        }
        Body::Whole(_) => Answer::Success,
        Body::Cut(_, why) => unreadable(head, why),
    }
}

/// The server knows no such call.
fn no_bulk(mut refusal: Refusal) -> Refusal {
    let advice = "this server has no bulk deletes of this form: leave --bulk out, or try --bulk-endpoint legacy";
    refusal.message = format!("{}; {advice}", refusal.message);
    refusal
}

/// A 2xx without a readable `success: true`.
fn not_accepted(head: &Head, envelope: Result<Envelope, String>, meaning: Option<Meaning>, refusal: Refusal) -> Answer {
    match envelope {
        Ok(Envelope { success: Some(_), .. }) => match meaning {
            Some(Meaning::Credentials) => Answer::Fatal(Fatal::Unauthorized, refusal),
            Some(Meaning::NamespaceAbsent) => Answer::Fatal(Fatal::NamespaceNotFound, refusal),
            Some(Meaning::NoRoute) => Answer::Fatal(Fatal::AccountNotFound, refusal),
            Some(Meaning::Mistake) => Answer::Refused(refusal),
            // That a key was absent is believed only with a 404.
            Some(Meaning::KeyAbsent | Meaning::DailyLimit | Meaning::TooManyBulkCalls) | None => {
                passing(head, Trouble::Refused(refusal))
            }
        },
        Ok(Envelope { success: None, .. }) => unreadable(head, "the body does not say whether it succeeded"),
        Err(why) => unreadable(head, &why),
    }
}

fn unreadable(head: &Head, why: &str) -> Answer {
    let message = format!("HTTP {}, but {why}", head.status);
    passing(head, Trouble::NoAnswer(Refusal { http_status: Some(head.status), code: None, message }))
}

fn passing(head: &Head, trouble: Trouble) -> Answer {
    match head.advice.retry_after {
        Some(pause) => Answer::Throttled { trouble, pause: Some(pause) },
        None => Answer::Passing(trouble),
    }
}

/// Not the API but something in front of it: a page for people, a challenge, or the bare text of an edge error.
fn is_firewall(head: &Head, body: &Body, faults: &[Fault]) -> bool {
    let start = body.start().trim_ascii_start();
    head.is_challenge
        || (faults.is_empty() && (head.is_html || start.starts_with(b"<") || start.starts_with(b"error code: 1")))
}

/// How such an answer is explained; `page` is what it said itself.
fn from_firewall(call: Call, page: &str) -> String {
    match call {
        Call::ReadValue | Call::ReadMetadata => format!(
            "a firewall in front of the API took offence at the request, most likely at the key's name in its path ({page})"
        ),
        Call::DeleteKey => format!(
            "a firewall in front of the API took offence at the request, most likely at the key's name in its path; \
             --bulk carries names in the body ({page})"
        ),
        Call::DeleteMany
        | Call::GetNamespace
        | Call::ListKeys
        | Call::ReadMany
        | Call::PutMany
        | Call::ListNamespaces
        | Call::VerifyToken
        | Call::GetToken
        | Call::GetUser => {
            format!(
                "a firewall refused the request before the API saw it ({page}); try from another address, without a proxy"
            )
        }
    }
}

/// The server's words, or ours where it had none.
fn describe(head: &Head, body: &Body, fault: Option<&Fault>) -> String {
    if (300..400).contains(&head.status) {
        return match &head.location {
            Some(target) => format!("redirect to {target}, never followed"),
            None => "redirect without a target, never followed".to_owned(),
        };
    }
    if let Some(fault) = fault.filter(|fault| !fault.message.trim().is_empty()) {
        return fault.message.clone();
    }
    let text = String::from_utf8_lossy(body.start().trim_ascii());
    let what = if head.is_html || text.starts_with('<') {
        title(&text).map_or("an HTML page".to_owned(), |title| format!("an HTML page, \"{title}\""))
    } else {
        match text.lines().next() {
            None => "no body".to_owned(),
            Some(line) if text.starts_with(['{', '[']) => format!("no error in the body: {line}"),
            Some(line) => line.to_owned(),
        }
    };
    match StatusCode::from_u16(head.status).ok().and_then(|status| status.canonical_reason()) {
        Some(reason) => format!("{reason}: {what}"),
        None => what,
    }
}

/// What stands in `<title>`, its white space folded.
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
