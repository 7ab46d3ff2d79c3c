//! What a sandbox accepts and how it misbehaves, as plain data.

use std::time::Duration;

use super::fault::Fault;
use super::quota::Quota;

/// What a sandbox accepts and how it misbehaves. The default accepts any credentials and ids, knows no quota, delays
/// nothing and keeps a request log.
#[derive(Clone)]
pub struct SandboxOptions {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The secret that is accepted, as a bearer token or as `X-Auth-Key`; `None` accepts any that is not empty.
    pub token: Option<String>,
    /// After so many accepted requests a token has expired: 401, code 10000. Each token expires on its own.
    pub token_expires_after: Option<u64>,
    /// The only account there is; `None` accepts any valid id. Namespaces do not depend on it.
    pub account: Option<String>,
    /// The accounts that the credentials can access, as id and name; `None` for one.
    pub accounts: Option<Vec<(String, String)>>,
    /// The id of the main namespace, whose keys a [`Sandbox`](super::Sandbox) can be filled with. Others are unknown unless they are
    /// created or in `other_namespaces`. `None` accepts any valid id: the first use of one makes an empty namespace,
    /// whose title is its id.
    pub namespace: Option<String>,
    /// The main namespace's title.
    pub title: String,
    /// Namespaces that the account has besides, as id and title; they are empty at first.
    pub other_namespaces: Vec<(String, String)>,
    /// The namespaces of deployed Workers: the Worker's name, the binding, the namespace's id.
    pub workers: Vec<(String, String, String)>,
    /// Whose the token is, and what it may know of itself.
    pub identity: Identity,
    /// The `supports_url_encoding` of every namespace.
    pub supports_url_encoding: bool,
    /// The `mode` of every namespace, if they have one.
    pub mode: Option<String>,
    /// What deleting an absent key is answered.
    pub missing_key: MissingKey,
    /// Every request counts against each of them, refused ones included.
    pub quotas: Vec<Quota>,
    /// How a refusal by a quota says when to come back.
    pub retry_after: RetryAfter,
    /// The least and the longest delay between a request's arrival and its effect, uniformly drawn.
    pub latency: Option<(Duration, Duration)>,
    /// How long after its last answer a connection is closed (workerd: 5 s).
    pub idle_close: Option<Duration>,
    /// The first one that strikes a request decides its fate.
    pub faults: Vec<Fault>,
    /// How many names may be deleted in a day that begins at 00:00 UTC (the free plan: 1,000); beyond it 429, code
    /// 10048.
    pub daily_deletes: Option<u64>,
    /// Decides what chance decides: latencies and probable faults.
    pub seed: u64,
    /// Whether requests are written down. It costs memory for each.
    pub request_log: bool,
    /// Whether each request is logged, as method, path and status.
    pub verbose: bool,
}

/// Whose the token is, and what it may know of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Whether it is the account's own rather than a user's: each kind is verified in its own place.
    pub owned_by_account: bool,
    /// Whether it is the session of a login (OAuth), which nobody verifies.
    pub oauth: bool,
    /// `active`, `disabled` or `expired`: what it says of itself; [`SandboxOptions::token`] alone decides what opens.
    pub status: String,
    /// When it expires, in RFC 3339: what it says of itself.
    pub expires_on: Option<String>,
    /// The permissions that it may read of itself; `None` where it may not.
    pub permissions: Option<Vec<String>>,
}

impl Default for Identity {
    fn default() -> Self {
        Self { owned_by_account: false, oauth: false, status: "active".to_owned(), expires_on: None, permissions: None }
    }
}

/// What deleting an absent key is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingKey {
    /// 200, as the real service does.
    Success,
    /// 404, code 10009.
    NotFound,
}

/// How a refusal by a quota says when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// `Retry-After` in seconds, rounded up.
    Seconds,
    /// `Retry-After` as a date, rounded up to a whole second.
    HttpDate,
    /// `Retry-After: 0`, which is not true.
    Zero,
    /// No `Retry-After`; `Ratelimit` still says it.
    Absent,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            port: 0,
            token: None,
            token_expires_after: None,
            account: None,
            accounts: None,
            namespace: None,
            title: "sandbox".to_owned(),
            other_namespaces: Vec::new(),
            workers: Vec::new(),
            identity: Identity::default(),
            supports_url_encoding: true,
            mode: None,
            missing_key: MissingKey::Success,
            quotas: Vec::new(),
            retry_after: RetryAfter::Seconds,
            latency: None,
            idle_close: None,
            faults: Vec::new(),
            daily_deletes: None,
            seed: 0,
            request_log: true,
            verbose: false,
        }
    }
}
