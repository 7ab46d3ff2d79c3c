//! Namespaces, accounts and Workers: described, listed page by page, created, renamed and deleted.

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::payload::Payload;
use super::payload::{Call, Done};
use crate::sandbox::account::{Account, Namespace};
use crate::sandbox::answer::{Problem, done, page, success};

#[derive(Deserialize)]
struct PageQuery {
    page: Option<String>,
    per_page: Option<String>,
}

#[derive(Deserialize)]
struct Sorting {
    order: Option<String>,
    direction: Option<String>,
}

pub(super) fn get(account: &Account, namespace: &Namespace) -> Done {
    Done::unchanged(success(&described(account, namespace)))
}

pub(super) fn create(account: &Account, call: &Call<'_>) -> Result<Done, Problem> {
    let created = account.create(title(call))?;
    Ok(Done { response: success(&described(account, &created)), changed: true })
}

pub(super) fn rename(account: &Account, namespace: &Namespace, call: &Call<'_>) -> Result<Done, Problem> {
    account.rename(namespace, title(call).to_owned())?;
    Ok(Done { response: success(&described(account, namespace)), changed: true })
}

pub(super) fn delete(account: &Account, namespace: &Namespace) -> Done {
    account.delete(namespace);
    Done { response: done(), changed: true }
}

fn title<'a>(call: &'a Call<'_>) -> &'a str {
    if let Payload::Title(title) = &call.payload { title } else { "" }
}

/// By id unless by title; the service's own order is not published.
pub(super) fn list(account: &Account, call: &Call<'_>) -> Result<Done, Problem> {
    let Sorting { order, direction } = call.query()?;
    let mut all = account.namespaces();
    match order.as_deref() {
        None | Some("id") => {}
        Some("title") => all.sort_by_cached_key(|namespace| namespace.title()),
        Some(_) => return Err(Problem::malformed("order must be id or title")),
    }
    match direction.as_deref() {
        None | Some("asc") => {}
        Some("desc") => all.reverse(),
        Some(_) => return Err(Problem::malformed("direction must be asc or desc")),
    }
    listed(call, 1_000, &all, |namespace| described(account, namespace))
}

pub(super) fn accounts(account: &Account, call: &Call<'_>) -> Result<Done, Problem> {
    let only = || vec![(account.id().to_owned(), "sandbox".to_owned())];
    let accounts = account.options.accounts.clone().unwrap_or_else(only);
    listed(call, 50, &accounts, |(id, name)| json!({"id": id, "name": name, "type": "standard"}))
}

fn described(account: &Account, namespace: &Namespace) -> Value {
    let options = &account.options;
    let url_encoding = options.supports_url_encoding;
    let mut described = json!({"id": namespace.id, "title": namespace.title(), "supports_url_encoding": url_encoding});
    if let Some(mode) = &options.mode {
        described["mode"] = mode.as_str().into();
    }
    described
}

/// The bindings of a deployed Worker.
pub(super) fn worker_settings(account: &Account, worker: &str) -> Result<Done, Problem> {
    let of_worker = account.options.workers.iter().filter(|(name, ..)| name == worker);
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
    let per_page = within(query.per_page.as_deref(), 20, 1..=most, ("per_page", 10008))?;
    let number = within(query.page.as_deref(), 1, 1..=usize::MAX, ("page", 10007))?;
    let skipped = per_page.saturating_mul(number - 1);
    let found: Vec<_> = all.iter().skip(skipped).take(per_page).map(shown).collect();
    let info = json!({
        "page": number, "per_page": per_page, "count": found.len(), "total_count": all.len(),
        "total_pages": all.len().div_ceil(per_page),
    });
    Ok(Done::unchanged(page(&Value::Array(found), &info)))
}

fn within(
    given: Option<&str>,
    usual: usize,
    allowed: std::ops::RangeInclusive<usize>,
    (name, code): (&str, u64),
) -> Result<usize, Problem> {
    let number = given.map_or(Some(usual), |given| given.parse().ok());
    let (least, most) = (*allowed.start(), *allowed.end());
    number
        .filter(|number| allowed.contains(number))
        .ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, code, format!("{name} must be from {least} to {most}")))
}
