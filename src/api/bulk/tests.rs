use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::api::answer::{Refusal, TransientError};

fn keys(names: &[&str]) -> Vec<KeyName> {
    names.iter().map(|name| KeyName::new(*name).unwrap()).collect()
}

fn refused() -> Answer {
    Answer::Transient(TransientError::Refused(Refusal::without_response("the first error")))
}

/// What is left, in order, as a response says that is a success or is not.
fn left(names: &[&str], success: bool, result: &str) -> Result<Vec<String>, String> {
    let body = format!(r#"{{"success":{success},"errors":[],"messages":[],"result":{result}}}"#);
    let answer = if success { Answer::Success } else { refused() };
    let mut left = account(&keys(names), &answer, body.as_bytes())?;
    left.sort_unstable();
    Ok(left.into_iter().map(String::from).collect())
}

#[test]
fn the_body_is_an_array_of_exact_names() {
    let keys = keys(&["a", "b\"\\\n\u{1}", "ü"]);
    assert_eq!(body(&keys), r#"["a","b\"\\\n\u0001","ü"]"#.as_bytes());
    assert_eq!(
        body(&keys).len() + 4,
        2 + keys.iter().map(|key| crate::text::json_len(key.as_str()) + 1).sum::<usize>() - 1 + 4 - 4
    );
}

/// Of `a` and `b`: what is left after a success, and after anything else; `None` is not known.
#[test]
fn what_each_result_accounts_for() {
    let nothing = Some(&[][..]);
    for (result, success, otherwise) in [
        ("null", nothing, None),
        ("{}", nothing, None),
        (r#"{"unsuccessful_keys":null}"#, nothing, None),
        (r#"{"unsuccessful_keys":[]}"#, nothing, None),
        (r#"{"unsuccessful_keys":["b"]}"#, Some(&["b"][..]), None),
        (r#"{"successful_key_count":2}"#, nothing, nothing),
        (r#"{"successful_key_count":2,"unsuccessful_keys":[]}"#, nothing, nothing),
        (r#"{"successful_key_count":1,"unsuccessful_keys":["b"]}"#, Some(&["b"]), Some(&["b"][..])),
        (r#"{"successful_key_count":1,"unsuccessful_keys":["b","b"]}"#, Some(&["b"]), Some(&["b"])),
        (r#"{"successful_key_count":0,"unsuccessful_keys":["b","a"]}"#, Some(&["a", "b"]), Some(&["a", "b"])),
        // Contradictions.
        (r#"{"successful_key_count":0}"#, None, None),
        (r#"{"successful_key_count":1}"#, None, None),
        (r#"{"successful_key_count":3}"#, None, None),
        (r#"{"successful_key_count":2,"unsuccessful_keys":["b"]}"#, None, None),
        (r#"{"successful_key_count":0,"unsuccessful_keys":["b"]}"#, None, None),
        (r#"{"successful_key_count":0,"unsuccessful_keys":["a","a"]}"#, None, None),
        (r#"{"unsuccessful_keys":["c"]}"#, None, None),
        (r#"{"unsuccessful_keys":["b","c"]}"#, None, None),
        (r#"{"successful_key_count":1,"unsuccessful_keys":["c"]}"#, None, None),
        (r#"{"successful_key_count":2,"unsuccessful_keys":["c"]}"#, None, None),
        // Not what the API says.
        (r#"{"successful_key_count":-1}"#, None, None),
        (r#"{"successful_key_count":18446744073709551615,"unsuccessful_keys":["b"]}"#, None, None),
        (r#"{"successful_key_count":"2"}"#, None, None),
        (r#"{"unsuccessful_keys":7}"#, None, None),
        (r#"{"unsuccessful_keys":[7]}"#, None, None),
        ("[]", None, None),
        ("true", None, None),
    ] {
        for (is_success, wanted) in [(true, success), (false, otherwise)] {
            let found = left(&["a", "b"], is_success, result).ok();
            let wanted = wanted.map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(found, wanted, "{result} {is_success}");
        }
    }
}

#[test]
fn without_an_envelope_nothing_is_accounted_for() {
    let keys = keys(&["a", "b"]);
    for body in
        ["", r#"{"result":{"successful_key_count":2}}"#, r#"{"success":true,"result":{"successful_key_count":2}"#]
    {
        assert!(account(&keys, &refused(), body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn a_key_that_is_sent_twice_may_be_counted_once() {
    for is_success in [true, false] {
        for (result, wanted) in [
            (r#"{"successful_key_count":2}"#, Some(vec![])),
            (r#"{"successful_key_count":3}"#, Some(vec![])),
            (r#"{"successful_key_count":1}"#, None),
            (r#"{"successful_key_count":4}"#, None),
            (r#"{"successful_key_count":1,"unsuccessful_keys":["a"]}"#, Some(vec!["a".to_owned()])),
            (r#"{"successful_key_count":2,"unsuccessful_keys":["a"]}"#, None),
            (r#"{"successful_key_count":2,"unsuccessful_keys":["b"]}"#, Some(vec!["b".to_owned()])),
        ] {
            assert_eq!(left(&["a", "a", "b"], is_success, result).ok(), wanted, "{result}");
        }
    }
}

proptest! {
    /// Whatever the server says, only keys that were sent are left, and a key that it names is never taken for gone.
    #[test]
    fn a_key_is_processed_only_if_the_numbers_say_so(
        sent in prop::collection::vec("[a-e]", 1..8),
        named in prop::option::of(prop::collection::vec("[a-f]", 0..6)),
        count in prop::option::of(0usize..9),
        is_success: bool,
    ) {
        let mut result = json!({});
        if let Some(named) = &named {
            result["unsuccessful_keys"] = json!(named);
        }
        if let Some(count) = count {
            result["successful_key_count"] = json!(count);
        }
        let names: Vec<&str> = sent.iter().map(String::as_str).collect();
        let distinct: BTreeSet<&str> = names.iter().copied().collect();
        let named: BTreeSet<&str> = named.iter().flatten().map(String::as_str).collect();
        match left(&names, is_success, &result.to_string()) {
            Ok(left) => {
                prop_assert!(named.is_subset(&distinct));
                prop_assert_eq!(left, named.iter().map(ToString::to_string).collect::<Vec<_>>());
                let processed = names.iter().filter(|name| !named.contains(**name)).count();
                let is_sum = count.is_some_and(|count| count + named.len() >= distinct.len() && count <= processed);
                prop_assert!(is_sum || (is_success && count.is_none()));
            }
            // The true numbers are always believed.
            Err(_) => prop_assert!(!named.is_subset(&distinct) || count != Some(distinct.len() - named.len())),
        }
    }
}

#[test]
fn among_several_a_key_is_there_or_has_to_be_asked_for_alone() {
    let body = br#"{"success":true,"result":{"values":{"a":"text","b":null,"c":"","e":7}}}"#;
    let read = read_presence(&["a", "b", "c", "d", "e"], body);
    assert_eq!(
        read,
        Ok(vec![Presence::Present, Presence::Unknown, Presence::Present, Presence::Unknown, Presence::Present])
    );
    for body in [r#"{"success":true,"result":{}}"#, r#"{"success":true}"#, "[]"] {
        assert!(read_presence(&["a"], body.as_bytes()).is_err(), "{body}");
    }
}
