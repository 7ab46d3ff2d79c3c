//! Misfortunes on purpose: which requests meet them, and what happens.

pub(super) mod broken;
mod draw;
mod parse;

use std::ops::RangeInclusive;

use serde_json::json;

pub(super) use draw::{Faults, Hit};
pub use parse::FaultError;

/// What goes wrong, and for which requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Which requests.
    pub when: When,
    /// How often: for a key or a prefix the first so many attempts of each key, else the first so many times in all;
    /// `None` is always.
    pub times: Option<u32>,
    /// Which calls.
    pub scope: Scope,
    /// What happens.
    pub what: What,
}

/// Which requests a fault meets.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// Each with this probability, from 0 to 1.
    Probability(f64),
    /// Those that name this key, in the path or in a body.
    Key(String),
    /// Those that name a key that begins so.
    Prefix(String),
    /// Those with these numbers, counted from 1 within the scope since the fault was set.
    Nth(RangeInclusive<u64>),
}

/// Which calls a fault meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those about keys: values, metadata, listing, bulk.
    Data,
    /// Those about namespaces and tokens, too, and paths that name nothing.
    All,
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// Nothing is done and this is answered.
    Answer(Canned),
    /// Nothing is done and the connection is reset (on HTTP/2 the stream).
    ResetBefore,
    /// It is done and the connection is reset (on HTTP/2 the stream).
    ResetAfter,
    /// Nothing is done and nothing is ever answered.
    Hang,
    /// It is done and nothing is ever answered.
    HangAfter,
    /// It is done; the answer breaks off in the middle of its body.
    Truncate,
    /// It is done; the answer is 200 with a body that is not JSON.
    Garbage,
    /// It is done; the answer is 200 with a body of 100 MiB.
    Giant,
    /// It is done and answered, and then the connection is closed without having said `Connection: close`.
    CloseIdle,
    /// A bulk delete or write does not process the names that the fault meets, and responds so; any other call is served
    /// as ever.
    Unsuccessful(BulkResult),
}

/// How a bulk call responds that did not process some names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BulkResult {
    /// 200 with `success: true`; `unsuccessful_keys` names them.
    #[default]
    Partial,
    /// As [`BulkResult::Partial`], but with this status, an error and `success: false`, as Cloudflare's local explorer
    /// does.
    PartialFailure(u16),
    /// It contradicts itself: 200, the right count, and `unsuccessful_keys` names keys that were not sent.
    WrongNames,
    /// It contradicts itself: 200, the right count, and no names.
    WrongCount,
}

/// An answer that was prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canned {
    /// The status, from 200 to 999.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// The headers; without a `Content-Type` it is JSON.
    pub headers: Vec<(String, String)>,
}

impl Fault {
    /// A fault that meets calls about keys, always.
    pub fn new(when: When, what: What) -> Self {
        Self { when, times: None, scope: Scope::Data, what }
    }

    /// The same, no more than so often: see [`Fault::times`].
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// The same for every call.
    #[must_use]
    pub fn everywhere(self) -> Self {
        Self { scope: Scope::All, ..self }
    }
}

impl Canned {
    /// An envelope with one error, whose code may be left out.
    pub fn error(status: u16, code: impl Into<Option<u64>>, message: impl Into<String>) -> Self {
        let mut error = json!({"message": message.into()});
        if let Some(code) = code.into() {
            error["code"] = code.into();
        }
        Self::raw(status, json!({"success": false, "errors": [error], "messages": [], "result": null}).to_string())
    }

    /// An HTML page, as a firewall in front of the API answers; with status 403 it is marked as a challenge.
    pub fn html(status: u16) -> Self {
        let page = format!("<!DOCTYPE html><html><head><title>{status}</title></head><body>Sorry.</body></html>\n");
        let page = Self::raw(status, page).with_header("content-type", "text/html; charset=UTF-8");
        if status == 403 { page.with_header("cf-mitigated", "challenge") } else { page }
    }

    /// These bytes, as JSON unless a header says otherwise.
    pub fn raw(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), headers: Vec::new() }
    }

    /// 307 with this `Location`.
    pub fn redirect(location: impl Into<String>) -> Self {
        Self::raw(307, "").with_header("location", location)
    }

    /// The same with one more header, `Retry-After` for example.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

impl From<Canned> for What {
    fn from(canned: Canned) -> Self {
        Self::Answer(canned)
    }
}
