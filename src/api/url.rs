//! The URLs of all calls. Each is checked after parsing to be what was written; one that is not is
//! never sent. Nothing here sends.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;
use thiserror::Error;

use crate::key::{AccountId, KeyName, NamespaceId, TokenId, push_encoded};
use crate::net::Peer;

/// Where the API is, without a slash at the end: `https://api.cloudflare.com/client/v4`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    origin: String,
    path: String,
    peer: Peer,
}

/// Why a text cannot be the base URL. Never holds the text itself: it may carry a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BaseUrlError {
    #[error("the base URL is not a URL ({0}); expected something like {example}", example = BaseUrl::CLOUDFLARE)]
    Unreadable(String),
    #[error("the base URL has the scheme `{0}`; only https is allowed, and http to this machine")]
    Scheme(String),
    /// Plain `http` to another machine would expose the token on the network.
    #[error(
        "the base URL is plain http to `{0}`; without TLS only a loopback host is allowed (127.0.0.1, [::1], \
         localhost)"
    )]
    PlainHttp(String),
    #[error("the base URL contains a user or a password; put credentials into the environment or a token file")]
    UserInfo,
    #[error("the base URL contains a `?` or `#`; it must end with its path")]
    QueryOrFragment,
    /// URL parsers change the path (dot segments, spaces, backslashes, non-ASCII), so it could not be checked.
    #[error("the base URL's path does not survive URL parsing: it would become `{0}`; write it that way")]
    Path(String),
}

/// A URL would not name what it was made from, so it is not sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UrlMismatch {
    #[error("not sent: URL parsers would turn `{wanted}` into `{parsed}`, which names something else")]
    Parsed { wanted: String, parsed: String },
    #[error("not sent: the namespace does not support URL encoding, and `{0}` would name another key")]
    Encoded(String),
}

impl BaseUrl {
    /// Cloudflare's own (<https://developers.cloudflare.com/api>).
    pub const CLOUDFLARE: &str = "https://api.cloudflare.com/client/v4";

    pub fn is_loopback(&self) -> bool {
        self.peer.is_loopback
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, BaseUrlError> {
        let url = Url::parse(text).map_err(|error| BaseUrlError::Unreadable(error.to_string()))?;
        let host = url.host_str().unwrap_or_default();
        let is_plain = match url.scheme() {
            "https" => false,
            "http" => true,
            other => return Err(BaseUrlError::Scheme(other.to_owned())),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BaseUrlError::UserInfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BaseUrlError::QueryOrFragment);
        }
        let peer = Peer::new(host, is_plain);
        if is_plain && !peer.is_loopback {
            return Err(BaseUrlError::PlainHttp(host.to_owned()));
        }
        let written =
            text.split_once("://").ok_or_else(|| BaseUrlError::Unreadable("no `://` after the scheme".to_owned()))?.1;
        let written = written.find('/').map_or("", |slash| &written[slash..]);
        // A URL without a path is parsed as one with the path `/`.
        if url.path() != written && !(written.is_empty() && url.path() == "/") {
            return Err(BaseUrlError::Path(url.path().to_owned()));
        }
        Ok(Self { origin: url.origin().ascii_serialization(), path: written.trim_end_matches('/').to_owned(), peer })
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

/// What belongs to an account or a user.
impl BaseUrl {
    pub(crate) fn namespaces(&self, account: &AccountId, page: u32, per_page: u16) -> Result<Url, UrlMismatch> {
        let query = format!("page={page}&per_page={per_page}");
        self.exactly(&format!("/accounts/{account}/storage/kv/namespaces"), Some(&query))
    }

    pub(crate) fn accounts(&self, page: u32, per_page: u16) -> Result<Url, UrlMismatch> {
        self.exactly("/accounts", Some(&format!("page={page}&per_page={per_page}")))
    }

    pub(crate) fn worker_settings(&self, account: &AccountId, worker: &str) -> Result<Url, UrlMismatch> {
        let mut segment = String::new();
        push_encoded(worker, &mut segment);
        self.exactly(&format!("/accounts/{account}/workers/scripts/{segment}/settings"), None)
    }

    pub(crate) fn verify(&self, owner: &Owner) -> Result<Url, UrlMismatch> {
        self.exactly(&format!("{owner}/tokens/verify"), None)
    }

    pub(crate) fn token(&self, owner: &Owner, id: &TokenId) -> Result<Url, UrlMismatch> {
        self.exactly(&format!("{owner}/tokens/{}", id.as_str()), None)
    }

    pub(crate) fn user(&self) -> Result<Url, UrlMismatch> {
        self.exactly("/user", None)
    }

    /// Parses once and compares: with [`Urls::value`], the only way from text to a URL that is sent.
    fn exactly(&self, tail: &str, query: Option<&str>) -> Result<Url, UrlMismatch> {
        let Self { origin, path, .. } = self;
        let mut text = format!("{origin}{path}{tail}");
        let path = origin.len()..text.len();
        if let Some(query) = query {
            text.push('?');
            text.push_str(query);
        }
        match Url::parse(&text) {
            Ok(url) if url.as_str() == text && url.path() == &text[path] && url.query() == query => Ok(url),
            other => Err(not_itself(&text, other, origin)),
        }
    }
}

/// Whose an API token is; the two kinds are verified at different URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A user's, for all accounts of that user.
    User,
    Account(AccountId),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User => f.write_str("/user"),
            Self::Account(account) => write!(f, "/accounts/{account}"),
        }
    }
}

