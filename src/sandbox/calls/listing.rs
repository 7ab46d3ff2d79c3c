//! Listing keys, page by page.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::payload::whole;
use super::payload::{Call, Done};
use crate::sandbox::account::Namespace;
use crate::sandbox::answer::{Problem, page};
use crate::sandbox::route::check_length;
use crate::sandbox::store::{Stored, unix_now};

#[derive(Deserialize)]
struct KeysQuery {
    #[serde(default)]
    prefix: String,
    limit: Option<String>,
    #[serde(default)]
    cursor: String,
}

/// A page of keys. The cursor holds the page's last name, so deleting while listing skips nothing.
pub(super) fn keys(namespace: &Namespace, call: &Call<'_>) -> Result<Done, Problem> {
    let query: KeysQuery = call.query()?;
    let limit = limit(query.limit.as_deref())?;
    check_length(&query.prefix)?;
    let after = after(&query.cursor)?;
    let store = namespace.store();
    let (keys, more) = store.list(&query.prefix, after.as_deref(), limit, unix_now());
    let last = keys.last().filter(|_| more);
    let cursor = last.map(|(name, _)| URL_SAFE_NO_PAD.encode(name)).unwrap_or_default();
    let info = json!({"count": keys.len(), "cursor": cursor});
    let keys = keys.into_iter().map(|(name, held)| shown(name, held)).collect();
    Ok(Done::unchanged(page(&Value::Array(keys), &info)))
}

/// The name behind which a page begins. What no server gave is refused (code 10041 of Cloudflare's error codes for
/// KV); Cloudflare's local runtime (miniflare 5, `KeyValueStorage.list`) reads what it can of it.
fn after(cursor: &str) -> Result<Option<String>, Problem> {
    if cursor.is_empty() {
        return Ok(None);
    }
    let name = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    name.map(Some).ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, 10041, "invalid list cursor"))
}

/// Any number from 10 to 1,000, of which the whole part counts, as Cloudflare's own schema and code have it.
fn limit(given: Option<&str>) -> Result<usize, Problem> {
    let number = given.map_or(Some(1_000.0), |given| given.parse().ok());
    let whole = number.filter(|number| (10.0..=1_000.0).contains(number)).and_then(whole);
    let number = whole.and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, 10028, "limit must be from 10 to 1000"))
}

fn shown(name: &str, held: Option<&Stored>) -> Value {
    let mut entry = json!({"name": name});
    if let Some(expiration) = held.and_then(|held| held.expiration) {
        entry["expiration"] = expiration.into();
    }
    if let Some(metadata) = held.and_then(|held| held.metadata.as_ref()) {
        entry["metadata"] = metadata.clone();
    }
    entry
}
