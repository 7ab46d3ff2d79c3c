//! For the benchmarks alone: a response without a connection.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use crate::api::answer::Answer;
use crate::api::classify::{Body, Endpoint, Head, classify};
use crate::clock::wall_now;

/// The outcome of a delete with this response. A `status` that is none of HTTP's counts as 200.
pub fn answer_to_delete(status: u16, headers: &HeaderMap, body: &[u8]) -> Answer {
    let head = Head::read(StatusCode::from_u16(status).unwrap_or_default(), headers, wall_now());
    classify(Endpoint::DeleteKey, &head, &Body::Whole(body.to_vec()))
}