/// What belongs to a namespace.
#[derive(Debug, Clone)]
pub(crate) struct Urls {
    pub(crate) namespace_id: NamespaceId,
    /// Whether a key that has to be encoded may stand in a URL.
    pub(crate) url_encoding: bool,
    /// `…/namespaces/{namespace_id}`.
    pub(crate) base: BaseUrl,
    /// `…/namespaces/{namespace_id}/values/`, checked to be what was written.
    values: Url,
}

impl Urls {
    pub(crate) fn new(base: &BaseUrl, account: &AccountId, namespace: &NamespaceId) -> Result<Self, UrlMismatch> {
        let path = format!("{}/accounts/{account}/storage/kv/namespaces/{namespace}", base.path);
        let base = BaseUrl { path, ..base.clone() };
        Ok(Self { values: base.exactly("/values/", None)?, base, namespace_id: namespace.clone(), url_encoding: true })
    }

    pub(crate) fn namespace(&self) -> Result<Url, UrlMismatch> {
        self.base.exactly("", None)
    }

    pub(crate) fn bulk_delete(&self) -> Result<Url, UrlMismatch> {
        self.base.exactly("/bulk/delete", None)
    }

    pub(crate) fn bulk_put(&self) -> Result<Url, UrlMismatch> {
        self.base.exactly("/bulk", None)
    }

    pub(crate) fn bulk_get(&self) -> Result<Url, UrlMismatch> {
        self.base.exactly("/bulk/get", None)
    }

    /// Called for every key, so only the segment is parsed; what comes of it is compared whole.
    pub(crate) fn value(&self, key: &KeyName) -> Result<Url, UrlMismatch> {
        self.check_encoding(key)?;
        let base = self.values.as_str();
        let mut text = String::with_capacity(base.len() + 3 * key.as_str().len());
        text.push_str(base);
        key.push_segment(&mut text);
        // One segment, relative to its folder: a scheme, a slash, a query or a dot segment it can never be.
        match self.values.join(&text[base.len()..]) {
            Ok(url) if url.as_str() == text => Ok(url),
            other => Err(not_itself(&text, other, &self.base.origin)),
        }
    }

    pub(crate) fn metadata(&self, key: &KeyName) -> Result<Url, UrlMismatch> {
        self.check_encoding(key)?;
        let mut tail = "/metadata/".to_owned();
        key.push_segment(&mut tail);
        self.base.exactly(&tail, None)
    }

    fn check_encoding(&self, key: &KeyName) -> Result<(), UrlMismatch> {
        if self.url_encoding || !key.needs_encoding() {
            return Ok(());
        }
        let mut segment = String::new();
        key.push_segment(&mut segment);
        Err(UrlMismatch::Encoded(segment))
    }

    pub(crate) fn keys(&self, prefix: &str, limit: u16, cursor: Option<&str>) -> Result<Url, UrlMismatch> {
        let mut query = format!("limit={limit}");
        for (name, value) in [("&prefix=", Some(prefix)), ("&cursor=", cursor)] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                query.push_str(name);
                push_encoded(value, &mut query);
            }
        }
        self.base.exactly("/keys", Some(&query))
    }
}

/// `text` came out of a parser as `parsed`, or not at all.
fn not_itself(text: &str, parsed: Result<Url, impl fmt::Display>, origin: &str) -> UrlMismatch {
    let path = |url: &str| url.strip_prefix(origin).unwrap_or(url).to_owned();
    UrlMismatch::Parsed {
        wanted: path(text),
        parsed: parsed.map_or_else(|error| error.to_string(), |url| path(url.as_str())),
    }
}

#[cfg(test)]
mod tests;
