//! Secrets: from text or file to request headers. None is ever shown, not by `Debug` and not in an error.

#![warn(missing_docs)]

use std::path::{Path, PathBuf};

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use thiserror::Error;

use crate::api::secret::{SecretError, bearer, checked, redacted, sensitive};
use crate::api::token_command::{TokenCommand, TokenCommandError};
use crate::files::text;

/// The longest token file that is read, in bytes; a token has about 40.
const MAX_FILE: u64 = 64 * 1024;

/// How a request is authenticated.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// `Authorization: Bearer …`.
    Token(SecretString),
    /// `X-Auth-Email` and `X-Auth-Key`: Cloudflare's old global key.
    GlobalKey {
        /// The user's address.
        email: String,
        /// The key of all that the user may do.
        key: SecretString,
    },
    /// A token that a command prints.
    Command(TokenCommand),
}

/// Why credentials cannot be used. Never holds any part of them.
#[derive(Debug, Error)]
pub enum CredentialsError {
    /// What was given is no secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The token file could not be read.
    #[error("cannot read the API token from {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// What was read is no token.
    #[error("{} contains no usable API token: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: SecretError,
    },
    /// The command of the API token cannot be used.
    #[error("no API token from --api-token-command: {0}")]
    Command(#[from] TokenCommandError),
}

impl Credentials {
    /// An API token; white space around it is cut off.
    ///
    /// # Errors
    /// If nothing is left, or a character cannot be sent in the header.
    pub fn token(text: &str) -> Result<Self, CredentialsError> {
        Ok(Self::Token(checked("API token", text)?.into()))
    }

    /// A global key and the address that it belongs to; white space around both is cut off.
    ///
    /// # Errors
    /// If nothing is left of one, or a character cannot be sent in the header.
    pub fn global_key(email: &str, key: &str) -> Result<Self, CredentialsError> {
        Ok(Self::GlobalKey { email: checked("email address", email)?.to_owned(), key: checked("API key", key)?.into() })
    }

    /// An API token from a file that holds nothing else; at most 64 KiB. `-` is a file of that name, not stdin.
    ///
    /// # Errors
    /// If the file cannot be read or holds no token; names the path, never its content.
    pub fn token_from_file(path: &Path) -> Result<Self, CredentialsError> {
        let text = text::read(path, MAX_FILE)
            .map_err(|error| CredentialsError::Read { path: path.to_owned(), source: error.into() })?;
        let token = checked("API token", &text);
        let token = token.map_err(|reason| CredentialsError::File { path: path.to_owned(), reason })?;
        Ok(Self::Token(token.into()))
    }

    /// An API token that a command prints; it is not run yet.
    pub(crate) fn command(text: &str) -> Result<Self, CredentialsError> {
        Ok(Self::Command(TokenCommand::parse(text)?))
    }

    /// The headers of every request, marked as sensitive; without that of a token that a command prints.
    pub(crate) fn headers(&self) -> Result<HeaderMap, CredentialsError> {
        let mut headers = HeaderMap::with_capacity(2);
        match self {
            Self::Token(token) => {
                headers.insert(AUTHORIZATION, bearer(checked("API token", token.expose_secret())?)?);
            }
            Self::GlobalKey { email, key } => {
                let (name, value) = (HeaderName::from_static("x-auth-email"), checked("email address", email)?);
                headers.insert(name, sensitive("email address", value)?);
                let (name, value) = (HeaderName::from_static("x-auth-key"), checked("API key", key.expose_secret())?);
                headers.insert(name, sensitive("API key", value)?);
            }
            Self::Command(_) => {}
        }
        Ok(headers)
    }

    /// A text that came from outside, without the secret (a server may repeat what it was sent) and at most
    /// [`MAX_TEXT_BYTES`](crate::text::MAX_TEXT_BYTES) long. Every text of a server passes through here before it
    /// leaves `api`.
    pub(crate) fn sanitized(&self, text: &str) -> String {
        match self {
            Self::Token(secret) | Self::GlobalKey { key: secret, .. } => redacted(text, [secret]),
            Self::Command(command) => command.redacted(text),
        }
    }

