//! One key: its value and its metadata.

use futures::stream;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::Value;

use super::payload::{Call, Done, Lifetime, MAX_VALUE_BYTES, Payload, too_large};
use crate::sandbox::account::{Account, Namespace};
use crate::sandbox::answer::{MALFORMED, Problem, done, success};
use crate::sandbox::answer::{Response, whole};
use crate::sandbox::options::MissingKey;
use crate::sandbox::store::{Stored, unix_now};

/// The largest metadata as JSON (developers.cloudflare.com/kv/platform/limits).
const MAX_METADATA_BYTES: usize = 1_024;

/// The shortest life of a key in seconds.
const MIN_LIFE: u64 = 60;

pub(super) fn delete(account: &Account, namespace: &Namespace, key: &str) -> Result<Done, Problem> {
    account.spend_deletes(1)?;
    let changed = namespace.store().delete(key, unix_now());
    if !changed && account.options.missing_key == MissingKey::NotFound {
        return Err(Problem::key_not_found());
    }
    let response = done();
    Ok(Done { response, changed })
}

pub(super) fn get(namespace: &Namespace, key: &str) -> Result<Done, Problem> {
    let stored = find(namespace, key)?;
    let mut response = Response::new(whole(stored.value));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    if let Some(expiration) = stored.expiration {
        headers.insert(HeaderName::from_static("expiration"), expiration.into());
    }
    Ok(Done::unchanged(response))
}

pub(super) fn metadata(namespace: &Namespace, key: &str) -> Result<Done, Problem> {
    let stored = find(namespace, key)?;
    Ok(Done::unchanged(success(&stored.metadata.unwrap_or_default())))
}

pub(super) async fn put(namespace: &Namespace, key: &str, call: Call<'_>) -> Result<Done, Problem> {
    let lifetime: Lifetime = call.query()?;
    let content_type = call.head.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = match content_type.map(multer::parse_boundary) {
        Some(Ok(boundary)) => Some(boundary),
        Some(Err(error @ multer::Error::NoBoundary)) => {
            return Err(bad_form(format!("could not parse the form: {error}")));
        }
        _ => None,
    };
    let Payload::Value(body) = call.payload else {
        return Err(Problem::malformed("a value is missing"));
    };
    let (value, metadata) = match boundary {
        Some(boundary) => form(body, boundary).await?,
        None => (body, None),
    };
    let stored = stored(value, metadata, lifetime)?;
    namespace.store().put(key, stored);
    let (response, changed) = (done(), true);
    Ok(Done { response, changed })
}

/// What is to be stored, if it may be.
pub(super) fn stored(value: Bytes, metadata: Option<Value>, lifetime: Lifetime) -> Result<Stored, Problem> {
    if value.len() > MAX_VALUE_BYTES {
        return Err(too_large(MAX_VALUE_BYTES));
    }
    let length = metadata.as_ref().map_or(0, |metadata| metadata.to_string().len());
    if length > MAX_METADATA_BYTES {
        let message = format!("Metadata length of {length} exceeds limit of {MAX_METADATA_BYTES}.");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, MALFORMED, message));
    }
    let now = unix_now();
    let expiration = match (lifetime.expiration_ttl, lifetime.expiration) {
        (Some(ttl), _) if ttl < MIN_LIFE => {
            let message = format!("Invalid expiration_ttl of {ttl}. Expiration TTL must be at least {MIN_LIFE}.");
            return Err(Problem::malformed(message));
        }
        (Some(ttl), _) => Some(now.saturating_add(ttl)),
        (None, Some(at)) if at < now.saturating_add(MIN_LIFE) => {
            let message = format!(
                "Invalid expiration of {at}. Expiration times must be at least {MIN_LIFE} seconds in the future."
            );
            return Err(Problem::malformed(message));
        }
        (None, at) => at,
    };
    Ok(Stored { value, expiration, metadata })
}

/// The fields `value` and `metadata` of a form. Any other is refused rather than lost: the npm package `cloudflare`
/// (7.3.0) sends metadata that is an object as fields such as `metadata[a]`.
async fn form(body: Bytes, boundary: String) -> Result<(Bytes, Option<Value>), Problem> {
    let unreadable = |error: multer::Error| bad_form(format!("could not parse the form: {error}"));
    let source = stream::once(async { Ok::<_, std::convert::Infallible>(body) });
    let mut form = multer::Multipart::new(source, boundary);
    let (mut value, mut metadata) = (None, None);
    while let Some(field) = form.next_field().await.map_err(unreadable)? {
        let name = field.name().unwrap_or_default().to_owned();
        let part = match name.as_str() {
            "value" => &mut value,
            "metadata" => &mut metadata,
            _ => {
                let message =
                    format!("unexpected form field {name:?}; metadata must be one field, metadata, with JSON");
                return Err(bad_form(message));
            }
        };
        if part.replace(field.bytes().await.map_err(unreadable)?).is_some() {
            return Err(bad_form(format!("form field {name:?} is there twice")));
        }
    }
    let missing = "multipart put request does not contain required form field 'value'";
    let value = value.ok_or_else(|| bad_form(missing))?;
    let metadata = metadata.map(|metadata| serde_json::from_slice(&metadata)).transpose();
    Ok((value, metadata.map_err(|_| Problem::malformed("metadata must be valid json"))?))
}

/// The code is the service's (github.com/markusahlstrand/cloudflare-kv-storage-rest/issues/2).
fn bad_form(message: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, 10047, message)
}

fn find(namespace: &Namespace, key: &str) -> Result<Stored, Problem> {
    namespace.store().get(key, unix_now()).ok_or_else(Problem::key_not_found)
}
