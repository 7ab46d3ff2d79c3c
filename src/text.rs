//! Texts: how much of a foreign one is kept, what one takes as JSON, the hints of an error, and the system's words for its errors.

use std::borrow::Cow;

/// The longest text of a server, or about an input, that is kept or shown, in bytes.
pub(crate) const MAX_TEXT_BYTES: usize = 1024;

const ELLIPSIS: &str = "…";

/// What an error and its hints are told apart by.
pub(crate) const HINT: &str = "\nhint: ";

/// What is wrong, and the hints after it.
pub(crate) fn split_hints(text: &str) -> (&str, &str) {
    text.split_at(text.find(HINT).unwrap_or(text.len()))
}

/// The text; a longer one is cut between two characters and ends in `…`, which counts.
pub(crate) fn truncated(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_TEXT_BYTES {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(MAX_TEXT_BYTES - ELLIPSIS.len());
    Cow::Owned(format!("{}{ELLIPSIS}", &text[..end]))
}

/// How many bytes a text takes as a JSON string, quotes included, at most.
pub(crate) fn json_len(text: &str) -> usize {
    // RFC 8259, section 7; serde_json's short forms for \b, \t, \n, \f and \r are shorter still.
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..=0x1f => 6,
        _ => 1,
    };
    2 + text.bytes().map(escaped).sum::<usize>()
}

/// A text of errors without the system's numbers, ` (os error 2)`, which repeat its words.
pub(crate) fn without_os_errors(text: &str) -> Cow<'_, str> {
    const START: &str = " (os error ";
    let Some((before, rest)) = text.split_once(START) else { return Cow::Borrowed(text) };
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    match after.strip_prefix(')') {
        Some(after) if after.len() + 1 < rest.len() => Cow::Owned(format!("{before}{}", without_os_errors(after))),
        _ => Cow::Owned(format!("{before}{START}{}", without_os_errors(rest))),
    }
}

/// What is wrong with a JSON text, and where.
pub(crate) fn json_error(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let message = error.to_string();
    let what = message.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&message);
    let what = if error.is_eof() { "it is cut off".to_owned() } else { in_english(what) };
    match line {
        _ if column == 0 => what,
        1 => format!("{what} (column {column})"),
        _ => format!("{what} (line {line}, column {column})"),
    }
}

/// The parser's words for a value of another type, without the names of Rust's types.
fn in_english(what: &str) -> String {
    if let Some(name) = what.strip_prefix("missing field ") {
        return format!("{name} is missing");
    }
    if let Some(name) = what.strip_prefix("duplicate field ") {
        return format!("{name} is there twice");
    }
    let value = what.strip_prefix("invalid type: ").or_else(|| what.strip_prefix("invalid value: "));
    let Some((found, expected)) = value.and_then(|value| value.rsplit_once(", expected ")) else {
        return what.to_owned();
    };
    let found = match found {
        "map" => "an object",
        "sequence" => "an array",
        other => other,
    };
    let expected = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" | "i64" => "a whole number",
        "a map" => "an object",
        "a sequence" => "an array",
        "a borrowed string" => "a string",
        "a boolean" => "true or false",
        object if object.starts_with("struct ") => "an object",
        other => other,
    };
    format!("{found} where {expected} is expected")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_at_most_a_kibibyte_with_its_ellipsis() {
        assert_eq!(truncated("short"), "short");
        assert_eq!(truncated(&"x".repeat(1024)), "x".repeat(1024));
        assert_eq!(truncated(&"x".repeat(1025)), format!("{}…", "x".repeat(1021)));
        assert_eq!(truncated(&"é".repeat(513)), format!("{}…", "é".repeat(510)));
    }

    #[test]
    fn the_system_says_it_in_words_only() {
        for (text, shown) in [
            (
                "a: No such file or directory (os error 2); nothing was sent",
                "a: No such file or directory; nothing was sent",
            ),
            ("x (os error 13): y (os error 2)", "x: y"),
            ("a (os error 2", "a (os error 2"),
            ("b (os error ) c (os error 3)", "b (os error ) c"),
            ("plain", "plain"),
        ] {
            assert_eq!(without_os_errors(text), shown);
        }
    }

    #[test]
    fn what_is_wrong_with_json_is_said_without_rusts_types() {
        #[derive(Debug, serde::Deserialize)]
        struct Row {
            #[expect(dead_code, reason = "only errors are read")]
            n: u64,
        }
        for (text, said) in [
            ("{\"n\":", "it is cut off (column 5)"),
            ("", "it is cut off"),
            ("{}", "`n` is missing (column 2)"),
            ("{\"n\":1,\"n\":2}", "`n` is there twice (column 10)"),
            ("{\"n\":null}", "null where a whole number is expected (column 9)"),
            ("{\"n\":-1}", "integer `-1` where a whole number is expected (column 7)"),
            ("{\"n\":{}}", "an object where a whole number is expected (column 5)"),
            ("{\n\"n\":x}", "expected value (line 2, column 5)"),
            ("[1]x", "trailing characters (column 4)"),
            ("7", "integer `7` where an object is expected (column 1)"),
        ] {
            assert_eq!(json_error(&serde_json::from_str::<Row>(text).unwrap_err()), said, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_is_how_the_text_begins(text in "[a-zé😀]{0,9}", times in 0usize..400) {
            let text = text.repeat(times);
            let short = truncated(&text);
            prop_assert!(short.len() <= MAX_TEXT_BYTES);
            prop_assert!(text.starts_with(short.trim_end_matches(ELLIPSIS)));
        }
    }
}
