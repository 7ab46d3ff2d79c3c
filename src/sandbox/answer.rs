//! Cloudflare's envelope, and what is wrong with a request.

use std::io;

use futures::{Stream, TryStreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::StatusCode;
use hyper::body::{Bytes, Frame};
use hyper::header::CONTENT_TYPE;
use hyper::header::HeaderValue;
use serde_json::{Value, json};

pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

pub(super) type Response = hyper::Response<Body>;

pub(super) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

pub(super) fn parts(parts: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Body {
    StreamBody::new(parts.map_ok(Frame::data)).boxed_unsync()
}

/// What is larger than the service takes.
pub(super) const TOO_LARGE: u64 = 10024;

/// The code for what cannot be read where the service's own is not published.
pub(super) const MALFORMED: u64 = 10012;

/// Why a request is refused: one entry of `errors`, with its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) code: u64,
    pub(super) message: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: u64, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// 400 for what cannot be read.
    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, MALFORMED, message)
    }

    /// 404 for a path that is none of the API's.
    pub(super) fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, 7000, "No route for that URI")
    }

    /// 404 for a path with an id that cannot be one.
    pub(super) fn could_not_route(path: &str) -> Self {
        let message = format!("Could not route to {path}, perhaps your object identifier is invalid?");
        Self::new(StatusCode::NOT_FOUND, 7003, message)
    }

    pub(super) fn key_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, 10009, "key not found")
    }
}

impl From<Problem> for Response {
    fn from(problem: Problem) -> Self {
        let error = json!({"code": problem.code, "message": problem.message});
        envelope(problem.status, &json!({"success": false, "errors": [error], "messages": [], "result": null}))
    }
}

/// 200 with a result.
pub(super) fn success(result: &Value) -> Response {
    envelope(StatusCode::OK, &json!({"success": true, "errors": [], "messages": [], "result": result}))
}

/// 200 with a page of results.
pub(super) fn page(result: &Value, info: &Value) -> Response {
    envelope(
        StatusCode::OK,
        &json!({"success": true, "errors": [], "messages": [], "result": result, "result_info": info}),
    )
}

/// 200 with the empty result of a write. It is what a job gets ten million times, so it is not built each time.
pub(super) fn done() -> Response {
    const DONE: &[u8] = br#"{"success":true,"errors":[],"messages":[],"result":{}}"#;
    json_response(StatusCode::OK, whole(Bytes::from_static(DONE)))
}

/// Any JSON under any status.
pub(super) fn envelope(status: StatusCode, body: &Value) -> Response {
    json_response(status, whole(body.to_string()))
}

pub(super) fn json_response(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
