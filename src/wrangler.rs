//! What a project's wrangler file says of KV: which account, and which namespace a binding stands for.
//!
//! Read as wrangler reads it (<https://developers.cloudflare.com/workers/wrangler/configuration/>): `account_id` is
//! inherited by environments, `kv_namespaces` is not. A binding without an `id` is one that wrangler provisions: only the
//! deployed Worker knows its namespace. Nothing is sent, and nothing is written.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use jsonc_parser::ParseOptions;
use serde::Deserialize;
use thiserror::Error;

use crate::files::text;
use crate::key::{AccountId, IdError, NamespaceId};
use crate::terminal::{Escaped, Quoted};

/// The names of such a file, in the order in which wrangler prefers them.
pub(crate) const NAMES: [&str; 3] = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];

/// A configuration in TypeScript, which only wrangler can evaluate.
const PROGRAM: &str = "cloudflare.config.ts";

/// The largest file that is read, in bytes.
const MAX_SIZE: u64 = 16 << 20;

/// The longest name of a Worker; Cloudflare's own limit is lower.
const MAX_WORKER: usize = 255;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bound {
    pub account: Option<AccountId>,
    pub namespace: BoundNamespace,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BoundNamespace {
    Id(NamespaceId),
    /// The namespace that the deployed Worker of this name has under the binding.
    OfWorker(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lookup<'a> {
    pub binding: &'a str,
    /// The top level if there is none, or an empty name.
    pub environment: Option<&'a str>,
    /// Its `preview_id` counts.
    pub preview: bool,
}

/// Why a binding stands for no namespace. Texts of the file are escaped, so they cannot steer a terminal.
#[derive(Debug, Error)]
pub(crate) enum WranglerError {
    #[error(
        "no wrangler.json, wrangler.jsonc or wrangler.toml in {} or a folder above it\nhint: run kvsweep in the Worker's folder, or \
         pass --namespace-id", Escaped(&.0.to_string_lossy())
    )]
    NoFile(PathBuf),
    #[error(
        "{} is not evaluated, and no wrangler.json, wrangler.jsonc or wrangler.toml is beside it\nhint: pass --namespace-id or \
         --namespace", Escaped(&.0.to_string_lossy())
    )]
    Program(PathBuf),
    #[error("cannot read it: {0}")]
    Read(#[from] io::Error),
    #[error("it is not a wrangler file: {0}")]
    Parse(String),
    #[error("it has no environment {}; {there}", Quoted(.wanted))]
    NoEnvironment { wanted: String, there: String },
    #[error("{place} has no KV binding {}; {there}", Quoted(.wanted))]
    NoBinding { wanted: String, place: String, there: String },
    #[error("{place} has {count} KV bindings {}\nhint: rename one of them, or pass --namespace-id", Quoted(.wanted))]
    Several { wanted: String, place: String, count: usize },
    #[error(
        "the KV binding {} has no `id`, and {}, so the deployed Worker cannot be asked\nhint: pass --namespace-id", Quoted(.0), .1
    )]
    NoWorker(String, String),
    #[error("the KV binding {} has no `preview_id`\nhint: omit --preview, or pass --namespace-id", Quoted(.0))]
    NoPreview(String),
    #[error("`{what}` {} cannot be an id: {error}", Quoted(.text))]
    Id { what: &'static str, text: String, error: IdError },
}

#[derive(Deserialize)]
struct Settings {
    name: Option<String>,
    account_id: Option<String>,
    #[serde(default)]
    kv_namespaces: Vec<Binding>,
    /// By environment; none has environments of its own.
    #[serde(default)]
    env: BTreeMap<String, Self>,
}

#[derive(Deserialize)]
struct Binding {
    #[serde(rename = "binding")]
    name: String,
    id: Option<String>,
    preview_id: Option<String>,
}

/// The nearest wrangler file: of `folder`, else of the folders above it.
pub(crate) fn nearest(folder: &Path) -> Result<PathBuf, WranglerError> {
    for folder in folder.ancestors() {
        if let Some(file) = NAMES.map(|name| folder.join(name)).into_iter().find(|file| file.is_file()) {
            return Ok(file);
        }
        // What is above it belongs to something else.
        if let Some(program) = program_beside(folder) {
            return Err(WranglerError::Program(program));
        }
    }
    Err(WranglerError::NoFile(folder.to_owned()))
}