    /// The same for every string of a JSON value, names of members included.
    pub(crate) fn sanitize(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.sanitized(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.sanitize(value)),
            Value::Object(members) => {
                let sanitized = std::mem::take(members).into_iter().map(|(name, mut value)| {
                    self.sanitize(&mut value);
                    (self.sanitized(&name), value)
                });
                members.extend(sanitized);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const SECRET: &str = "v1.0-hunter2-hunter2-hunter2";

    fn header(credentials: &Credentials, name: &str) -> String {
        let headers = credentials.headers().unwrap();
        assert!(headers[name].is_sensitive());
        headers[name].to_str().unwrap().to_owned()
    }

    #[test]
    fn secrets_become_headers_and_white_space_around_them_does_not_matter() {
        let token = Credentials::token(&format!(" \t{SECRET}\r\n")).unwrap();
        assert_eq!(header(&token, "authorization"), format!("Bearer {SECRET}"));
        let key = Credentials::global_key("me@example.com\n", SECRET).unwrap();
        assert_eq!(header(&key, "x-auth-email"), "me@example.com");
        assert_eq!(header(&key, "x-auth-key"), SECRET);
        // Made without the constructor, and checked all the same.
        assert_eq!(
            header(&Credentials::Token(format!("{SECRET}\n").into()), "authorization"),
            format!("Bearer {SECRET}")
        );
        assert!(Credentials::Token("a\nb: c".into()).headers().is_err());
    }

    #[test]
    fn neither_debug_nor_an_error_shows_a_secret() {
        let token = Credentials::token(SECRET).unwrap();
        let key = Credentials::global_key("me@example.com", SECRET).unwrap();
        let shown = format!("{token:?} {key:?} {:?} {:?}", token.headers(), key.headers());
        assert!(!shown.contains("hunter2"), "{shown}");
        for bad in
            [format!("Bearer {SECRET}"), format!("{SECRET}\n{SECRET}"), format!("{SECRET}\u{7f}"), format!("ü{SECRET}")]
        {
            let error = Credentials::token(&bad).unwrap_err();
            assert!(matches!(error, CredentialsError::Secret(SecretError::Character { .. })), "{error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        assert!(matches!(Credentials::token(" \n"), Err(CredentialsError::Secret(SecretError::Empty("API token")))));
        assert!(matches!(
            Credentials::global_key("", SECRET),
            Err(CredentialsError::Secret(SecretError::Empty("email address")))
        ));
    }

    #[test]
    fn a_token_file_holds_a_token_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let read = |content: &[u8]| {
            std::fs::write(&path, content).unwrap();
            Credentials::token_from_file(&path)
        };
        for content in [
            SECRET.as_bytes().to_vec(),
            format!("{SECRET}\r\n").into_bytes(),
            format!("{SECRET}\r").into_bytes(),
            format!("\u{feff}{SECRET}\n").into_bytes(),
            [SECRET.as_bytes(), &vec![b'\n'; 64 * 1024 - SECRET.len()]].concat(),
        ] {
            assert_eq!(header(&read(&content).unwrap(), "authorization"), format!("Bearer {SECRET}"));
        }
        for (content, reason) in [
            (b"".to_vec(), "the API token is empty"),
            (b"\n\n".to_vec(), "the API token is empty"),
            (vec![b'\n'; 64 * 1024 + 1], "larger than 64 KiB"),
            (b"hunter2\xff".to_vec(), "not UTF-8, at line 1"),
            (b"CLOUDFLARE_API_TOKEN = hunter2".to_vec(), "at byte 20"),
        ] {
            let error = read(&content).unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains(reason) && text.contains(&folder.path().join("token").display().to_string()),
                "{text}"
            );
            assert!(!format!("{text} {error:?}").contains("hunter2"), "{error:?}");
        }
        let missing = Credentials::token_from_file(&folder.path().join("none")).unwrap_err();
        assert!(matches!(missing, CredentialsError::Read { .. }), "{missing}");
        assert!(Credentials::token_from_file(folder.path()).is_err(), "a folder is not a file");
    }

    #[test]
    fn a_secret_that_the_server_repeats_is_taken_out() {
        let text = format!("invalid token {SECRET}, really {SECRET}");
        let wanted = "invalid token [redacted], really [redacted]";
        assert_eq!(Credentials::token(SECRET).unwrap().sanitized(&text), wanted);
        assert_eq!(Credentials::global_key("me@example.com", SECRET).unwrap().sanitized(&text), wanted);
        let text = "a short one says nothing";
        assert_eq!(Credentials::token("short").unwrap().sanitized(text), text);
        let mut value = json!({ "a": [SECRET, 1, null], SECRET: { "b": "x".repeat(2_000) } });
        Credentials::token(SECRET).unwrap().sanitize(&mut value);
        let long = format!("{}…", "x".repeat(1_021));
        assert_eq!(value, json!({ "a": ["[redacted]", 1, null], "[redacted]": { "b": long } }));
    }

    proptest! {
        #[test]
        fn no_cut_leaves_a_part_of_a_secret(before in 0usize..1_100, between in 0usize..40, times in 1usize..60) {
            let text = "x".repeat(before) + &format!("{SECRET}{}", "x".repeat(between)).repeat(times);
            let text = Credentials::token(SECRET).unwrap().sanitized(&text);
            prop_assert!(text.len() <= 1_024 && !text.contains("v1") && !text.contains("hunter"), "{}", text);
        }
    }
}
