//! A call, whole: its body, read up to a limit and then into what the call expects, and what it came to.

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, StatusCode};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::sandbox::answer::{Problem, Response, TOO_LARGE};
use crate::sandbox::fault::BulkResult;
use crate::sandbox::route::{Route, Target, check_key};

/// The largest value: 25 MiB (developers.cloudflare.com/kv/platform/limits).
pub(super) const MAX_VALUE_BYTES: usize = 25 << 20;

/// What a form may add around a value: boundaries, part headers, metadata.
const FORM_BYTES: usize = 64 << 10;

/// The largest body of a bulk call (the service: 100 MB).
const MAX_BULK_BYTES: usize = 100_000_000;

/// The most names of a bulk write or delete.
const MAX_BULK_NAMES: usize = 10_000;

/// The most names of a bulk read.
const MAX_BULK_GET_NAMES: usize = 100;

pub(in crate::sandbox) enum Payload {
    /// The call has none, or it does not matter.
    Nothing,
    /// A value, or a form that holds one.
    Value(Bytes),
    Names(Vec<String>),
    Pairs(Vec<Pair>),
    Wanted(Wanted),
    /// The title of a namespace.
    Title(String),
}

#[derive(Deserialize, PartialEq)]
pub(in crate::sandbox) struct Pair {
    pub(super) key: String,
    pub(super) value: String,
    #[serde(default)]
    pub(super) base64: bool,
    #[serde(flatten)]
    pub(super) lifetime: Lifetime,
    pub(super) metadata: Option<Value>,
}

/// How long a key lives: a moment in seconds since the Unix epoch, or a time to live in seconds.
#[derive(Deserialize, Clone, Copy, PartialEq)]
pub(in crate::sandbox) struct Lifetime {
    #[serde(default, deserialize_with = "seconds")]
    pub(super) expiration: Option<u64>,
    #[serde(default, deserialize_with = "seconds")]
    pub(super) expiration_ttl: Option<u64>,
}

/// Any number, of which the whole part counts, but not `null`: so Cloudflare's own schema and code (miniflare 5,
/// `zWorkersKvExpiration` and `validatePutOptions`), which know no greatest moment, either.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let number = whole(f64::deserialize(deserializer)?);
    number.map(Some).ok_or_else(|| D::Error::custom("no number of seconds"))
}

#[derive(Deserialize)]
pub(in crate::sandbox) struct Wanted {
    pub(super) keys: Vec<String>,
    #[serde(default, rename = "type")]
    pub(super) form: Form,
    #[serde(default, rename = "withMetadata")]
    pub(super) with_metadata: bool,
}

/// What a namespace is created or renamed with.
#[derive(Deserialize)]
struct Titled {
    title: Option<String>,
}

/// As what a bulk read shows values.
#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
pub(in crate::sandbox) enum Form {
    #[default]
    Text,
    Json,
}

impl Payload {
    /// Reads what the call expects; one bad name refuses a bulk call as a whole.
    pub(in crate::sandbox) async fn read(route: &Route, method: &Method, body: Incoming) -> Result<Self, Problem> {
        let payload = match (route, method) {
            (Route::Value(_), &Method::PUT) => {
                return Ok(Self::Value(collect(body, MAX_VALUE_BYTES + FORM_BYTES).await?));
            }
            (Route::BulkDelete, &Method::POST) | (Route::Bulk, &Method::DELETE) => Self::Names(json(body).await?),
            (Route::Bulk, &Method::PUT) => Self::Pairs(json(body).await?),
            (Route::BulkGet, &Method::POST) => Self::Wanted(object(body).await?),
            (Route::Namespaces, &Method::POST) | (Route::Namespace, &Method::PUT) => {
                let Titled { title } = object(body).await?;
                return Ok(Self::Title(title.unwrap_or_default()));
            }
            _ => return Ok(Self::Nothing),
        };
        let names = payload.names();
        let most = match payload {
            Self::Wanted(_) => MAX_BULK_GET_NAMES,
            _ => MAX_BULK_NAMES,
        };
        if names.len() > most {
            let message = format!("{} keys are more than {most} in one request", names.len());
            return Err(Problem::malformed(message));
        }
        for name in names {
            check_key(name).map_err(|problem| Problem::malformed(problem.message))?;
        }
        Ok(payload)
    }

    pub(in crate::sandbox) fn names(&self) -> Vec<&str> {
        match self {
            Self::Nothing | Self::Value(_) | Self::Title(_) => Vec::new(),
            Self::Names(names) | Self::Wanted(Wanted { keys: names, .. }) => names.iter().map(String::as_str).collect(),
            Self::Pairs(pairs) => pairs.iter().map(|pair| pair.key.as_str()).collect(),
        }
    }
}

async fn json<T: DeserializeOwned>(body: Incoming) -> Result<T, Problem> {
    serde_json::from_slice(&collect(body, MAX_BULK_BYTES).await?).map_err(unreadable)
}

/// A derived `Deserialize` takes an array for an object; this does not.
async fn object<T: DeserializeOwned>(body: Incoming) -> Result<T, Problem> {
    T::deserialize(Value::Object(json(body).await?)).map_err(unreadable)
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` has it")]
fn unreadable(error: serde_json::Error) -> Problem {
    Problem::malformed(format!("could not parse the body: {error}"))
}

/// 413 beyond `limit` bytes; 400 where the body breaks off.
async fn collect(mut body: Incoming, limit: usize) -> Result<Bytes, Problem> {
    let mut all = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Problem::malformed(format!("could not read the body: {error}")))?;
        let Ok(chunk) = frame.into_data() else { continue };
        if all.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all.into())
}

pub(super) fn too_large(limit: usize) -> Problem {
    let message = format!("request body is larger than {limit} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE, message)
}

/// The whole part of a number; below zero, zero. `None` where it is not finite.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "that is what it is for")]
pub(super) fn whole(number: f64) -> Option<u64> {
    number.is_finite().then_some(number as u64)
}

/// What a call came to.
pub(in crate::sandbox) struct Done {
    pub(in crate::sandbox) response: Response,
    /// Whether something changed in the store.
    pub(in crate::sandbox) changed: bool,
}

impl Done {
    pub(super) fn unchanged(response: Response) -> Self {
        Self { response, changed: false }
    }
}

pub(in crate::sandbox) struct Call<'a> {
    pub(in crate::sandbox) head: &'a Request<()>,
    pub(in crate::sandbox) target: &'a Target<'a>,
    pub(in crate::sandbox) payload: Payload,
    /// Names that a bulk call is not to process, and how it responds.
    pub(in crate::sandbox) unprocessed: Option<(BulkResult, &'a [String])>,
}

impl Call<'_> {
    pub(super) fn query<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let query = self.head.uri().query().unwrap_or_default();
        serde_urlencoded::from_str(query)
            .map_err(|error| Problem::malformed(format!("could not parse the query: {error}")))
    }
}
