//! The outcome of one request: status, headers and body of a response, or its absence, as one typed [`Answer`].
//!
//! The table from (status, code) to answer is `api::classify` and nowhere else. What to do about an answer is the
//! pipeline's business.

use std::fmt;
use std::time::Duration;

use crate::quota::RateLimitInfo;

#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub answer: Answer,
    pub http_status: Option<u16>,
    /// The `Ratelimit` and `Ratelimit-Policy` headers; empty if they were absent or not readable.
    pub rate_limits: Vec<RateLimitInfo>,
}

/// "Too many bulk requests at once": Workers KV's own, to be treated as a 429 whatever its status.
pub(crate) const TOO_MANY_BULK_CALLS: u64 = 10_046;

#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// 2xx and `success: true`: it is done.
    Success,
    /// 404 with code 10009: the key did not exist.
    Absent(Refusal),
    /// Refused for good: sending it again would not help this key; others may succeed.
    Refused(Refusal),
    /// 429, or another temporary status with `Retry-After`: every worker pauses, and no key loses a retry.
    Throttled {
        error: TransientError,
        /// How long; `None` if the response has no credible time.
        pause: Option<Duration>,
    },
    /// Code 10048: the free plan's deletes of this day are used up.
    DailyLimit(Refusal),
    /// No request of this job can succeed.
    Fatal(Fatal, Refusal),
    /// 401, and the command that prints the token has printed another one: the same request may succeed with it.
    TokenReplaced(Refusal),
    /// It may succeed later.
    Transient(TransientError),
    /// The server closed the connection before the response began; a fresh one may serve at once.
    ConnectionClosed {
        text: String,
        /// The server reported that it did not process the request: `REFUSED_STREAM`, or GOAWAY with an earlier last stream (RFC 9113,
        /// 8.7). Otherwise it may have.
        unprocessed: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fatal {
    /// The credentials are wrong, expired or lack the permission.
    Unauthorized,
    /// Code 10013: no such namespace in the account.
    NamespaceNotFound,
    /// Codes 7000 and 7003: the path names nothing, so an id is wrong.
    AccountNotFound,
    /// 401, and the command that prints the token failed.
    NoToken,
}

impl Fatal {
    /// Whether a single request may be refused like that although others would not be.
    pub(crate) fn may_be_one_requests(self) -> bool {
        match self {
            Self::Unauthorized | Self::NamespaceNotFound | Self::AccountNotFound => true,
            Self::NoToken => false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status; `None` if the request was not sent or its connection not trusted.
    pub http_status: Option<u16>,
    /// The first of the envelope's `errors`, if there was one.
    pub code: Option<u64>,
    /// The server's text, or ours if it had none; may hold any character.
    pub message: String,
}

impl Answer {
    /// What happened; `None` if it succeeded or the connection was closed.
    pub fn refusal_mut(&mut self) -> Option<&mut Refusal> {
        match self {
            Self::Success | Self::ConnectionClosed { .. } => None,
            Self::Absent(refusal)
            | Self::Refused(refusal)
            | Self::DailyLimit(refusal)
            | Self::TokenReplaced(refusal)
            | Self::Fatal(_, refusal) => Some(refusal),
            Self::Throttled { error, .. } | Self::Transient(error) => Some(error.refusal_mut()),
        }
    }
}

impl Refusal {
    /// No response came, for this reason.
    pub fn without_response(message: impl Into<String>) -> Self {
        Self { http_status: None, code: None, message: message.into() }
    }
}

impl TransientError {
    /// No response came, for this reason.
    pub fn no_answer(message: impl Into<String>) -> Self {
        Self::NoAnswer(Refusal::without_response(message))
    }

    pub fn refusal(&self) -> &Refusal {
        let (Self::Refused(refusal) | Self::NoAnswer(refusal) | Self::Unexpected(refusal)) = self;
        refusal
    }

    pub fn refusal_mut(&mut self) -> &mut Refusal {
        let (Self::Refused(refusal) | Self::NoAnswer(refusal) | Self::Unexpected(refusal)) = self;
        refusal
    }
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

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransientError {
    /// The API's envelope says that the request was refused (a 500, for example).
    Refused(Refusal),
    /// No conclusive response (refused, reset, timed out, truncated, a gateway's 502): it may or may not have been done.
    NoAnswer(Refusal),
    /// Not the API: its certificate is not trusted, or the response has no envelope (a portal's or a firewall's page, a
    /// redirect). Before anything has worked this stops the job; later it is an outage.
    Unexpected(Refusal),
}
