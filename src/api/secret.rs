//! What a secret may look like, as a header, and how it is removed from texts.

use std::borrow::Cow;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use crate::text::truncated;

/// Shorter secrets are not searched for in texts: they would be found everywhere.
const MIN_REDACTED: usize = 8;

const REDACTED: &str = "[redacted]";

/// Why a text is no secret. Never holds any part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SecretError {
    #[error("the {0} is empty")]
    Empty(&'static str),
    #[error(
        "the {what} contains an invalid character at byte {position}; expected the {what} alone, without quotes, spaces or \
         a leading `Bearer`"
    )]
    Character { what: &'static str, position: usize },
}

/// A text without these secrets, cut.
pub(crate) fn redacted<'a>(text: &str, secrets: impl IntoIterator<Item = &'a SecretString>) -> String {
    let secrets = secrets.into_iter().map(|secret| secret.expose_secret().trim());
    let mut found: Vec<_> = secrets.filter(|secret| secret.len() >= MIN_REDACTED && text.contains(secret)).collect();
    // One may be the start of another.
    found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    // Before it is cut, or the cut could leave a part of a secret.
    let text = found.into_iter().fold(Cow::Borrowed(text), |text, secret| text.replace(secret, REDACTED).into());
    truncated(&text).into_owned()
}

/// As [`visible`], of a text from which white space around the secret is cut off.
pub(crate) fn checked<'a>(what: &'static str, text: &'a str) -> Result<&'a str, SecretError> {
    visible(what, text.trim())
}

/// Visible ASCII only: none of these secrets has anything else, and it is what a header may hold.
pub(crate) fn visible<'a>(what: &'static str, text: &'a str) -> Result<&'a str, SecretError> {
    if text.is_empty() {
        return Err(SecretError::Empty(what));
    }
    match text.bytes().position(|byte| !byte.is_ascii_graphic()) {
        Some(position) => Err(SecretError::Character { what, position }),
        None => Ok(text),
    }
}

pub(crate) fn bearer(token: &str) -> Result<HeaderValue, SecretError> {
    sensitive("API token", &format!("Bearer {token}"))
}

pub(crate) fn sensitive(what: &'static str, text: &str) -> Result<HeaderValue, SecretError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| SecretError::Character { what, position: 0 })?;
    value.set_sensitive(true);
    Ok(value)
}
