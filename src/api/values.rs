//! Reads what a key holds: its metadata, and its value with its expiration, exactly as they are stored.

use reqwest::header::HeaderMap;
use serde_json::value::RawValue;

use crate::api::answer::{Answer, Reply};
use crate::api::classify::Endpoint;
use crate::api::client::Client;
use crate::api::envelope::result;
use crate::api::http::{ApiRequest, Received};
use crate::api::memory::Reservation;
use crate::api::metadata::Metadata;
use crate::key::KeyName;

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
