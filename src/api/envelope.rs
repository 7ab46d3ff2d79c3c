//! The JSON around every answer of the API (<https://developers.cloudflare.com/fundamentals/api/how-to/make-api-calls>):
//! `{"success": bool, "errors": [{"code": int, "message": str, …}], "result": …}`.
//!
//! Strict about `success`, which decides whether a key is gone; forgiving about all that only explains.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

/// Errors beyond this many are not read.
const MAX_FAULTS: usize = 32;

/// A body that was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Envelope {
    /// `None` where the body does not say.
    pub(crate) success: Option<bool>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) result: Value,
    /// `retry_after` in seconds, beside `errors` or in the first of them.
    pub(crate) retry_after: Option<Duration>,
}

/// One of `errors`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: Option<u64>,
    /// The message, with those behind it and the place in the request that it is about.
    pub(crate) message: String,
}

#[derive(Deserialize)]
struct Wire {
    success: Option<bool>,
    #[serde(default)]
    errors: Value,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    retry_after: Value,
}

impl Envelope {
    /// `Err` says why `body` is not one: not JSON, cut off, no object, `success` not a boolean or said twice.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        let wire: Wire = serde_json::from_slice(body)?;
        let errors = wire.errors.as_array().map_or(&[][..], Vec::as_slice);
        let retry_after =
            seconds(&wire.retry_after).or_else(|| errors.first().and_then(|first| seconds(&first["retry_after"])));
        Ok(Self {
            success: wire.success,
            faults: errors.iter().take(MAX_FAULTS).map(Fault::read).collect(),
            retry_after,
            result: wire.result,
        })
    }
}

impl Fault {
    fn read(error: &Value) -> Self {
        let code = &error["code"];
        let code = code.as_u64().or_else(|| code.as_str().and_then(|digits| digits.parse().ok()));
        let mut message = error["message"].as_str().unwrap_or_default().to_owned();
        // An older shape: the reason proper stands behind a general one ("Invalid request headers").
        for behind in error["error_chain"].as_array().into_iter().flatten().take(MAX_FAULTS) {
            if let Some(text) = behind["message"].as_str() {
                message = format!("{message}: {text}");
            }
        }
        if let Some(pointer) = error["source"]["pointer"].as_str() {
            message = format!("{message} (at {pointer})");
        }
        Self { code, message }
    }
}

fn seconds(value: &Value) -> Option<Duration> {
    Duration::try_from_secs_f64(value.as_f64()?).ok()
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
        assert_eq!((done.success, done.faults.len()), (Some(true), 0));
        let refused = parse(
            r#"{"success":false,"result":null,"messages":[{"code":1,"message":"x"}],"errors":[
                {"code":10009,"message":"get: 'key not found'","documentation_url":"https://d"},
                {"code":"7003","message":"bad","source":{"pointer":"/a"}},
                {"code":6003,"message":"Invalid request headers","error_chain":[{"code":6111,"message":"Invalid format"}]},
                {"code":-1}, 5, "text", null]}"#,
        );
        assert_eq!(refused.success, Some(false));
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
            assert_eq!((parse(odd).success, parse(odd).faults.len()), (Some(false), 0), "{odd}");
        }
        assert_eq!(parse(r#"{"errors":[{"code":10000,"message":"m"}]}"#).faults, [fault(10000, "m")]);
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
            r#"{"success":false,"success":true}"#,
        ] {
            assert!(Envelope::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(parse(r#"{"result":{}}"#).success, None);
    }

    #[test]
    fn a_wait_may_stand_in_the_body() {
        for (text, wait) in [
            (r#"{"retry_after":30}"#, Some(Duration::from_secs(30))),
            (r#"{"retry_after":1.5}"#, Some(Duration::from_millis(1500))),
            (r#"{"errors":[{"retry_after":9}]}"#, Some(Duration::from_secs(9))),
            (r#"{"retry_after":"30","errors":[{"retry_after":-9}]}"#, None),
            (r#"{"retry_after":1e300}"#, None),
            ("{}", None),
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
            if let Ok(Envelope { success: Some(true), .. }) = Envelope::parse(&body) {
                prop_assert!(body.windows(4).any(|word| word == b"true"));
            }
        }

        #[test]
        fn no_changed_byte_turns_a_refusal_into_a_success(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut body = br#"{"result":null,"success":false,"errors":[{"code":10009,"message":"no"}],"messages":[]}"#.to_vec();
            let at = at.index(body.len());
            body[at] = byte;
            if let Ok(envelope) = Envelope::parse(&body) {
                prop_assert_ne!(envelope.success, Some(true), "{}", String::from_utf8_lossy(&body));
            }
        }

        #[test]
        fn no_cut_makes_a_success(cut in 0usize..48) {
            let whole = br#"{"result":{},"errors":[],"messages":[],"success":true}"#;
            prop_assert!(Envelope::parse(&whole[..cut]).is_err());
        }
    }
}
