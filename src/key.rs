//! The names that end up in a request path: keys, accounts, namespaces, tokens.
//!
//! A value of one of these types is valid by construction, and [`push_encoded`] is the one function of the crate that
//! turns text into a part of a URL. Nothing here reads, sends or prints.

#![warn(missing_docs)]

use std::fmt;

use thiserror::Error;

/// The longest key name that the service takes, in bytes of UTF-8
/// (<https://developers.cloudflare.com/kv/platform/limits>).
pub(crate) const MAX_KEY_BYTES: usize = 512;

/// The longest account or namespace id, in characters (`maxLength: 32` in the API's published schema).
pub(crate) const MAX_ID_CHARS: usize = 32;

/// The name of one key: non-empty UTF-8 of at most 512 bytes that is neither `.` nor `..`.
///
/// Taken exactly: nothing is trimmed, normalised or folded.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyName(Box<str>);

/// Why a string cannot be the name of a key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyNameError {
    /// No bytes at all.
    #[error("the key is empty")]
    Empty,
    /// `.` or `..`: URL parsers fold such a segment away, encoded or not, and the request would name something
    /// other than this key (`values/..` is the namespace itself).
    #[error("`{0}` cannot be sent: URL parsers remove it, and the request would address the namespace itself")]
    DotSegment(&'static str),
    /// More bytes than the service takes.
    #[error("the key is {0} bytes long; at most {MAX_KEY_BYTES} are allowed")]
    TooLong(usize),
    /// Not UTF-8; holds the offset of the first bad byte.
    #[error("the key is not UTF-8 (byte {0})")]
    NotUtf8(usize),
}

impl KeyNameError {
    /// The rule that the name breaks, without what differs from name to name.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Empty => "the key is empty",
            Self::DotSegment(_) => "`.` and `..` cannot be sent: URL parsers remove them",
            Self::TooLong(_) => "the key is longer than 512 bytes",
            Self::NotUtf8(_) => "the key is not UTF-8",
        }
    }
}

impl KeyName {
    /// Checks `name` and keeps it exactly as it is.
    ///
    /// # Errors
    /// [`KeyNameError`] says which rule it breaks.
    pub fn new(name: impl AsRef<str> + Into<Box<str>>) -> Result<Self, KeyNameError> {
        check(name.as_ref())?;
        Ok(Self(name.into()))
    }

    /// As [`KeyName::new`], from bytes that may not be UTF-8.
    ///
    /// # Errors
    /// [`KeyNameError`] says which rule it breaks.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyNameError> {
        let name = std::str::from_utf8(bytes).map_err(|bad| KeyNameError::NotUtf8(bad.valid_up_to()))?;
        Self::new(name)
    }

    /// The exact name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The exact name, without its guarantee.
    pub fn into_boxed_str(self) -> Box<str> {
        self.0
    }

    /// Whether it stands in a URL otherwise than as it is.
    pub fn needs_encoding(&self) -> bool {
        !self.0.bytes().all(is_unreserved)
    }

    /// Appends the one path segment that stands for this key: every byte outside RFC 3986's unreserved set
    /// (`A–Z a–z 0–9 - _ . ~`) percent-encoded with upper-case digits.
    ///
    /// Done by hand, on bytes: the `url` crate's own segment writer drops tabs and line ends, which would delete
    /// another key.
    pub fn push_segment(&self, out: &mut String) {
        push_encoded(&self.0, out);
    }
}

