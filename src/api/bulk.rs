//! Bulk deletes: one call, one response for all of its keys, and the keys that it left undeleted.

use std::collections::HashSet;

use hyper::body::Bytes;
use reqwest::Url;
use serde::Deserialize;

use crate::api::answer::{Answer, Reply};
use crate::api::classify::Endpoint;
use crate::api::client::Client;
use crate::api::envelope::{self, Envelope};
use crate::api::http::ApiRequest;
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

impl Client {
    pub(crate) async fn delete_many(&self, keys: &[KeyName]) -> BulkReply {
        self.bulk_call(Endpoint::DeleteMany, self.endpoint().bulk_delete(), keys, body(keys)).await
    }

    /// One call that changes `keys`, and which of them it left unchanged.
    pub(crate) async fn bulk_call(
        &self,
        call: Endpoint,
        url: Result<Url, UrlMismatch>,
        keys: &[KeyName],
        body: Bytes,
    ) -> BulkReply {
        let request = ApiRequest { call, url, body: Some(body) };
        let (reply, unprocessed) =
            self.http().attempt_in_part(request, |answer, body| account(keys, answer, body)).await;
        let accounting = unprocessed.map_or(Accounting::Missing, |unprocessed| Accounting::Complete { unprocessed });
        BulkReply { reply, accounting }
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
    Envelope::parse(body)?;
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

#[cfg(test)]
mod tests;
