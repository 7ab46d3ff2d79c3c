//! Bodies of responses: whole, or in parts that may break off.

use std::io;

use futures::{Stream, TryStreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};

pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

pub(super) type Response = hyper::Response<Body>;

pub(super) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

pub(super) fn parts(parts: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Body {
    StreamBody::new(parts.map_ok(Frame::data)).boxed_unsync()
}
