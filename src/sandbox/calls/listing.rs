//! Listing keys, namespaces and accounts, page by page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::base64::forgiving;
use super::call::{Call, Done};
use super::payload::whole;
use crate::sandbox::answer::{Problem, page, success};
use crate::sandbox::lock::locked;
use crate::sandbox::namespace::Namespace;
use crate::sandbox::route::check_length;
use crate::sandbox::store::{Listed, Page};
use crate::sandbox::time::unix_now;

/// Names the account if any id does.
const SOME_ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";

/// Names the namespace if any id does.
const SOME_NAMESPACE: &str = "0f2ac74b498b48028cb68387c421e279";

#[derive(Deserialize)]
struct KeysQuery {
    #[serde(default)]
    prefix: String,
    limit: Option<f64>,
    #[serde(default)]
    cursor: String,
}

#[derive(Deserialize)]
struct PageQuery {
    page: Option<usize>,
    per_page: Option<usize>,
}

/// A page of keys. The cursor holds the page's last name, so deleting while listing skips nothing.
pub(super) fn keys(namespace: &Namespace, call: &Call<'_>) -> Result<Done, Problem> {
    let query: KeysQuery = call.query()?;
    let limit = limit(query.limit)?;
    check_length(&query.prefix)?;
    let after = after(&query.cursor);
    let Page { keys, more } = locked(namespace.store()).list(&query.prefix, after.as_deref(), limit, unix_now());
    let cursor = match keys.last() {
        Some(last) if more => STANDARD.encode(&last.name),
        _ => String::new(),
    };
    let info = json!({"count": keys.len(), "cursor": cursor});
    let keys = keys.into_iter().map(shown).collect();
    Ok(Done::unchanged(page(&Value::Array(keys), &info)))
}

/// The name behind which a page begins. A cursor is opaque, and what becomes of one that the server never gave is not
/// documented: Cloudflare's local runtime (miniflare 5, `KeyValueStorage.list`) refuses none and reads what it can, so
/// that the page begins anywhere: at the start, in the middle or at the end.
fn after(cursor: &str) -> Option<String> {
    (!cursor.is_empty()).then(|| String::from_utf8_lossy(&readable(cursor)).into_owned())
}

/// As Node's `Buffer.from(text, 'base64')` decodes: in either alphabet, up to the first `=`, passing over what is in
/// none.
fn readable(text: &str) -> Vec<u8> {
    let read = text.split('=').next().unwrap_or_default().chars().filter_map(|character| match character {
        '-' => Some('+'),
        '_' => Some('/'),
        '+' | '/' | '0'..='9' | 'A'..='Z' | 'a'..='z' => Some(character),
        _ => None,
    });
    let mut read: String = read.collect();
    if read.len() % 4 == 1 {
        // Six bits are no byte.
        read.pop();
    }
    forgiving(&read).unwrap_or_default()
}

/// Any number from 10 to 1,000, of which the whole part counts, as Cloudflare's own schema and code have it.
fn limit(given: Option<f64>) -> Result<usize, Problem> {
    let number = given.unwrap_or(1_000.0);
    let whole = (10.0..=1_000.0).contains(&number).then(|| whole(number)).flatten();
    let number = whole.and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| Problem::malformed("limit must be from 10 to 1000"))
}

fn shown(listed: Listed) -> Value {
    let mut entry = json!({"name": listed.name});
    if let Some(expiration) = listed.expiration {
        entry["expiration"] = expiration.into();
    }
    if let Some(metadata) = listed.metadata {
        entry["metadata"] = metadata;
    }
    entry
}

pub(super) fn namespace(namespace: &Namespace, call: &Call<'_>) -> Done {
    let id = call.target.namespace.unwrap_or(SOME_NAMESPACE);
    Done::unchanged(success(&described(namespace, id)))
}

pub(super) fn namespaces(namespace: &Namespace, call: &Call<'_>) -> Result<Done, Problem> {
    let options = namespace.options();
    let only = options.namespace.as_deref().unwrap_or(SOME_NAMESPACE);
    let mut ids: Vec<_> = options.other_namespaces.iter().map(|(id, _)| id.as_str()).chain([only]).collect();
    ids.sort_unstable();
    listed(call, 1_000, &ids, |id| described(namespace, id))
}

pub(super) fn accounts(namespace: &Namespace, call: &Call<'_>) -> Result<Done, Problem> {
    let options = namespace.options();
    let only = || vec![(options.account.clone().unwrap_or(SOME_ACCOUNT.to_owned()), "sandbox".to_owned())];
    let accounts = options.accounts.clone().unwrap_or_else(only);
    listed(call, 50, &accounts, |(id, name)| json!({"id": id, "name": name, "type": "standard"}))
}

/// The bindings of a deployed Worker.
pub(super) fn worker_settings(namespace: &Namespace, worker: &str) -> Result<Done, Problem> {
    let of_worker = namespace.options().workers.iter().filter(|(name, ..)| name == worker);
    let kv =
        |(_, name, id): &(String, String, String)| json!({"type": "kv_namespace", "name": name, "namespace_id": id});
    let mut bindings: Vec<_> = of_worker.map(kv).collect();
    if bindings.is_empty() {
        let message = "This Worker does not exist on your account.";
        return Err(Problem::new(StatusCode::NOT_FOUND, 10007, message));
    }
    bindings.push(json!({"type": "plain_text", "name": "MODE", "text": "production"}));
    Ok(Done::unchanged(success(&json!({"bindings": bindings, "usage_model": "standard"}))))
}

/// A page of a list, of at most `most` items.
fn listed<T>(call: &Call<'_>, most: usize, all: &[T], shown: impl Fn(&T) -> Value) -> Result<Done, Problem> {
    let query: PageQuery = call.query()?;
    let per_page = within(query.per_page, 20, 1..=most, "per_page")?;
    let number = within(query.page, 1, 1..=usize::MAX, "page")?;
    let skipped = per_page.saturating_mul(number - 1);
    let found: Vec<_> = all.iter().skip(skipped).take(per_page).map(shown).collect();
    let info = json!({
        "page": number, "per_page": per_page, "count": found.len(), "total_count": all.len(),
        "total_pages": all.len().div_ceil(per_page),
    });
    Ok(Done::unchanged(page(&Value::Array(found), &info)))
}

fn described(namespace: &Namespace, id: &str) -> Value {
    let options = namespace.options();
    let other = options.other_namespaces.iter().find(|(other, _)| other == id);
    let title = other.map_or(&options.title, |(_, title)| title);
    let mut described = json!({"id": id, "title": title, "supports_url_encoding": options.supports_url_encoding});
    if let Some(mode) = &options.mode {
        described["mode"] = mode.as_str().into();
    }
    described
}

fn within(
    given: Option<usize>,
    usual: usize,
    allowed: std::ops::RangeInclusive<usize>,
    name: &str,
) -> Result<usize, Problem> {
    let number = given.unwrap_or(usual);
    if allowed.contains(&number) {
        return Ok(number);
    }
    let (least, most) = allowed.into_inner();
    Err(Problem::malformed(format!("{name} must be from {least} to {most}")))
}
