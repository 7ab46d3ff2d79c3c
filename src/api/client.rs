//! The calls to one namespace, each one request and one [`Reply`].

#![warn(missing_docs)]

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::answer::Reply;
use crate::api::auth::Credentials;
use crate::api::classify::Endpoint;
use crate::api::envelope::result;
use crate::api::error::ClientError;
use crate::api::http::{Access, ApiRequest, Http};
use crate::api::listing::{Cursor, Page, PageRequest};
use crate::api::url::{BaseUrl, Urls};
use crate::key::{AccountId, KeyName, NamespaceId};
use crate::terminal::Quoted;
use crate::text::json_error;

/// What a [`Client`] is made of.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Where the API is, and the credentials.
    pub access: Access,
    /// Whose namespace it is.
    pub account: AccountId,
    /// The namespace; nothing outside of it is ever named.
    pub namespace: NamespaceId,
    /// How long one attempt may take, from connecting to the last byte of the answer.
    pub timeout: Duration,
    /// How many requests will be in flight at once; as many idle connections are kept.
    pub concurrency: usize,
}

impl ClientOptions {
    /// With 30 seconds per attempt and 32 requests at once. The API's own address is [`BaseUrl::CLOUDFLARE`].
    pub fn new(base_url: BaseUrl, credentials: Credentials, account: AccountId, namespace: NamespaceId) -> Self {
        let access = Access { base_url, credentials, ca_file: None };
        Self { access, account, namespace, timeout: Duration::from_secs(30), concurrency: 32 }
    }
}

/// A namespace, as the API describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// Its id.
    pub id: String,
    /// Its name, for people: sanitized, may hold any character.
    pub title: String,
    /// Whether key names are taken percent-encoded; `Some(false)` for very old namespaces, `None` if the response does not say.
    pub supports_url_encoding: Option<bool>,
    /// Where its data is kept, if it is bound to a place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<String>,
    /// How it is served, if the response says so; `instant` accepts one write per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// The title as it came, to compare and never to show.
    #[serde(skip)]
    exact_title: ExactTitle,
}

/// A title that may hold a secret.
#[derive(Clone, Default, PartialEq, Eq)]
struct ExactTitle(Box<str>);

impl fmt::Debug for ExactTitle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Namespace {
    /// A namespace with this title, taken as it is.
    #[cfg(test)]
    pub(crate) fn new(id: impl Into<String>, title: &str, supports_url_encoding: Option<bool>) -> Self {
        Self {
            id: id.into(),
            title: title.to_owned(),
            supports_url_encoding,
            jurisdiction: None,
            mode: None,
            exact_title: ExactTitle(title.into()),
        }
    }

    /// Whether this is its title, exactly.
    pub fn is_titled(&self, title: &str) -> bool {
        *self.exact_title.0 == *title
    }

    /// One that the server described, with everything in it sanitized.
    pub(crate) fn read(mut described: Value, credentials: &Credentials) -> Result<Self, String> {
        let exact_title = ExactTitle(described["title"].as_str().unwrap_or_default().into());
        credentials.sanitize(&mut described);
        let namespace = Self::deserialize(described).map_err(|error| json_error(&error))?;
        Ok(Self { exact_title, ..namespace })
    }
}

/// Talks to one namespace. Cheap to clone; all clones share their connections.
#[derive(Clone)]
pub struct Client {
    pub(super) http: Arc<Http>,
    pub(super) urls: Arc<Urls>,
}

impl Client {
    /// Reads the certificates and sets up the connections; sends nothing.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let urls = Urls::new(&options.access.base_url, &options.account, &options.namespace)?;
        let http = Http::new(options.access, options.timeout, options.concurrency)?;
        Ok(Self { http: Arc::new(http), urls: Arc::new(urls) })
    }

    /// For a namespace whose `supports_url_encoding` is false: no key that has to be encoded is put into a URL, where it
    /// would name another key.
    #[must_use]
    pub(crate) fn without_url_encoding(self) -> Self {
        let mut urls = Urls::clone(&self.urls);
        urls.url_encoding = false;
        Self { urls: Arc::new(urls), ..self }
    }

    pub(crate) async fn delete(&self, key: &KeyName) -> Reply {
        self.http.attempt(ApiRequest::new(Endpoint::DeleteKey, self.urls.value(key)), |_| Ok(())).await.0
    }

    /// Sends one `GET` for the namespace: proves credentials and ids. A response that describes another namespace may come
    /// from another account, or from a cache.
    pub(crate) async fn namespace(&self) -> Result<Namespace, Reply> {
        let read = |body: &[u8]| {
            let found = result(body)
                .and_then(|described| Namespace::read(described, self.http.credentials()))
                .map_err(|error| format!("the response does not describe a namespace: {error}"))?;
            let requested = self.urls.namespace_id.as_str();
            if found.id.eq_ignore_ascii_case(requested) {
                return Ok(found);
            }
            Err(format!("the response describes the namespace {}, and {requested} was requested", Quoted(&found.id)))
        };
        let request = ApiRequest::new(Endpoint::GetNamespace, self.urls.namespace());
        let (reply, namespace) = self.http.attempt(request, read).await;
        namespace.ok_or(reply)
    }

    pub(crate) async fn page(&self, request: &PageRequest) -> Result<Page, Reply> {
        let url = self.urls.keys(&request.prefix, PageRequest::LIMIT, request.cursor.as_ref().map(Cursor::as_str));
        let read = |body: &[u8]| {
            Page::read(body).map_err(|why| format!("the response is not the page that was asked for: {why}"))
        };
        let (reply, page) = self.http.attempt(ApiRequest::new(Endpoint::ListKeys, url), read).await;
        match page {
            Some(page) => Ok(Page { rate_limits: reply.rate_limits, ..page }),
            None => Err(reply),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("namespace", &format_args!("{}", self.urls.base))
            .field("http", &self.http)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
