//! What a format finds: a key, or the reason why something cannot be one.

use std::borrow::Cow;

use crate::format::Position;
use crate::key::{KeyName, KeyNameError};

/// The longest line or field that is kept, in bytes. Anything longer is passed over in constant memory; a key has
/// at most 512.
pub(super) const MAX_TEXT: usize = 64 * 1024;

/// One record, not yet numbered.
#[derive(Debug)]
pub(super) struct ParsedKey(pub(super) Result<KeyName, Box<InvalidKey>>);

/// Something that is not a key.
#[derive(Debug)]
pub(super) struct InvalidKey {
    pub(super) position: Position,
    /// What stood there, as [`Invalid::key`](crate::record::Invalid::key).
    pub(super) key: String,
    /// The rule that it breaks, in the same words for all that do.
    pub(super) rule: Cow<'static, str>,
    pub(super) why: Cow<'static, str>,
}

impl ParsedKey {
    /// Checks the bytes that stand in the key's place.
    pub(super) fn of_bytes(position: Position, bytes: &[u8]) -> Self {
        let invalid =
            |why: KeyNameError| Self::invalid_by_rule(position, escape_non_utf8(bytes), why.rule(), why.to_string());
        KeyName::from_bytes(bytes).map_or_else(invalid, |key| Self(Ok(key)))
    }

    pub(super) fn invalid(position: Position, key: String, why: impl Into<Cow<'static, str>>) -> Self {
        let why = why.into();
        Self::invalid_by_rule(position, key, why.clone(), why)
    }

    /// As [`ParsedKey::invalid`], where `why` says more than which `rule` is broken.
    pub(super) fn invalid_by_rule(
        position: Position,
        key: String,
        rule: impl Into<Cow<'static, str>>,
        why: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Err(Box::new(InvalidKey { position, key, rule: rule.into(), why: why.into() })))
    }
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
