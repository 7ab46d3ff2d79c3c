//! The JSON around every answer of the API (<https://developers.cloudflare.com/fundamentals/api/how-to/make-api-calls>):
//! `{"success": bool, "errors": [{"code": int, "message": str, …}], "result": …}`.
//!
//! Strict about `success`, which decides whether a key is gone; forgiving about all that only explains.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::text::json_error;

/// Errors beyond this many are not read.
const MAX_FAULTS: usize = 32;

/// A longer list of errors is not read, in bytes; one error for each key of a bulk call takes some 100 each, or 600 if it quotes
/// the key.
const MAX_FAULT_BYTES: usize = 8 << 20;

/// A body that was read; its `result` is not looked at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Envelope {
    pub(crate) success: bool,
    pub(crate) faults: Vec<Fault>,
    /// `retry_after` in seconds, beside `errors` or in the first of them.
    pub(crate) retry_after: Option<Duration>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: Option<u64>,
    /// The message, with those behind it and the place in the request that it is about.
    pub(crate) message: String,
}

/// Whatever may have any type stays text until it is looked at: as values, hostile JSON takes many times the memory.
#[derive(Deserialize)]
struct Wire<'a> {
    success: bool,
    #[serde(borrow, default)]
    errors: Option<&'a RawValue>,
    #[serde(borrow, default)]
    retry_after: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireError<'a> {
    #[serde(borrow, default)]
    code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error_chain: Option<&'a RawValue>,
    #[serde(borrow, default)]
    source: Option<&'a RawValue>,
    #[serde(borrow, default)]
    retry_after: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireSource<'a> {
    #[serde(borrow)]
    pointer: &'a RawValue,
}

impl Envelope {
    /// `Err` says why `body` is not one: not JSON, cut off, no object, `success` missing, not a boolean or given twice.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, String> {
        // Members that are skipped are not checked for it by the parser.
        let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
        let wire: Wire<'_> = serde_json::from_str(text).map_err(|error| json_error(&error))?;
        let errors: Vec<_> = elements(wire.errors).map(read::<WireError<'_>>).collect();
        let first = errors.first().and_then(Option::as_ref);
        let retry_after = seconds(wire.retry_after).or_else(|| seconds(first?.retry_after));
        let faults = errors.iter().map(|error| error.as_ref().map_or_else(Fault::default, Fault::of)).collect();
        Ok(Self { success: wire.success, faults, retry_after })
    }
}

/// `result` of a body; `T` is an [`Option`] if there may be none.
pub(crate) fn result<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    #[derive(Deserialize)]
    struct Outer<T> {
        result: T,
    }
    serde_json::from_slice(body).map(|Outer { result }| result).map_err(|error| json_error(&error))
}

/// `result_info` of a list: what one of pages has, or one with cursors.
#[derive(Default, Deserialize)]
pub(crate) struct PageInfo {
    pub(crate) total_count: Option<u64>,
    pub(crate) cursor: Option<String>,
}

pub(crate) fn page<T: DeserializeOwned>(body: &[u8]) -> Result<(Vec<T>, PageInfo), String> {
    #[derive(Deserialize)]
    struct Outer<T> {
        result: Vec<T>,
        result_info: Option<PageInfo>,
    }
    let outer: Outer<T> = serde_json::from_slice(body).map_err(|error| json_error(&error))?;
    Ok((outer.result, outer.result_info.unwrap_or_default()))
}

