//! How long a text from outside may be, whoever it is shown to.

use std::borrow::Cow;

/// The longest text of a server, or about an input, that is kept or shown, in bytes.
pub const MAX_TEXT_BYTES: usize = 1024;

const ELLIPSIS: &str = "…";

/// The text; a longer one is cut between two characters and ends in `…`, which counts.
pub fn truncated(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_TEXT_BYTES {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(MAX_TEXT_BYTES - ELLIPSIS.len());
    Cow::Owned(format!("{}{ELLIPSIS}", &text[..end]))
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
