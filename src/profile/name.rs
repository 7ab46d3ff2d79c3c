//! What profiles are called.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The name of a profile: 1 to 64 of `A–Z a–z 0–9 - _ .`, the first a letter or a digit, and not `none`.
///
/// So it can be a part of a file's name, and shown anywhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProfileName(String);

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProfileNameError {
    #[error("none means no profile\nhint: choose another name")]
    None,
    #[error("a profile's name is at most 64 letters, digits, -, _ and ., the first a letter or a digit")]
    Characters,
}

impl FromStr for ProfileName {
    type Err = ProfileNameError;

    fn from_str(text: &str) -> Result<Self, ProfileNameError> {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        match text.as_bytes() {
            b"none" => Err(ProfileNameError::None),
            [first, rest @ ..]
                if first.is_ascii_alphanumeric() && rest.len() < 64 && rest.iter().all(|b| inner(*b)) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(ProfileNameError::Characters),
        }
    }
}

impl ProfileName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for name in ["prod", "a", "eu-west_1.old", &"x".repeat(64)] {
            assert_eq!(name.parse::<ProfileName>().unwrap().as_str(), name);
        }
        assert_eq!("none".parse::<ProfileName>(), Err(ProfileNameError::None));
        for name in ["", "-x", "..", "a/b", "a b", "é", "a\u{1b}", "a\n", &"x".repeat(65)] {
            assert_eq!(name.parse::<ProfileName>(), Err(ProfileNameError::Characters), "{name:?}");
        }
    }
}
