//! Writes many keys with one call, and reads which of many exist.

use std::collections::HashMap;

use hyper::body::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::api::answer::{Answer, Reply};
use crate::api::bulk::BulkReply;
use crate::api::classify::Endpoint;
use crate::api::client::Client;
use crate::api::envelope::result;
use crate::api::http::ApiRequest;
use crate::key::KeyName;

/// The most keys that one bulk write may hold
/// (<https://developers.cloudflare.com/api/resources/kv/subresources/namespaces/methods/bulk_update>).
pub(crate) const MAX_PUT_KEYS: usize = 10_000;

/// The most keys that one bulk read may name
/// (<https://developers.cloudflare.com/api/resources/kv/subresources/namespaces/methods/bulk_get>).
pub(crate) const MAX_GET_KEYS: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Present,
    Absent,
    /// The response is not conclusive; request this key alone.
    Unknown,
}

#[derive(Deserialize)]
struct Values {
    values: HashMap<String, Option<IgnoredAny>>,
}

impl Client {
    /// Writes `keys` with one `PUT`; `records` is the JSON array of what is written, at most 100 MB (the same page).
    pub(crate) async fn put_many(&self, keys: &[KeyName], records: Bytes) -> BulkReply {
        self.bulk_call(Endpoint::PutMany, self.endpoint().bulk_put(), keys, records).await
    }

    /// Reads with one request which of `keys` exist, in their order; at most [`MAX_GET_KEYS`]. The service answers
    /// with their values: if those are too large, the call is refused, and fewer keys have to be requested. Among several, no
    /// key is [`Presence::Absent`]: Cloudflare's runtime answers `null` for some names that exist (`0`, `__proto__`). Of one
    /// key it is requested without its value. Any other answer than [`Answer::Success`] says nothing about the keys.
    pub(crate) async fn presence(&self, keys: &[KeyName]) -> (Reply, Vec<Presence>) {
        if let [key] = keys {
            let (reply, _) = self.metadata(key).await;
            return match reply.answer {
                Answer::Success => (reply, vec![Presence::Present]),
                Answer::Absent(_) => (Reply { answer: Answer::Success, ..reply }, vec![Presence::Absent]),
                _ => (reply, Vec::new()),
            };
        }
        let names: Vec<&str> = keys.iter().map(KeyName::as_str).collect();
        let body = serde_json::json!({"keys": names, "type": "text"}).to_string();
        let request = ApiRequest { call: Endpoint::ReadMany, url: self.endpoint().bulk_get(), body: Some(body.into()) };
        let (reply, found) = self.http().attempt(request, |body| read_presence(&names, body)).await;
        (reply, found.unwrap_or_default())
    }
}

fn read_presence(names: &[&str], body: &[u8]) -> Result<Vec<Presence>, String> {
    let found: Values = result(body).map_err(|error| format!("the response does not say which keys exist: {error}"))?;
    let of = |name: &&str| match found.values.get(*name) {
        Some(Some(_)) => Presence::Present,
        // A JavaScript object in between loses names that it keeps in another place: integers and `__proto__`.
        Some(None) | None => Presence::Unknown,
    };
    Ok(names.iter().map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::Presence::{Present, Unknown};
    use super::*;

    #[test]
    fn among_several_a_key_is_there_or_has_to_be_asked_for_alone() {
        let body = br#"{"success":true,"result":{"values":{"a":"text","b":null,"c":"","e":7}}}"#;
        let read = read_presence(&["a", "b", "c", "d", "e"], body);
        assert_eq!(read, Ok(vec![Present, Unknown, Present, Unknown, Present]));
        for body in [r#"{"success":true,"result":{}}"#, r#"{"success":true}"#, "[]"] {
            assert!(read_presence(&["a"], body.as_bytes()).is_err(), "{body}");
        }
    }
}
