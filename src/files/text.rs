//! The one reader of text files that users write: pattern lists, tokens, `kvsweep.toml`, wrangler files.
//!
//! A byte order mark is dropped, CRLF and a final CR are line endings, and what is no text is an error: a guard that is
//! read differently from how it looks in an editor protects nothing.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use memchr::memchr_iter;
use thiserror::Error;

/// Why a file is not read. Never repeats what is in it.
#[derive(Debug, Error)]
pub enum TextError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is larger than {} KiB", .0 / 1024)]
    TooLarge(u64),
    #[error("the text is UTF-16\nhint: convert it first: iconv -f UTF-16 -t UTF-8")]
    Utf16,
    #[error("the text is not UTF-8, at line {0}")]
    NotUtf8(usize),
    #[error("line {0} contains a NUL character, so this is not UTF-8 text")]
    Nul(usize),
    #[error(
        "line {0} contains a carriage return that is not part of CRLF\nhint: convert the line endings first: tr '\\r' '\\n'"
    )]
    CarriageReturn(usize),
}

impl From<TextError> for io::Error {
    fn from(error: TextError) -> Self {
        match error {
            TextError::Io(error) => error,
            error => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}

/// The text of the file at `path`, which has at most `most` bytes.
pub(crate) fn read(path: &Path, most: u64) -> Result<String, TextError> {
    read_from(File::open(path)?, most)
}

/// As [`read`], of a file that is open.
pub(crate) fn read_from(file: impl Read, most: u64) -> Result<String, TextError> {
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(TextError::TooLarge(most));
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(TextError::Utf16);
    }
    let line = |before: &[u8]| 1 + memchr_iter(b'\n', before).count();
    let text = String::from_utf8(bytes)
        .map_err(|error| TextError::NotUtf8(line(&error.as_bytes()[..error.utf8_error().valid_up_to()])))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n");
    let text = text.strip_suffix('\r').map(str::to_owned).unwrap_or(text);
    match text.find(['\0', '\r']) {
        None => Ok(text),
        Some(place) if text[place..].starts_with('\0') => Err(TextError::Nul(line(&text.as_bytes()[..place]))),
        Some(place) => Err(TextError::CarriageReturn(line(&text.as_bytes()[..place]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<String, String> {
        read_from(bytes, 32).map_err(|error| error.to_string())
    }

    #[test]
    fn marks_and_line_endings_are_not_part_of_the_text() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"\xef\xbb\xbf", ""),
            (b"\xef\xbb\xbfa\r\nb\r\n", "a\nb\n"),
            (b"a\r\nb\r", "a\nb"),
            (b"a\r", "a"),
            (b"a\n\r\nb", "a\n\nb"),
            ("é \t".as_bytes(), "é \t"),
            (b"a\xef\xbb\xbf", "a\u{feff}"),
            (&[b'a'; 32], &"a".repeat(32)),
        ] {
            assert_eq!(read(bytes).as_deref(), Ok(text), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_no_text_is_an_error_that_says_where_and_not_what() {
        for (bytes, why) in [
            (&b"secret\n\xff"[..], "not UTF-8, at line 2"),
            (b"\xff\xfes\0e\0", "UTF-16"),
            (b"\xfe\xff\0s\0e", "UTF-16"),
            (b"s\0e\0c\0", "line 1 contains a NUL"),
            (b"a\nb\rc\r", "line 2 contains a carriage return"),
            (b"a\rb\r\n", "line 1 contains a carriage return"),
            (b"a\r\r\n", "line 1 contains a carriage return"),
            (&[b'a'; 33], "larger than 0 KiB"),
        ] {
            let error = read(bytes).unwrap_err();
            assert!(error.contains(why) && !error.contains("secret"), "{bytes:?}: {error}");
        }
        assert!(matches!(super::read(Path::new("/none/such"), 1), Err(TextError::Io(_))));
        assert!(matches!(super::read(Path::new("/"), 1), Err(TextError::Io(_))));
    }
}
