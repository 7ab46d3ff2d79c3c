//! What each call does to the namespace and what it answers.

mod base64;
mod bulk;
mod call;
mod identity;
mod listing;
mod payload;
mod values;

use hyper::{Method, StatusCode};

pub(super) use call::{Call, Done};
pub(super) use payload::Payload;

use super::answer::{Problem, done};
use super::namespace::Namespace;
use super::route::Route;

/// Does what the call asks for.
pub(super) async fn perform(namespace: &Namespace, call: Call<'_>) -> Result<Done, Problem> {
    let method = call.head.method();
    match (&call.target.route, method) {
        (Route::Value(key), &Method::DELETE) => values::delete(namespace, key),
        (Route::Value(key), &Method::GET) => values::get(namespace, key),
        (Route::Value(key), &Method::PUT) => values::put(namespace, key, call).await,
        (Route::Metadata(key), &Method::GET) => values::metadata(namespace, key),
        (Route::Keys, &Method::GET) => listing::keys(namespace, &call),
        (Route::BulkDelete, &Method::POST) => bulk::delete(namespace, &call),
        (Route::Bulk, &Method::DELETE) if namespace.options().legacy_bulk => bulk::delete(namespace, &call),
        (Route::Bulk, &Method::PUT) => bulk::put(namespace, call),
        (Route::BulkGet, &Method::POST) => bulk::get(namespace, &call),
        (Route::Namespace, &Method::GET) => Ok(listing::namespace(namespace, &call)),
        (Route::Namespace, &Method::DELETE) => {
            namespace.delete();
            Ok(Done { response: done(), changed: true })
        }
        (Route::Namespaces, &Method::GET) => listing::namespaces(namespace, &call),
        (Route::Accounts, &Method::GET) => listing::accounts(namespace, &call),
        (Route::WorkerSettings(worker), &Method::GET) => listing::worker_settings(namespace, worker),
        (Route::VerifyToken, &Method::GET) => identity::verified(namespace, &call),
        (Route::Token(id), &Method::GET) => identity::token(namespace, &call, id),
        (Route::User, &Method::GET) => identity::user(&call),
        _ => Err(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            7001,
            format!("Method {method} not available for that URI."),
        )),
    }
}
