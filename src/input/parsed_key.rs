//! What a format finds in a key's place: a key, or the reason why it cannot be one. The reason begins with the position; the
//! input's name comes in front of it once the record is numbered.

use std::borrow::Cow;

use crate::format::Position;
use crate::key::KeyName;
use crate::record::{Content, Invalid};

/// The longest line or field that is kept, in bytes. Anything longer is skipped in constant memory; a key has at most 512.
pub(super) const MAX_TEXT: usize = 64 * 1024;

pub(super) fn parse_key(position: Position, bytes: &[u8]) -> Content {
    KeyName::from_bytes(bytes).map_or_else(
        |error| invalid_by_rule(position, escape_non_utf8(bytes), error.rule(), &error.to_string()),
        Content::Key,
    )
}

/// Something that is not a key; `key` is what stands there, as [`Invalid::key`].
pub(super) fn invalid(position: Position, key: String, why: impl Into<Cow<'static, str>>) -> Content {
    let why = why.into();
    invalid_by_rule(position, key, why.clone(), &why)
}

/// As [`invalid`], where `why` says more than which `rule` is broken.
pub(super) fn invalid_by_rule(
    position: Position,
    key: String,
    rule: impl Into<Cow<'static, str>>,
    why: &str,
) -> Content {
    Content::Invalid(Box::new(Invalid { key, rule: rule.into(), reason: format!("{position}: {why}") }))
}

/// `bytes` exactly where they are UTF-8, the others written `\xff`.
pub(super) fn escape_non_utf8(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_utf8_are_escaped_and_the_rest_is_exact() {
        assert_eq!(escape_non_utf8(b"a\xff\x80b\\\n"), "a\\xff\\x80b\\\n");
        assert_eq!(escape_non_utf8("ключ\0".as_bytes()), "ключ\0");
    }
}
