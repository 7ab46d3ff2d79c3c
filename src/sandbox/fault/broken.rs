//! Responses of requests that met a fault.

use std::io;

use futures::{StreamExt, stream};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::header::{HeaderName, HeaderValue};

use super::Canned;
use crate::sandbox::answer::{Response, json_response, parts, whole};

const GIANT_BYTES: usize = 100 << 20;

static FILLER: [u8; 64 << 10] = [b'a'; 64 << 10];

/// A prepared answer. A header that is none is left out, a status that is none becomes 500.
pub(in crate::sandbox) fn canned(canned: &Canned) -> Response {
    let mut response = Response::new(whole(canned.body.clone()));
    let status = StatusCode::from_u16(canned.status).ok();
    let status = status.filter(|status| !status.is_informational());
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in &canned.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    response
}

/// The same answer, but that its body breaks off in the middle.
pub(in crate::sandbox) async fn truncated(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let bytes = body.collect().await.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
    head.headers.insert(CONTENT_LENGTH, bytes.len().into());
    let half = bytes.slice(..bytes.len() / 2);
    let end = async {
        // Lets the connection send what it has before it hears of the end.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::UnexpectedEof))
    };
    Response::from_parts(head, parts(stream::once(async { Ok(half) }).chain(stream::once(end))))
}

/// 200 with something that says it is JSON and is not.
pub(in crate::sandbox) fn garbage() -> Response {
    json_response(StatusCode::OK, whole(Bytes::from_static(b"\x1b[31m<<< \xff\xfe not json {\"success\":true")))
}

/// 200 with an envelope whose result is a very long string.
pub(in crate::sandbox) fn giant() -> Response {
    let opening = Bytes::from_static(br#"{"success":true,"errors":[],"messages":[],"result":""#);
    let filling = stream::repeat(Bytes::from_static(&FILLER)).take(GIANT_BYTES / FILLER.len());
    let closing = Bytes::from_static(b"\"}");
    let all = stream::iter([opening]).chain(filling).chain(stream::iter([closing]));
    json_response(StatusCode::OK, parts(all.map(Ok)))
}
