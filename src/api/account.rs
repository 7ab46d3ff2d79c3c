//! The calls that belong to an account or a user, not to one namespace: which namespaces exist, and what the
//! credentials are.
//!
//! Shapes after <https://developers.cloudflare.com/api/resources/kv/subresources/namespaces/methods/list>,
//! <https://developers.cloudflare.com/api/resources/user/subresources/tokens> and its counterpart for tokens of accounts.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use reqwest::Url;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::api::answer::Reply;
use crate::api::auth::Credentials;
use crate::api::classify::Endpoint;
use crate::api::client::Namespace;
use crate::api::envelope;
use crate::api::error::ClientError;
use crate::api::http::{Access, ApiRequest, Http};
use crate::api::url::{BaseUrl, Owner, UrlMismatch};
use crate::key::{AccountId, IdError, NamespaceId, TokenId};
use crate::terminal::Quoted;
use crate::text::{json_error, truncated};

/// Reads what exists, and changes nothing. Each call is one request.
#[derive(Debug)]
pub(crate) struct AccountClient {
    http: Http,
    base: BaseUrl,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageOf<T> {
    pub items: Vec<T>,
    /// How many there are on all pages, if the response counts them.
    pub total: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    #[serde(deserialize_with = "id")]
    pub id: AccountId,
    /// Its name, for people; may hold any character.
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct WorkerNamespace {
    pub name: String,
    #[serde(deserialize_with = "id")]
    pub namespace_id: NamespaceId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TokenStatus {
    /// Its id, which is no secret.
    #[serde(deserialize_with = "id")]
    pub id: TokenId,
    /// `active`, `disabled` or `expired`.
    pub status: String,
    /// When it expires, as the server wrote it (RFC 3339).
    pub expires_on: Option<String>,
    /// From when on it is accepted, as the server wrote it (RFC 3339).
    pub not_before: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct TokenDetails {
    /// Its name, for people; may hold any character.
    pub name: Option<String>,
    /// What it may do; `None` if the response does not say, or not in a known form.
    pub policies: Option<Vec<Policy>>,
}

/// A rule of what a token may do; its texts may hold any character.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Policy {
    /// `allow` or `deny`.
    pub effect: String,
    /// The names of the permissions, `Workers KV Storage Write` for example; the id if there is no name.
    #[serde(deserialize_with = "names")]
    pub permission_groups: Vec<String>,
    /// What they are about, `com.cloudflare.api.account.ID` for example.
    #[serde(deserialize_with = "members")]
    pub resources: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    pub id: String,
    /// The address, if the response has one.
    pub email: Option<String>,
}

#[derive(Deserialize)]
struct WorkerSettings {
    #[serde(default)]
    bindings: Vec<Value>,
}

impl AccountClient {
    /// How many namespaces a page holds at most. The service gives up to 1,000 today, and gave 100 for years.
    pub(crate) const PER_PAGE: u16 = 100;

    /// The most that the service gives (`maximum: 50` in the API's published schema).
    const ACCOUNTS_PER_PAGE: u16 = 50;

    /// Reads the certificates and sets up the connections; sends nothing.
    pub(crate) fn new(access: Access, timeout: Duration) -> Result<Self, ClientError> {
        let base = access.base_url.clone();
        Ok(Self { http: Http::new(access, timeout, 1)?, base })
    }

    /// A page of the namespaces of an account; the first is 1.
    pub(crate) async fn namespaces(&self, account: &AccountId, page: u32) -> Result<PageOf<Namespace>, Reply> {
        let url = self.base.namespaces(account, page, Self::PER_PAGE);
        self.get(Endpoint::ListNamespaces, url, "a page of namespaces", |body| {
            page_of(body, |described| {
                let namespace = Namespace::read(described, self.http.credentials())?;
                let id: Result<NamespaceId, _> = namespace.id.parse();
                id.map_err(|error| format!("the id {}: {error}", Quoted(&namespace.id)))?;
                Ok(namespace)
            })
        })
        .await
    }

    /// A page of the accounts that the credentials can access; the first is 1.
    pub(crate) async fn accounts(&self, page: u32) -> Result<PageOf<Account>, Reply> {
        let url = self.base.accounts(page, Self::ACCOUNTS_PER_PAGE);
        self.get(Endpoint::ListAccounts, url, "a page of accounts", |body| {
            page_of(body, |mut described| {
                self.http.credentials().sanitize(&mut described);
                serde_json::from_value(described).map_err(|error| json_error(&error))
            })
        })
        .await
    }

    pub(crate) async fn worker_namespaces(
        &self,
        account: &AccountId,
        worker: &str,
    ) -> Result<Vec<WorkerNamespace>, Reply> {
        let url = self.base.worker_settings(account, worker);
        self.get(Endpoint::GetWorkerSettings, url, "the settings of a Worker", |body| {
            let settings: WorkerSettings = result(body, self.http.credentials())?;
            let is_kv = |binding: &Value| binding["type"] == "kv_namespace";
            let bound = settings.bindings.into_iter().filter(is_kv).map(serde_json::from_value);
            bound.collect::<Result<_, _>>().map_err(|error| json_error(&error))
        })
        .await
    }

    /// Verifies the token. An account's own token is known only in its account.
    pub(crate) async fn verify(&self, owner: &Owner) -> Result<TokenStatus, Reply> {
        self.get(Endpoint::VerifyToken, self.base.verify(owner), "a token's status", |body| {
            result(body, self.http.credentials())
        })
        .await
    }

    /// What a token may do; few tokens may read it.
    pub(crate) async fn token(&self, owner: &Owner, id: &TokenId) -> Result<TokenDetails, Reply> {
        self.get(Endpoint::GetToken, self.base.token(owner, id), "a token's policies", |body| {
            details(body, self.http.credentials())
        })
        .await
    }

    pub(crate) async fn user(&self) -> Result<User, Reply> {
        self.get(Endpoint::GetUser, self.base.user(), "a user", |body| result(body, self.http.credentials())).await
    }

    async fn get<T>(
        &self,
        call: Endpoint,
        url: Result<Url, UrlMismatch>,
        what: &str,
        read: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<T, Reply> {
        let read = |body: &[u8]| read(body).map_err(|why| format!("the response does not describe {what}: {why}"));
        let (reply, found) = self.http.attempt(ApiRequest::new(call, url), read).await;
        found.ok_or(reply)
    }
}

fn page_of<T>(body: &[u8], read: impl Fn(Value) -> Result<T, String>) -> Result<PageOf<T>, String> {
    let (items, info) = envelope::page(body)?;
    Ok(PageOf { items: items.into_iter().map(read).collect::<Result<_, String>>()?, total: info.total_count })
}

fn result<T: DeserializeOwned>(body: &[u8], credentials: &Credentials) -> Result<T, String> {
    let mut result: Value = envelope::result(body)?;
    credentials.sanitize(&mut result);
    serde_json::from_value(result).map_err(|error| json_error(&error))
}

/// By then the token is known to exist: whatever the response lacks is unknown.
fn details(body: &[u8], credentials: &Credentials) -> Result<TokenDetails, String> {
    let Value::Object(mut token) = result::<Value>(body, credentials)? else { return Ok(TokenDetails::default()) };
    let mut member = |name| token.remove(name).unwrap_or_default();
    Ok(TokenDetails {
        name: serde_json::from_value(member("name")).ok(),
        policies: serde_json::from_value(member("policies")).ok(),
    })
}

fn id<'de, D: Deserializer<'de>, T: FromStr<Err = IdError>>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|error| D::Error::custom(format!("the id {}: {error}", Quoted(&text))))
}

#[derive(Deserialize)]
struct Group {
    id: String,
    name: Option<String>,
}

fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let groups = Vec::<Group>::deserialize(deserializer)?;
    Ok(groups.into_iter().map(|group| group.name.unwrap_or(group.id)).collect())
}

/// The names of the members: what they hold (`*`, or a smaller part) is left out if it is all.
fn members<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let resources = BTreeMap::<String, Value>::deserialize(deserializer)?;
    let shown = |(name, part): (String, Value)| {
        if part == "*" { name } else { truncated(&format!("{name}: {part}")).into_owned() }
    };
    Ok(resources.into_iter().map(shown).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "hunter2-hunter2-hunter2";

    #[test]
    fn a_token_is_read() {
        let status = |id: &str| {
            result::<TokenStatus>(
                format!(r#"{{"success":true,"result":{{"id":"{id}","status":"active","expires_on":"2030-01-01T00:00:00Z"}}}}"#)
                    .as_bytes(),
                &Credentials::token(SECRET).unwrap(),
            )
        };
        let active = status("ed17574386854bf78a67040be0a770b0").unwrap();
        assert_eq!(active.status, "active");
        assert_eq!((active.expires_on.as_deref(), active.not_before), (Some("2030-01-01T00:00:00Z"), None));
        assert!(status("../../accounts").unwrap_err().contains("the id contains"));
        // Nor one that is the secret, which would be shown and sent in a path.
        assert!(!status(SECRET).unwrap_err().contains(SECRET));
    }

    #[test]
    fn what_a_token_says_of_itself_is_sanitized() {
        let long = "x".repeat(5_000);
        let body = format!(
            r#"{{"success":true,"result":{{"name":"{SECRET}{long}","policies":[{{"effect":"{SECRET}",
                "permission_groups":[{{"id":"1","name":"{SECRET}"}},{{"id":"{SECRET}"}}],
                "resources":{{"{SECRET}":"*","b":{{"{long}":"{SECRET}","{long}2":1}}}}}}]}}}}"#
        );
        let details = details(body.as_bytes(), &Credentials::token(SECRET).unwrap()).unwrap();
        assert!(!format!("{details:?}").contains(SECRET), "{details:?}");
        let (name, policies) = (details.name.clone().unwrap(), details.policies.clone().unwrap());
        let policy = &policies[0];
        let texts = policy.permission_groups.iter().chain(&policy.resources).chain([&name, &policy.effect]);
        assert!(texts.map(String::len).max() == Some(1_024), "{details:?}");
    }

    #[test]
    fn what_is_not_said_of_a_token_is_unknown() {
        for told in ["{}", "null", "[]", r#"{"name":7,"policies":{}}"#, r#"{"policies":[{"effect":"allow"}]}"#] {
            let body = format!(r#"{{"success":true,"result":{told}}}"#);
            assert_eq!(
                details(body.as_bytes(), &Credentials::token(SECRET).unwrap()),
                Ok(TokenDetails::default()),
                "{told}"
            );
        }
        assert!(details(b"<html>", &Credentials::token(SECRET).unwrap()).is_err());
    }

    #[test]
    fn policies_are_read() {
        let details = details(
            br#"{"success":true,"result":{"id":"x","name":"sweep","status":"active","policies":[{"id":"p","effect":"allow",
                "permission_groups":[{"id":"1","name":"Workers KV Storage Write"},{"id":"2","meta":{}}],
                "resources":{"com.cloudflare.api.account.a":"*","com.cloudflare.api.account.b":{"zone.c":"*"}}}]}}"#,
            &Credentials::token(SECRET).unwrap(),
        )
        .unwrap();
        let policy = &details.policies.unwrap()[0];
        assert_eq!((details.name.as_deref(), policy.permission_groups.len()), (Some("sweep"), 2));
        assert_eq!(policy.permission_groups, ["Workers KV Storage Write", "2"]);
        assert_eq!(
            policy.resources,
            ["com.cloudflare.api.account.a", r#"com.cloudflare.api.account.b: {"zone.c":"*"}"#]
        );
    }
}