impl Fault {
    fn of(error: &WireError<'_>) -> Self {
        let code = error.code.and_then(|code| read(code).or_else(|| read::<String>(code)?.parse().ok()));
        let mut message = text(error.message).unwrap_or_default();
        // An older shape: the actual reason follows a general one ("Invalid request headers").
        for behind in elements(error.error_chain).filter_map(read::<WireError<'_>>) {
            if let Some(text) = text(behind.message) {
                message.push_str(": ");
                message.push_str(&text);
            }
        }
        let pointer = error.source.and_then(read::<WireSource<'_>>).and_then(|source| text(Some(source.pointer)));
        if let Some(pointer) = pointer {
            message = format!("{message} (at {pointer})");
        }
        Self { code, message }
    }
}

/// The first members of an array; none of what is not one, or is longer than the API's own.
fn elements(raw: Option<&RawValue>) -> impl Iterator<Item = &RawValue> {
    let raw = raw.filter(|raw| raw.get().len() <= MAX_FAULT_BYTES);
    raw.and_then(read::<Vec<&RawValue>>).unwrap_or_default().into_iter().take(MAX_FAULTS)
}

fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

fn text(raw: Option<&RawValue>) -> Option<String> {
    raw.and_then(read)
}

fn seconds(raw: Option<&RawValue>) -> Option<Duration> {
    Duration::try_from_secs_f64(raw.and_then(read)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault(code: u64, message: &str) -> Fault {
        Fault { code: Some(code), message: message.to_owned() }
    }

    fn parse(text: &str) -> Envelope {
        Envelope::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn envelopes_are_read() {
        let done = parse(r#"{"success":true,"errors":[],"messages":[],"result":{}}"#);
        assert_eq!((done.success, done.faults.len()), (true, 0));
        let refused = parse(
            r#"{"success":false,"result":null,"messages":[{"code":1,"message":"x"}],"errors":[
                {"code":10009,"message":"get: 'key not found'","documentation_url":"https://d"},
                {"code":"7003","message":"bad","source":{"pointer":"/a"}},
                {"code":6003,"message":"Invalid request headers","error_chain":[{"code":6111,"message":"Invalid format"}]},
                {"code":-1}, 5, "text", null]}"#,
        );
        assert!(!refused.success);
        assert_eq!(
            refused.faults[..3],
            [
                fault(10009, "get: 'key not found'"),
                fault(7003, "bad (at /a)"),
                fault(6003, "Invalid request headers: Invalid format")
            ]
        );
        assert!(refused.faults[3..].iter().all(|fault| *fault == Fault::default()));
    }

    #[test]
    fn what_only_explains_may_be_odd() {
        for odd in [
            r#"{"success":false}"#,
            r#"{"success":false,"errors":null,"result":7}"#,
            r#"{"success":false,"errors":"no"}"#,
            r#"{"success":false,"errors":{"code":10009}}"#,
        ] {
            assert_eq!((parse(odd).success, parse(odd).faults.len()), (false, 0), "{odd}");
        }
        let many = format!(r#"{{"success":false,"errors":[{}7]}}"#, r#"{"code":1},"#.repeat(99));
        assert_eq!(parse(&many).faults.len(), MAX_FAULTS);
    }

    #[test]
    fn what_decides_may_not() {
        for text in [
            "",
            "true",
            "[]",
            "<html>",
            r#"{"success":true"#,
            r#"{"success":true}x"#,
            r#"{"success":"true"}"#,
            r#"{"success":1}"#,
            r#"{"success":null}"#,
            r#"{"result":{}}"#,
            r#"{"errors":[{"code":10000,"message":"m"}]}"#,
            r#"{"success":false,"success":true}"#,
        ] {
            assert!(Envelope::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Envelope::parse(b"{\"success\":true,\"result\":\"\xff\"}").is_err());
    }

    #[test]
    fn a_wait_may_stand_in_the_body() {
        for (text, wait) in [
            (r#"{"success":false,"retry_after":30}"#, Some(Duration::from_secs(30))),
            (r#"{"success":false,"retry_after":1.5}"#, Some(Duration::from_millis(1500))),
            (r#"{"success":false,"errors":[{"retry_after":9}]}"#, Some(Duration::from_secs(9))),
            (r#"{"success":false,"retry_after":"30","errors":[{"retry_after":-9}]}"#, None),
            (r#"{"success":false,"retry_after":1e300}"#, None),
            (r#"{"success":false}"#, None),
        ] {
            assert_eq!(parse(text).retry_after, wait, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_body_is_too_odd(body in prop_oneof![
            any::<Vec<u8>>(),
            r#"[{]"success":(true|false|null)(,"(errors|result|retry_after)":[0-9\[\]{}"a-e]{0,9}){0,3}[}]"#
                .prop_map(String::into_bytes),
        ]) {
            if let Ok(Envelope { success: true, .. }) = Envelope::parse(&body) {
                prop_assert!(body.windows(4).any(|word| word == b"true"));
            }
        }

        #[test]
        fn no_changed_byte_turns_a_refusal_into_a_success(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut body = br#"{"result":null,"success":false,"errors":[{"code":10009,"message":"no"}],"messages":[]}"#.to_vec();
            let at = at.index(body.len());
            body[at] = byte;
            if let Ok(envelope) = Envelope::parse(&body) {
                prop_assert!(!envelope.success, "{}", String::from_utf8_lossy(&body));
            }
        }

        #[test]
        fn no_cut_makes_a_success(cut in 0usize..48) {
            let whole = br#"{"result":{},"errors":[],"messages":[],"success":true}"#;
            prop_assert!(Envelope::parse(&whole[..cut]).is_err());
        }
    }
}