/// Appends `text` with every byte outside RFC 3986's unreserved set percent-encoded: one path segment, or one value of
/// a query.
pub(crate) fn push_encoded(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.reserve(text.len());
    for &byte in text.as_bytes() {
        if is_unreserved(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// Whether RFC 3986 lets this byte stand for itself everywhere.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

fn check(name: &str) -> Result<(), KeyNameError> {
    match name {
        "" => Err(KeyNameError::Empty),
        "." => Err(KeyNameError::DotSegment(".")),
        ".." => Err(KeyNameError::DotSegment("..")),
        _ if name.len() > MAX_KEY_BYTES => Err(KeyNameError::TooLong(name.len())),
        _ => Ok(()),
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Why a string cannot be the id of an account, a namespace or a token.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdError {
    /// No characters at all.
    #[error("the id is empty")]
    Empty,
    /// Longer than 32 characters.
    #[error("the id has {0} characters; at most {MAX_ID_CHARS} are allowed")]
    TooLong(usize),
    /// A character that could change the path of a request.
    #[error("the id contains `{0}`; only letters, digits, `-` and `_` are allowed")]
    Character(char),
}

fn check_id(id: &str) -> Result<(), IdError> {
    if id.is_empty() {
        return Err(IdError::Empty);
    }
    if let Some(other) = id.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_')) {
        return Err(IdError::Character(other));
    }
    match id.len() {
        length if length > MAX_ID_CHARS => Err(IdError::TooLong(length)),
        _ => Ok(()),
    }
}

/// Whether an id looks as Cloudflare's do: 32 hexadecimal digits.
pub(crate) fn is_usual_id(id: &str) -> bool {
    id.len() == MAX_ID_CHARS && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
        pub struct $name(Box<str>);

        impl $name {
            /// The id as it stands in a path.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(id: &str) -> Result<Self, IdError> {
                check_id(id)?;
                Ok(Self(id.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id_type! {
    /// The id of a Cloudflare account: at most 32 of `[0-9A-Za-z_-]`.
    AccountId
}
id_type! {
    /// The id of an API token, which is no secret: at most 32 of `[0-9A-Za-z_-]`.
    TokenId
}
id_type! {
    /// The id of a Workers KV namespace: at most 32 of `[0-9A-Za-z_-]`.
    NamespaceId
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    const PREFIX: &str = "/client/v4/accounts/a/storage/kv/namespaces/n/values/";

    fn decode(segment: &str) -> Vec<u8> {
        let mut bytes = segment.bytes();
        let mut out = Vec::new();
        while let Some(byte) = bytes.next() {
            if byte == b'%' {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                out.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            } else {
                out.push(byte);
            }
        }
        out
    }

    fn assert_survives_the_url_parser(name: &str) {
        let Ok(key) = KeyName::new(name) else {
            assert!(name.is_empty() || name == "." || name == ".." || name.len() > MAX_KEY_BYTES, "{name:?} refused");
            return;
        };
        let mut text = format!("https://api.example{PREFIX}");
        key.push_segment(&mut text);
        let url = Url::parse(&text).unwrap();
        let segment = url.path().strip_prefix(PREFIX).unwrap_or_else(|| panic!("{name:?} left its place: {url}"));
        assert!(!segment.contains('/'), "{name:?} became several segments");
        assert_eq!(decode(segment), name.as_bytes());
        assert_eq!((url.query(), url.fragment()), (None, None));
    }

    /// Pieces that URL parsers treat specially, so that random strings hit them.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("..".to_owned()),
            Just(".".to_owned()),
            Just("%2e".to_owned()),
            Just("%2E".to_owned()),
            Just("/".to_owned()),
            Just("\\".to_owned()),
            Just("?".to_owned()),
            Just("#".to_owned()),
            Just("\t".to_owned()),
            Just("\r\n".to_owned()),
            Just("\0".to_owned()),
            Just("%".to_owned()),
            Just(";".to_owned()),
            any::<char>().prop_map(String::from),
        ];
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn hostile_names_survive_the_url_parser(name in hostile()) {
            assert_survives_the_url_parser(&name);
        }
    }

    proptest! {
        #[test]
        fn any_name_survives_the_url_parser(name in any::<String>()) {
            assert_survives_the_url_parser(&name);
        }

        #[test]
        fn ids_hold_nothing_that_could_change_a_path(id in any::<String>()) {
            if let Ok(id) = id.parse::<NamespaceId>() {
                prop_assert!(id.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
                prop_assert!((1..=MAX_ID_CHARS).contains(&id.as_str().len()));
            }
        }
    }

    #[test]
    fn every_character_survives_the_url_parser() {
        let all: Vec<char> = (0..=0x10_ffff).filter_map(char::from_u32).collect();
        for name in all.chunks(MAX_KEY_BYTES / 4) {
            assert_survives_the_url_parser(&name.iter().collect::<String>());
        }
        for c in 0..=0xff_u8 {
            assert_survives_the_url_parser(&char::from(c).to_string());
        }
    }

    #[test]
    fn limits_are_in_bytes() {
        assert!(KeyName::new("k".repeat(512)).is_ok());
        assert_eq!(KeyName::new("k".repeat(513)), Err(KeyNameError::TooLong(513)));
        assert!(KeyName::new("é".repeat(256)).is_ok());
        assert_eq!(KeyName::new("é".repeat(257)), Err(KeyNameError::TooLong(514)));
    }

    #[test]
    fn dot_segments_and_broken_utf8_are_refused() {
        assert_eq!(KeyName::new(""), Err(KeyNameError::Empty));
        assert_eq!(KeyName::new("."), Err(KeyNameError::DotSegment(".")));
        assert_eq!(KeyName::new(".."), Err(KeyNameError::DotSegment("..")));
        assert!(KeyName::new("...").is_ok());
        assert!(KeyName::new("%2e%2e").is_ok(), "a name that only looks encoded is sent encoded once more");
        assert_eq!(KeyName::from_bytes(b"ab\xff"), Err(KeyNameError::NotUtf8(2)));
    }

    #[test]
    fn ids_are_checked() {
        assert!("0f2ac74b498b48028cb68387c421e279".parse::<AccountId>().is_ok());
        assert_eq!("".parse::<AccountId>(), Err(IdError::Empty));
        assert_eq!("a/b".parse::<NamespaceId>(), Err(IdError::Character('/')));
        assert_eq!("..".parse::<NamespaceId>(), Err(IdError::Character('.')));
        assert_eq!("a".repeat(33).parse::<NamespaceId>(), Err(IdError::TooLong(33)));
    }
}
