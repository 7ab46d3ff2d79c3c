//! What can be wrong with a configuration file. No text of the file is repeated but names of keys and profiles, and
//! none that could be a secret.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::name::{ProfileName, ProfileNameError};
use crate::terminal::Escaped;

/// A place in a file, as compilers write it: `kvsweep.toml:12:3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", Escaped(&self.file.to_string_lossy()), self.line, self.column)
    }
}

#[derive(Debug, Error)]
pub enum ProfileError {
    #[error("cannot read {}: {source}", Escaped(&.file.to_string_lossy()))]
    Read { file: PathBuf, source: io::Error },
    /// A file that was found and may have been left there by somebody else.
    #[error(
        "{0} is not used, because {why}\nhint: if you trust it, pass --config {0}", Escaped(&.file.to_string_lossy())
    )]
    Untrusted { file: PathBuf, why: &'static str },
    #[error("{at}: {problem}")]
    At { at: Location, problem: Problem },
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Several(Vec<ProfileError>),
    #[error("no profile {wanted} {there}")]
    NoProfile { wanted: ProfileName, there: String },
    #[error("no profile is chosen, and {} has {there}\nhint: pass --profile NAME", Escaped(&.file.to_string_lossy()))]
    Which { file: PathBuf, there: String },
    #[error(
        "the profile {wanted} is in {} and in {}\nhint: pass --config with the file that is meant",
        Escaped(&.one.to_string_lossy()), Escaped(&.other.to_string_lossy())
    )]
    Ambiguous { wanted: ProfileName, one: PathBuf, other: PathBuf },
    #[error("--config none reads no file, so there is no profile {0}\nhint: omit --config none or --profile")]
    NoFile(ProfileName),
}

impl ProfileError {
    pub(crate) fn all(errors: impl Iterator<Item = Self>) -> Result<(), Self> {
        let mut errors: Vec<_> = errors.collect();
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => Err(Self::Several(errors)),
        }
    }
}

fn decides(key: &str) -> &'static str {
    if key == "api-token-command" { "what is run" } else { "who gets the credentials" }
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    #[error("{}", Escaped(.0))]
    Syntax(String),
    #[error("unknown setting {}\nhint: {instead}", Escaped(.key))]
    Unknown { key: String, instead: String },
    #[error("{}: expected {expected}, found {found}", Escaped(.key))]
    Type { key: String, expected: &'static str, found: &'static str },
    #[error(
        "{}: secrets are not allowed in this file\nhint: set CLOUDFLARE_API_TOKEN, or use api-token-file or api-token-command",
        Escaped(.0)
    )]
    Secret(String),
    #[error("profile `{}`: {error}", Escaped(.name))]
    Name { name: String, error: ProfileNameError },
    #[error("{one} and {other} both {what}\nhint: keep one of them")]
    Both { one: &'static str, other: &'static str, what: &'static str },
    /// What decides where credentials go, in a file that was merely found.
    #[error(
        "{} is not allowed in a file found in a folder, because it decides {}\nhint: move it to your own file (kvsweep config \
         path shows where), or pass this file with --config",
        .0, decides(.0)
    )]
    Trust(&'static str),
    /// A default in a file that was merely found.
    #[error(
        "default-profile is not allowed in a file found in a folder, which takes effect only if --profile asks for it\nhint: \
         move it to your own file (kvsweep config path shows where), or pass this file with --config"
    )]
    Default,
    #[error("default-profile: there is no profile {0}\nhint: {1}")]
    NoDefault(String, String),
    #[error("{key}: {why}")]
    Value {
        key: &'static str,
        /// What is wrong with it; safe to show.
        why: String,
    },
}
