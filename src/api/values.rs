//! Reads what a key holds: its metadata, and its value with its expiration, exactly as they are stored.

use std::fmt;

use reqwest::header::HeaderMap;
use serde_json::value::RawValue;

use crate::api::answer::{Answer, Reply};
use crate::api::classify::Endpoint;
use crate::api::client::Client;
use crate::api::envelope::result;
use crate::api::http::{ApiRequest, Received};
use crate::api::memory::Reservation;
use crate::key::KeyName;

/// Metadata of a key: one JSON value, without line ends, otherwise as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct Metadata(Box<str>);

impl Metadata {
    /// JSON text; `null`, which stands for no metadata, is none.
    pub fn new(json: &RawValue) -> Option<Self> {
        // Between its tokens only: a string cannot hold a bare line end.
        (json.get() != "null").then(|| Self(json.get().replace(['\n', '\r'], " ").into()))
    }

    pub fn as_json(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug)]
pub struct Value {
    pub bytes: Vec<u8>,
    /// When it is gone, in seconds since the Unix epoch.
    pub expiration: Option<u64>,
    #[expect(dead_code, reason = "given back when the value is dropped")]
    pub(crate) reservation: Option<Reservation>,
}

impl Value {
    /// A value that does not come from a response.
    pub fn new(bytes: Vec<u8>, expiration: Option<u64>) -> Self {
        Self { bytes, expiration, reservation: None }
    }
}

impl Client {
    /// Sends one `GET` for the metadata of `key`. There is none if the reply is no success, or if the key has
    /// none.
    pub(crate) async fn metadata(&self, key: &KeyName) -> (Reply, Option<Metadata>) {
        let read = |body: &[u8]| {
            let found: Result<Box<RawValue>, _> = result(body);
            found.map_err(|error| format!("the response contains no metadata: {error}"))
        };
        let request = ApiRequest::new(Endpoint::ReadMetadata, self.urls.metadata(key));
        let (reply, found) = self.http.attempt(request, read).await;
        (reply, found.and_then(|json| Metadata::new(&json)))
    }

    /// Sends one `GET` for the value of `key`; a large one waits until there is memory for it. There is a value if
    /// the reply is a success, and only there.
    pub(crate) async fn value(&self, key: &KeyName) -> (Reply, Option<Value>) {
        let request = ApiRequest::new(Endpoint::ReadValue, self.urls.value(key));
        let value = |Received { bytes, headers, reservation }: Received| {
            expiration(&headers).map(|expiration| Value { bytes, expiration, reservation })
        };
        let read = |answer: &Answer, received| (*answer == Answer::Success).then(|| value(received)).transpose();
        let (reply, value) = self.http.attempt_received(request, read).await;
        (reply, value.flatten())
    }
}

/// The `expiration` header: seconds since the Unix epoch. One that cannot be read is an error, or the key would be put
/// back to stay for ever.
fn expiration(headers: &HeaderMap) -> Result<Option<u64>, String> {
    let Some(header) = headers.get("expiration") else { return Ok(None) };
    let number = header.to_str().ok().and_then(|text| text.trim().parse().ok());
    number.map(Some).ok_or_else(|| "the header `expiration` is not a number of seconds".to_owned())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn metadata(json: &str) -> Option<String> {
        let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
        Metadata::new(&raw).map(|metadata| metadata.as_json().to_owned())
    }

    #[test]
    fn metadata_is_kept_as_it_came_but_on_one_line() {
        assert_eq!(metadata("null"), None);
        for exact in ["0", "\"null\"", "[1e400,18446744073709551616,{\"b\":1,\"a\":2,\"b\":3}]", "\"a\\nb\""] {
            assert_eq!(metadata(exact).as_deref(), Some(exact));
        }
        assert_eq!(metadata("{\n \"a\":\r\n1}").as_deref(), Some("{  \"a\":  1}"));
    }

    #[test]
    fn an_expiration_that_cannot_be_read_is_not_taken_for_none() {
        let read = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("expiration", HeaderValue::from_static(value));
            expiration(&headers)
        };
        assert_eq!(expiration(&HeaderMap::new()), Ok(None));
        assert_eq!(read("1795000000"), Ok(Some(1_795_000_000)));
        for odd in ["", "soon", "-1", "1e9", "Tue, 24 Nov 2026 08:00:00 GMT"] {
            assert!(read(odd).is_err(), "{odd}");
        }
    }
}
