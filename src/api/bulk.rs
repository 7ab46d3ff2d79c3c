//! Calls about many keys: one response for all of them, and which of them it leaves open.

use std::collections::{HashMap, HashSet};

use hyper::body::Bytes;
use reqwest::Url;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::api::answer::{Answer, Reply};
use crate::api::classify::Endpoint;
use crate::api::client::Client;
use crate::api::envelope::{self, Envelope};
use crate::api::http::{ApiRequest, Received};
use crate::api::url::UrlMismatch;
use crate::key::KeyName;

/// The most keys that one call may name
/// (<https://developers.cloudflare.com/api/resources/kv/subresources/namespaces/methods/bulk_delete>).
pub(crate) const MAX_BULK_KEYS: u32 = 10_000;

/// The longest body that is sent, in bytes: a tenth of what the API takes for bulk writes, and enough for
/// [`MAX_BULK_KEYS`] names of the greatest length.
pub(crate) const MAX_BULK_BYTES: usize = 10_000_000;

#[derive(Debug, Clone, PartialEq)]
pub struct BulkReply {
    pub reply: Reply,
    pub accounting: Accounting,
}

/// Which keys of a bulk call were processed, from `result`; honoured whatever the status of the response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accounting {
    /// The counts add up: all keys were processed but these, which are to be sent again.
    Complete {
        /// Names of the call, each once.
        unprocessed: Vec<Box<str>>,
    },
    /// The response does not account for the keys, or contradicts itself: nothing is known of any of them.
    Missing,
}

/// `result` of a bulk call; both may be missing.
#[derive(Debug, Default, Deserialize)]
struct Counted {
    successful_key_count: Option<u64>,
    unsuccessful_keys: Option<Vec<Box<str>>>,
}

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
    pub(crate) async fn delete_many(&self, keys: &[KeyName]) -> BulkReply {
        self.bulk_call(Endpoint::DeleteMany, self.urls.bulk_delete(), keys, body(keys)).await
    }

    /// One call that changes `keys`, and which of them it left unchanged.
    async fn bulk_call(
        &self,
        call: Endpoint,
        url: Result<Url, UrlMismatch>,
        keys: &[KeyName],
        body: Bytes,
    ) -> BulkReply {
        let request = ApiRequest { call, url, body: Some(body) };
        let read = |answer: &Answer, received: Received| account(keys, answer, &received.bytes);
        let (reply, unprocessed) = self.http.attempt_received(request, read).await;
        let accounting = unprocessed.map_or(Accounting::Missing, |unprocessed| Accounting::Complete { unprocessed });
        BulkReply { reply, accounting }
    }

    /// Writes `keys` with one `PUT`; `records` is the JSON array of what is written, at most 100 MB (the same page).
    pub(crate) async fn put_many(&self, keys: &[KeyName], records: Bytes) -> BulkReply {
        self.bulk_call(Endpoint::PutMany, self.urls.bulk_put(), keys, records).await
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
        let request = ApiRequest { call: Endpoint::ReadMany, url: self.urls.bulk_get(), body: Some(body.into()) };
        let (reply, found) = self.http.attempt(request, |body| read_presence(&names, body)).await;
        (reply, found.unwrap_or_default())
    }
}

fn body(keys: &[KeyName]) -> Bytes {
    let names: Vec<&str> = keys.iter().map(KeyName::as_str).collect();
    // Strings in a vector are always JSON.
    serde_json::to_vec(&names).unwrap_or_default().into()
}

/// The keys of a call that were not processed; `Err` says why the response does not account for all.
///
/// Cloudflare's schema has `result` in 4xx responses as well, and its local explorer answers a partial failure with the
/// status of the first error, or 500. Of a success every member may be missing; any other response has to count, or
/// nothing is known.
fn account(keys: &[KeyName], answer: &Answer, body: &[u8]) -> Result<Vec<Box<str>>, String> {
    if Envelope::parse(body)?.success && *answer != Answer::Success {
        return Err("the response contradicts itself".to_owned());
    }
    let counted = envelope::result::<Option<Counted>>(body);
    let counted = counted.map_err(|error| format!("the response does not say which keys were processed: {error}"))?;
    let Counted { successful_key_count, unsuccessful_keys } = counted.unwrap_or_default();
    let sent: HashSet<&str> = keys.iter().map(KeyName::as_str).collect();
    let unprocessed: HashSet<Box<str>> = unsuccessful_keys.unwrap_or_default().into_iter().collect();
    if !unprocessed.iter().all(|name| sent.contains(&**name)) {
        return Err("unsuccessful_keys names a key that was not sent".to_owned());
    }
    // A key that was sent twice may be counted once.
    let least = sent.len() - unprocessed.len();
    let most = keys.iter().filter(|key| !unprocessed.contains(key.as_str())).count();
    match successful_key_count {
        Some(count) if usize::try_from(count).is_ok_and(|count| (least..=most).contains(&count)) => {}
        Some(count) => {
            let (left, sent) = (unprocessed.len(), sent.len());
            return Err(format!(
                "the response counts {count} processed and {left} other keys, of {sent} that were sent"
            ));
        }
        None if *answer == Answer::Success => {}
        None => return Err("the response does not count the keys".to_owned()),
    }
    Ok(unprocessed.into_iter().collect())
}

fn read_presence(names: &[&str], body: &[u8]) -> Result<Vec<Presence>, String> {
    let found: Values =
        envelope::result(body).map_err(|error| format!("the response does not say which keys exist: {error}"))?;
    let of = |name: &&str| match found.values.get(*name) {
        Some(Some(_)) => Presence::Present,
        // A JavaScript object in between loses names that it keeps in another place: integers and `__proto__`.
        Some(None) | None => Presence::Unknown,
    };
    Ok(names.iter().map(of).collect())
}

#[cfg(test)]
mod tests;
