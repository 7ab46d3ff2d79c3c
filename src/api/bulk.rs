//! Deletes by the thousand: one call, one answer for all of its keys, and those that it left undeleted.

use std::collections::HashSet;

use bytes::Bytes;
use reqwest::{Method, Url};
use serde::Deserialize;

use crate::api::answer::{Answer, Reply};
use crate::api::classify::Call;
use crate::api::client::Client;
use crate::api::envelope::Envelope;
use crate::api::http::{Ask, no_answer, unsent};
use crate::api::url::NotItself;
use crate::key::KeyName;

/// The most keys that one call may name
/// (<https://developers.cloudflare.com/api/resources/kv/subresources/namespaces/methods/bulk_delete>).
pub const MAX_BULK_KEYS: u32 = 10_000;

/// The longest body that is sent, in bytes: a tenth of what the API takes for bulk writes, and enough for
/// [`MAX_BULK_KEYS`] names of the greatest length.
pub const MAX_BULK_BYTES: usize = 10_000_000;

/// Which of the API's two calls deletes many keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BulkEndpoint {
    /// `POST …/bulk/delete`.
    #[default]
    Current,
    /// `DELETE …/bulk`, deprecated; some stand-ins for the API know no other.
    Legacy,
}

/// What one bulk call came to.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkReply {
    /// What was said of all of its keys.
    pub reply: Reply,
    /// Which of them were processed.
    pub accounting: Accounting,
}

/// Which keys of a bulk call were processed, as `result` says; honoured whatever the status of the response.
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

impl BulkReply {
    fn unaccounted(reply: Reply) -> Self {
        Self { reply, accounting: Accounting::Missing }
    }
}

/// `result` of a bulk call; both may be missing, and then nothing was left.
#[derive(Debug, Default, Deserialize)]
struct Counted {
    successful_key_count: Option<u64>,
    #[serde(default)]
    unsuccessful_keys: Option<Vec<Box<str>>>,
}

impl Client {
    /// Deletes `keys` with one request.
    pub async fn delete_many(&self, keys: &[KeyName], endpoint: BulkEndpoint) -> BulkReply {
        let method = match endpoint {
            BulkEndpoint::Current => Method::POST,
            BulkEndpoint::Legacy => Method::DELETE,
        };
        let url = self.endpoint().bulk_delete(endpoint);
        self.change_many(Call::DeleteMany, method, url, keys, body(keys)).await
    }

    /// One call that changes `keys`, and which of them it left unchanged.
    pub(crate) async fn change_many(
        &self,
        call: Call,
        method: Method,
        url: Result<Url, NotItself>,
        keys: &[KeyName],
        body: Bytes,
    ) -> BulkReply {
        let url = match url {
            Ok(url) => url,
            Err(error) => return BulkReply::unaccounted(unsent(error.to_string())),
        };
        let ask = Ask { body: Some(body), ..Ask::new(call, method, url) };
        let (reply, body) = self.http().attempt(ask).await;
        if reply.answer != Answer::Success {
            return BulkReply::unaccounted(reply);
        }
        match account(keys, &body) {
            Ok(unprocessed) => BulkReply { reply, accounting: Accounting::Complete { unprocessed } },
            Err(what) => BulkReply::unaccounted(Reply { answer: no_answer(what), ..reply }),
        }
    }
}

/// A JSON array of names.
fn body(keys: &[KeyName]) -> Bytes {
    let names: Vec<&str> = keys.iter().map(KeyName::as_str).collect();
    // Strings in a vector are always JSON.
    serde_json::to_vec(&names).unwrap_or_default().into()
}

/// The keys that an answer with `success: true` says were not deleted; `Err` where it does not account for all.
fn account(keys: &[KeyName], body: &[u8]) -> Result<Vec<Box<str>>, String> {
    let envelope = Envelope::parse(body).map_err(|error| error.to_string())?;
    let counted: Option<Counted> = Deserialize::deserialize(envelope.result)
        .map_err(|error| format!("the answer does not say which keys were deleted: {error}"))?;
    let Counted { successful_key_count, unsuccessful_keys } = counted.unwrap_or_default();
    let mut left = unsuccessful_keys.unwrap_or_default();
    if left.is_empty() && successful_key_count.is_none_or(|count| count >= keys.len() as u64) {
        return Ok(left);
    }
    let named: HashSet<&str> = keys.iter().map(KeyName::as_str).collect();
    left.retain(|name| named.contains(&**name));
    let left_count = left.iter().collect::<HashSet<_>>().len() as u64;
    match successful_key_count {
        // A key that is named twice may be counted once.
        Some(count) if count + left_count < named.len() as u64 => Err(format!(
            "the answer counts {count} deleted and {left_count} other keys, of {} that were sent",
            named.len()
        )),
        _ => Ok(left),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &[&str]) -> Vec<KeyName> {
        names.iter().map(|name| KeyName::new(*name).unwrap()).collect()
    }

    fn left(names: &[&str], result: &str) -> Result<Vec<String>, String> {
        let body = format!(r#"{{"success":true,"errors":[],"messages":[],"result":{result}}}"#);
        account(&keys(names), body.as_bytes()).map(|left| left.into_iter().map(String::from).collect())
    }

    #[test]
    fn the_body_is_an_array_of_exact_names() {
        let keys = keys(&["a", "b\"\\\n\u{1}", "ü"]);
        assert_eq!(body(&keys), r#"["a","b\"\\\n\u0001","ü"]"#.as_bytes());
        assert_eq!(body(&keys).len() + 4, 2 + keys.iter().map(|key| key.json_len() + 1).sum::<usize>() - 1 + 4 - 4);
    }

    #[test]
    fn what_is_not_said_to_be_left_is_gone() {
        for result in ["null", "{}", r#"{"successful_key_count":2}"#, r#"{"unsuccessful_keys":null}"#] {
            assert_eq!(left(&["a", "b"], result), Ok(vec![]), "{result}");
        }
        let one = r#"{"successful_key_count":1,"unsuccessful_keys":["b"]}"#;
        assert_eq!(left(&["a", "b"], one), Ok(vec!["b".to_owned()]));
        let uncounted = r#"{"unsuccessful_keys":["b","of somebody else"]}"#;
        assert_eq!(left(&["a", "b"], uncounted), Ok(vec!["b".to_owned()]));
    }

    #[test]
    fn an_answer_that_does_not_account_for_all_keys_is_none() {
        for result in [
            r#"{"successful_key_count":1}"#,
            r#"{"successful_key_count":1,"unsuccessful_keys":["of somebody else"]}"#,
            r#"{"successful_key_count":0,"unsuccessful_keys":["a","a"]}"#,
            r#"{"unsuccessful_keys":7}"#,
            "[]",
        ] {
            assert!(left(&["a", "b"], result).is_err(), "{result}");
        }
    }

    #[test]
    fn a_key_that_is_named_twice_may_be_counted_once() {
        assert_eq!(left(&["a", "a", "b"], r#"{"successful_key_count":2}"#), Ok(vec![]));
        assert!(left(&["a", "a", "b"], r#"{"successful_key_count":1}"#).is_err());
    }
}
