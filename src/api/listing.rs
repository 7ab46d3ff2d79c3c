//! A page of the keys of a namespace (<https://developers.cloudflare.com/api/resources/kv>, "List a Namespace's Keys"):
//! what is requested, and how a response is verified.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;

use crate::api::envelope::page;
use crate::api::metadata::Metadata;
use crate::quota::RateLimitInfo;

/// Where the next page begins, as the server wrote it; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor(Box<str>);

impl Cursor {
    /// The cursor that `text` is; an empty one means that there is no further page.
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// How the names begin, exactly; empty for all of them.
    pub prefix: String,
    /// Where the last page ended; `None` for the first one.
    pub cursor: Option<Cursor>,
}

impl PageRequest {
    /// How many keys a page may hold: the most that the service gives.
    pub const LIMIT: u16 = 1_000;
}

/// One key as the server lists it. Its name may be one that no request can carry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListedKey {
    /// The exact name.
    pub name: String,
    /// When it is gone, in seconds since the Unix epoch.
    #[serde(default, deserialize_with = "seconds", skip_serializing_if = "Option::is_none")]
    pub expiration: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

impl ListedKey {
    /// A key that stays, without metadata.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), expiration: None, metadata: None }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The keys, in the server's order. There may be none, and yet more pages.
    pub keys: Vec<ListedKey>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
    /// The `Ratelimit` and `Ratelimit-Policy` headers; empty if they were absent or not readable.
    pub rate_limits: Vec<RateLimitInfo>,
}

impl Page {
    /// The page in the body of an answer, whose headers are not looked at. Whether it is under the prefix is for the lister to
    /// check.
    pub(crate) fn read(body: &[u8]) -> Result<Self, String> {
        let (keys, info) = page(body)?;
        let next = info.cursor.and_then(|cursor| Cursor::new(&cursor));
        Ok(Self { keys, next, rate_limits: Vec::new() })
    }
}

/// The API's schema calls it a number.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let number = Option::<Number>::deserialize(deserializer)?;
    let whole = |number: &Number| number.as_u64().or_else(|| number.to_string().strip_suffix(".0")?.parse().ok());
    match number {
        None => Ok(None),
        Some(number) => match whole(&number) {
            Some(seconds) => Ok(Some(seconds)),
            None => Err(serde::de::Error::custom(format!("{number} is not a moment"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Page, String> {
        Page::read(body.as_bytes())
    }

    #[test]
    fn a_page_is_read_exactly() {
        let page = read(
            r#"{"success":true,"result":[{"name":"a\nb","expiration":4102444800,"metadata":{"n":12345678901234567890123,
               "b":1, "a":"x\n"}},{"name":".."},{"name":"c","expiration":1.0,"metadata":null}],
               "result_info":{"count":3,"cursor":"next+/="}}"#,
        )
        .unwrap();
        assert_eq!(page.keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["a\nb", "..", "c"]);
        assert_eq!(page.keys[0].expiration, Some(4_102_444_800));
        let metadata = page.keys[0].metadata.as_ref().unwrap().as_json();
        assert!(metadata.starts_with(r#"{"n":12345678901234567890123, "#), "{metadata}");
        assert!(metadata.ends_with(r#""b":1, "a":"x\n"}"#) && !metadata.contains('\n'), "{metadata}");
        assert_eq!((page.keys[2].expiration, page.keys[2].metadata.is_none()), (Some(1), true));
        assert_eq!(page.next, Cursor::new("next+/="));
    }

    #[test]
    fn the_end_is_an_empty_cursor_or_none() {
        for info in [r#","result_info":{"cursor":""}"#, r#","result_info":{"cursor":null}"#, r#","result_info":{}"#, ""]
        {
            assert_eq!(read(&format!(r#"{{"result":[]{info}}}"#)).unwrap().next, None, "{info}");
        }
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for (body, why) in [
            (r#"{"result":null}"#, "null"),
            (r#"{"success":true}"#, "`result` is missing"),
            (r#"{"result":[{"name":"a","name":"b"}]}"#, "`name` is there twice"),
            (r#"{"result":[{"name":"a","expiration":-1}]}"#, "not a moment"),
        ] {
            let error = read(body).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
