//! What one request came to: status, headers and body of an answer, or its absence, as one typed [`Answer`].
//!
//! The table from (status, code) to answer is `api::classify` and nowhere else. What to do about an answer is the
//! pipeline's business.

use std::fmt;
use std::time::Duration;

use crate::api::advice::QuotaNews;

/// What one request came to, with what the answer said of the quota.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The result.
    pub answer: Answer,
    /// The HTTP status, where an answer came.
    pub http_status: Option<u16>,
    /// What `Ratelimit` and `Ratelimit-Policy` said; empty where they were absent or not readable.
    pub quota: Vec<QuotaNews>,
}

/// "Too many bulk requests at once": Workers KV's own, to be treated as a 429 whatever its status.
pub const TOO_MANY_BULK_CALLS: u64 = 10_046;

/// What one request came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// 2xx and `success: true`: it is done.
    Success,
    /// 404 with code 10009: it was not there.
    Absent(Refusal),
    /// Refused for good: sending it again would not help this key, others may fare better.
    Refused(Refusal),
    /// 429: everybody has to pause.
    Throttled {
        /// What the server said.
        refusal: Refusal,
        /// How long it asked for; `None` where it said nothing that can be believed.
        pause: Option<Duration>,
    },
    /// Code 10048: the free plan's deletes of this day are used up.
    DailyLimit(Refusal),
    /// No request of this job can succeed.
    Fatal(Fatal, Refusal),
    /// It may succeed later.
    Passing {
        /// What happened.
        trouble: Trouble,
        /// `Retry-After`, where the answer had a believable one.
        retry_after: Option<Duration>,
    },
    /// A kept-alive connection turned out to be closed: nothing was answered, and a fresh one may serve at once.
    Stale(String),
}

/// Why no request of the job can succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fatal {
    /// The credentials are wrong, expired or lack the permission.
    Unauthorized,
    /// Code 10013: no such namespace in the account.
    NamespaceNotFound,
    /// Codes 7000 and 7003: the path names nothing, so an id is wrong.
    AccountNotFound,
}

/// What the server said when it did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status; `None` where the request was not sent or its connection not trusted.
    pub http_status: Option<u16>,
    /// The first of the envelope's `errors`, where there was one.
    pub code: Option<u64>,
    /// The server's words, or ours where it had none; may hold any character.
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.http_status, self.code) {
            (Some(status), Some(code)) => write!(f, "HTTP {status}, code {code}: {}", self.message),
            (Some(status), None) => write!(f, "HTTP {status}: {}", self.message),
            (None, _) => f.write_str(&self.message),
        }
    }
}

/// A failure that may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The server said so (a 5xx, say): the request was refused.
    Refused(Refusal),
    /// Nothing readable came back (refused, reset, timed out, truncated): it may or may not have been done.
    NoAnswer(String),
}