/// The configuration of a folder that cannot be read.
pub(crate) fn program_beside(folder: &Path) -> Option<PathBuf> {
    Some(folder.join(PROGRAM)).filter(|file| file.is_file())
}

pub(crate) fn bound(file: &Path, lookup: Lookup<'_>) -> Result<Bound, WranglerError> {
    let text = text::read(file, MAX_SIZE).map_err(io::Error::from)?;
    let is_toml = file.extension().is_some_and(|extension| extension == "toml");
    let settings = if is_toml {
        toml::from_str(&text).map_err(|error| WranglerError::Parse(one_line(error.message())))
    } else {
        read_jsonc(&text)
    };
    let environment = lookup.environment.filter(|name| !name.is_empty());
    settings?.bound(Lookup { environment, ..lookup })
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
    jsonc_parser::parse_to_serde_value(text, &options)
        .map_err(|error| WranglerError::Parse(one_line(&error.to_string())))
}

fn one_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join(" ").escape_debug().to_string()
}

impl Settings {
    fn bound(&self, Lookup { binding: wanted, environment, preview }: Lookup<'_>) -> Result<Bound, WranglerError> {
        let (place, bindings, account) = match environment {
            None => ("its top level".to_owned(), &self.kv_namespaces, None),
            Some(name) => {
                let found = self.env.get(name).ok_or_else(|| WranglerError::NoEnvironment {
                    wanted: name.to_owned(),
                    there: listed("it has", self.env.keys().map(String::as_str)),
                })?;
                (format!("its environment {}", Quoted(name)), &found.kv_namespaces, found.account_id.as_ref())
            }
        };
        let named: Vec<_> = bindings.iter().filter(|binding| binding.name == wanted).collect();
        let wanted = wanted.to_owned();
        let binding = match named[..] {
            [binding] => binding,
            [] => {
                let there = listed("it has", bindings.iter().map(|binding| binding.name.as_str()));
                return Err(WranglerError::NoBinding { wanted, place, there });
            }
            _ => return Err(WranglerError::Several { wanted, place, count: named.len() }),
        };
        let namespace = match (&binding.id, &binding.preview_id) {
            (_, Some(id)) if preview => BoundNamespace::Id(checked("preview_id", id)?),
            (_, None) if preview => return Err(WranglerError::NoPreview(wanted)),
            (Some(id), _) => BoundNamespace::Id(checked("id", id)?),
            (None, _) => {
                let worker = self.worker(environment).map_err(|why| WranglerError::NoWorker(wanted, why))?;
                BoundNamespace::OfWorker(worker)
            }
        };
        let account = account.or(self.account_id.as_ref()).map(|text| checked("account_id", text)).transpose()?;
        Ok(Bound { account, namespace })
    }

    /// Under which name wrangler deploys it.
    fn worker(&self, environment: Option<&str>) -> Result<String, String> {
        let own = environment.and_then(|name| self.env.get(name)?.name.clone());
        let worker = own.or_else(|| {
            let name = self.name.as_ref()?;
            Some(environment.map_or_else(|| name.clone(), |environment| format!("{name}-{environment}")))
        });
        let worker = worker.ok_or("the file has no `name`")?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if !worker.is_empty() && worker.len() <= MAX_WORKER && worker.bytes().all(is_name) {
            return Ok(worker);
        }
        Err(format!("the name {} cannot be a Worker's", Quoted(&worker)))
    }
}

fn checked<T: std::str::FromStr<Err = IdError>>(what: &'static str, text: &str) -> Result<T, WranglerError> {
    text.parse().map_err(|error| WranglerError::Id { what, text: text.to_owned(), error })
}

fn listed<'a>(verb: &str, names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.map(|name| Quoted(name).to_string()).collect();
    if names.is_empty() { format!("{verb} none") } else { format!("{verb} {}", names.join(", ")) }
}

#[cfg(test)]
mod tests;
