//! What each call does to the namespace and what it answers.

mod bulk;
mod identity;
mod listing;
mod namespaces;
mod payload;
mod values;

use hyper::{Method, StatusCode};

pub(super) use payload::{Call, Done, Payload};

use super::account::Account;
use super::answer::Problem;
use super::route::Route;

/// Does what the call asks for.
pub(super) async fn perform(account: &Account, call: Call<'_>) -> Result<Done, Problem> {
    let method = call.head.method();
    let not_allowed = || {
        let message = format!("Method {method} not available for that URI.");
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, 7001, message)
    };
    let Some(id) = call.target.namespace else {
        return match (&call.target.route, method) {
            (Route::Namespaces, &Method::GET) => namespaces::list(account, &call),
            (Route::Namespaces, &Method::POST) => namespaces::create(account, &call),
            (Route::Accounts, &Method::GET) => namespaces::accounts(account, &call),
            (Route::WorkerSettings(worker), &Method::GET) => namespaces::worker_settings(account, worker),
            (Route::VerifyToken, &Method::GET) => identity::verified(account, &call),
            (Route::Token(id), &Method::GET) => identity::token(account, &call, id),
            (Route::User, &Method::GET) => identity::user(&call),
            _ => Err(not_allowed()),
        };
    };
    let namespace = &*account.namespace(id)?;
    match (&call.target.route, method) {
        (Route::Value(key), &Method::DELETE) => values::delete(account, namespace, key),
        (Route::Value(key), &Method::GET) => values::get(namespace, key),
        (Route::Value(key), &Method::PUT) => values::put(namespace, key, call).await,
        (Route::Metadata(key), &Method::GET) => values::metadata(namespace, key),
        (Route::Keys, &Method::GET) => listing::keys(namespace, &call),
        // The second is the older way, which wrangler 4.164.0 still goes.
        (Route::BulkDelete, &Method::POST) | (Route::Bulk, &Method::DELETE) => bulk::delete(account, namespace, &call),
        (Route::Bulk, &Method::PUT) => bulk::put(namespace, call),
        (Route::BulkGet, &Method::POST) => bulk::get(namespace, &call),
        (Route::Namespace, &Method::GET) => Ok(namespaces::get(account, namespace)),
        (Route::Namespace, &Method::PUT) => namespaces::rename(account, namespace, &call),
        (Route::Namespace, &Method::DELETE) => Ok(namespaces::delete(account, namespace)),
        _ => Err(not_allowed()),
    }
}
