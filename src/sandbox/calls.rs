//! What each call does to the store and what it answers.

mod base64;
mod bulk;
mod identity;
mod listing;
mod payload;
mod values;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::Request;
use hyper::{Method, StatusCode};
use serde::de::DeserializeOwned;

pub(super) use payload::Payload;

use super::answer::Problem;
use super::body::Response;
use super::fault::BulkResult;
use super::route::{Route, Target};
use super::service::Service;

/// What a call came to.
pub(super) struct Done {
    pub(super) response: Response,
    /// Whether something changed in the store.
    pub(super) changed: bool,
}

impl Done {
    fn unchanged(response: Response) -> Self {
        Self { response, changed: false }
    }
}

/// What is asked for, whole.
pub(super) struct Call<'a> {
    pub(super) head: &'a Request<()>,
    pub(super) target: &'a Target<'a>,
    pub(super) payload: Payload,
    /// Names that a bulk call is not to process, and how it responds.
    pub(super) unprocessed: Option<(BulkResult, &'a [String])>,
}

impl Call<'_> {
    fn query<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let query = self.head.uri().query().unwrap_or_default();
        serde_urlencoded::from_str(query)
            .map_err(|error| Problem::malformed(format!("could not parse the query: {error}")))
    }
}

/// Does what the call asks for.
pub(super) async fn perform(service: &Service, call: Call<'_>) -> Result<Done, Problem> {
    let method = call.head.method();
    match (&call.target.route, method) {
        (Route::Value(key), &Method::DELETE) => values::delete(service, key),
        (Route::Value(key), &Method::GET) => values::get(service, key),
        (Route::Value(key), &Method::PUT) => values::put(service, key, call).await,
        (Route::Metadata(key), &Method::GET) => values::metadata(service, key),
        (Route::Keys, &Method::GET) => listing::keys(service, &call),
        (Route::BulkDelete, &Method::POST) => bulk::delete(service, &call),
        (Route::Bulk, &Method::DELETE) if service.options().legacy_bulk => bulk::delete(service, &call),
        (Route::Bulk, &Method::PUT) => bulk::put(service, call),
        (Route::BulkGet, &Method::POST) => bulk::get(service, &call),
        (Route::Namespace, &Method::GET) => Ok(listing::namespace(service, &call)),
        (Route::Namespace, &Method::DELETE) => Ok(service.delete_namespace()),
        (Route::Namespaces, &Method::GET) => listing::namespaces(service, &call),
        (Route::VerifyToken, &Method::GET) => identity::verified(service, &call),
        (Route::Token(id), &Method::GET) => identity::token(service, &call, id),
        (Route::User, &Method::GET) => identity::user(&call),
        _ => Err(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            7001,
            format!("Method {method} not available for that URI."),
        )),
    }
}

/// The wall time. The sandbox shares nothing with the client, the clock included.
#[expect(clippy::disallowed_methods, reason = "the rest of the crate is not used here")]
pub(super) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The wall time in seconds since the Unix epoch, by which keys expire.
pub(super) fn unix_now() -> u64 {
    since_epoch().as_secs()
}

/// The whole part of a number; below zero, zero. `None` where it is not finite.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "that is what it is for")]
fn whole(number: f64) -> Option<u64> {
    number.is_finite().then_some(number as u64)
}
