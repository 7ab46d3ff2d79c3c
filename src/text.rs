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
