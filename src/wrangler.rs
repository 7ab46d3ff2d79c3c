//! What a project's wrangler file says of KV: which account, and which namespace a binding stands for.
//!
//! Read as wrangler reads it (<https://developers.cloudflare.com/workers/wrangler/configuration/>): `account_id` is
//! inherited by environments, `kv_namespaces` is not. Nothing is sent, and nothing is written.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use jsonc_parser::ParseOptions;
use serde::Deserialize;
use thiserror::Error;

use crate::files::text;
use crate::key::{AccountId, IdError, NamespaceId};

/// The names of such a file, in the order in which wrangler prefers them.
pub(crate) const NAMES: [&str; 3] = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];

/// The largest file that is read, in bytes.
const MAX_SIZE: u64 = 16 << 20;

/// A binding that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bound {
    /// The account, where the file names one.
    pub account: Option<AccountId>,
    /// What the binding stands for.
    pub namespace: NamespaceId,
}

/// Why a binding stands for no namespace. Texts of the file are quoted as Rust quotes them, so they cannot steer a
/// terminal.
#[derive(Debug, Error)]
pub(crate) enum WranglerError {
    /// No file at all.
    #[error(
        "no wrangler.json, wrangler.jsonc or wrangler.toml in {0:?} or a folder above it; run it in the Worker's folder, or give --namespace-id"
    )]
    NoFile(PathBuf),
    /// It cannot be read.
    #[error("cannot read it: {0}")]
    Read(#[from] io::Error),
    /// It is no TOML or JSON, or something in it has another type than wrangler expects.
    #[error("it cannot be understood: {0}")]
    Parse(String),
    /// No such environment; holds what was asked for and what there is.
    #[error("it has no environment {wanted:?}; {there}")]
    NoEnvironment {
        /// What was asked for.
        wanted: String,
        /// What there is instead.
        there: String,
    },
    /// No such binding; holds what was asked for, where, and what there is.
    #[error("{place} has no KV binding {wanted:?}; {there}")]
    NoBinding {
        /// What was asked for.
        wanted: String,
        /// Which part of the file.
        place: String,
        /// What there is instead.
        there: String,
    },
    /// More than one of that name: which one is meant would be a guess.
    #[error("{place} has {count} KV bindings {wanted:?}; which one is meant cannot be known")]
    Several {
        /// What was asked for.
        wanted: String,
        /// Which part of the file.
        place: String,
        /// How many.
        count: usize,
    },
    /// A binding without `id`.
    #[error("the KV binding {wanted:?} has no `id`{hint}; give --namespace-id")]
    NoId {
        /// What was asked for.
        wanted: String,
        /// What it has instead.
        hint: &'static str,
    },
    /// An id that cannot be one.
    #[error("`{what}` {text:?} cannot be an id: {error}")]
    Id {
        /// Which member.
        what: &'static str,
        /// What it says.
        text: String,
        /// Why not.
        error: IdError,
    },
}

#[derive(Deserialize)]
struct Settings {
    account_id: Option<String>,
    #[serde(default)]
    kv_namespaces: Vec<Binding>,
    #[serde(default)]
    env: BTreeMap<String, Environment>,
}

#[derive(Deserialize)]
struct Environment {
    account_id: Option<String>,
    #[serde(default)]
    kv_namespaces: Vec<Binding>,
}

#[derive(Deserialize)]
struct Binding {
    #[serde(rename = "binding")]
    name: String,
    id: Option<String>,
    preview_id: Option<String>,
}

/// The nearest wrangler file: of `folder`, else of the folders above it.
///
/// # Errors
/// [`WranglerError::NoFile`].
pub(crate) fn nearest(folder: &Path) -> Result<PathBuf, WranglerError> {
    let files = folder.ancestors().flat_map(|folder| NAMES.map(|name| folder.join(name)));
    files.into_iter().find(|file| file.is_file()).ok_or_else(|| WranglerError::NoFile(folder.to_owned()))
}

/// Looks a binding up in a file; without an environment, or with an empty name for one, at its top level.
///
/// # Errors
/// [`WranglerError`] says what is missing, and what there is.
pub(crate) fn bound(file: &Path, binding: &str, environment: Option<&str>) -> Result<Bound, WranglerError> {
    let text = text::read(file, MAX_SIZE).map_err(io::Error::from)?;
    let is_toml = file.extension().is_some_and(|extension| extension == "toml");
    let settings = if is_toml {
        toml::from_str(&text).map_err(|error| WranglerError::Parse(one_line(error.message())))
    } else {
        read_jsonc(&text)
    };
    settings?.bound(binding, environment.filter(|name| !name.is_empty()))
}

/// JSON with comments and trailing commas, as wrangler takes it, and no further liberty.
fn read_jsonc(text: &str) -> Result<Settings, WranglerError> {
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    jsonc_parser::parse_to_serde_value(text, &options)
        .map_err(|error| WranglerError::Parse(one_line(&error.to_string())))
}

fn one_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join(" ").escape_debug().to_string()
}

impl Settings {
    fn bound(&self, wanted: &str, environment: Option<&str>) -> Result<Bound, WranglerError> {
        let (place, bindings, account) = match environment {
            None => ("its top level".to_owned(), &self.kv_namespaces, None),
            Some(name) => {
                let found = self.env.get(name).ok_or_else(|| WranglerError::NoEnvironment {
                    wanted: name.to_owned(),
                    there: listed("it has", self.env.keys().map(String::as_str)),
                })?;
                (format!("its environment {name:?}"), &found.kv_namespaces, found.account_id.as_ref())
            }
        };
        let named: Vec<_> = bindings.iter().filter(|binding| binding.name == wanted).collect();
        let wanted = wanted.to_owned();
        let binding = match named[..] {
            [binding] => binding,
            [] => {
                let there = listed("there are", bindings.iter().map(|binding| binding.name.as_str()));
                return Err(WranglerError::NoBinding { wanted, place, there });
            }
            _ => return Err(WranglerError::Several { wanted, place, count: named.len() }),
        };
        let Some(id) = &binding.id else {
            let hint = if binding.preview_id.is_some() { ", only a `preview_id`" } else { "" };
            return Err(WranglerError::NoId { wanted, hint });
        };
        let account = account.or(self.account_id.as_ref()).map(|text| checked("account_id", text)).transpose()?;
        Ok(Bound { account, namespace: checked("id", id)? })
    }
}

fn checked<T: std::str::FromStr<Err = IdError>>(what: &'static str, text: &str) -> Result<T, WranglerError> {
    text.parse().map_err(|error| WranglerError::Id { what, text: text.to_owned(), error })
}

fn listed<'a>(verb: &str, names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.map(|name| format!("{name:?}")).collect();
    if names.is_empty() { format!("{verb} none") } else { format!("{verb} {}", names.join(", ")) }
}

#[cfg(test)]
mod tests;
