//! `--protect` and `--only`: keys that are never deleted, whatever the input says.

use std::collections::HashMap;
use std::sync::Arc;

use regex::{RegexSet, RegexSetBuilder};
use thiserror::Error;

use super::glob::{Glob, GlobError};
use crate::record::{self, Content, Record};

/// The most memory that the patterns of a flag may take as one regular expression.
const REGEX_BYTES: usize = 64_000_000;

/// The most memory for what is remembered while they are matched. With the crate's own 2 MB a key takes a thousand times as
/// long where there are ten thousand patterns.
const CACHE_BYTES: usize = 32_000_000;

/// Which keys may be deleted; all by default.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// A key has to pass each.
    layers: Arc<[Layer]>,
}

/// What one place keeps.
#[derive(Debug, Clone)]
struct Layer {
    origin: Origin,
    protect: Patterns,
    only: Option<Patterns>,
}

/// Where patterns are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Flags,
    Environment,
    /// With its name.
    Profile(String),
}

/// Patterns from one place.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// The file that holds them; `None` for those that were given themselves.
    pub file: Option<String>,
    pub patterns: Vec<String>,
}

impl From<Vec<String>> for Part {
    fn from(patterns: Vec<String>) -> Self {
        Self { file: None, patterns }
    }
}

#[derive(Debug, Clone, Default)]
struct Patterns {
    parts: Vec<Part>,
    /// Those that match a single name: a file of a hundred thousand protected keys must not be one regular expression.
    names: HashMap<String, Place>,
    /// The others, and which ones they are.
    globs: RegexSet,
    places: Vec<Place>,
}

/// The index of a part, and that of a pattern in it.
type Place = (usize, usize);

/// A pattern that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatternError {
    #[error("invalid pattern `{pattern}`: {error}")]
    Malformed {
        pattern: String,
        /// What is wrong with it, and where.
        error: GlobError,
    },
    /// They cannot be compiled.
    #[error("the {count} patterns with wildcards cannot be used together: {why}")]
    TooLarge {
        /// How many they are.
        count: usize,
        why: String,
    },
}

impl Patterns {
    fn new(parts: Vec<Part>) -> Result<Self, PatternError> {
        let (mut names, mut regexes, mut places) = (HashMap::new(), Vec::new(), Vec::new());
        for (index, part) in parts.iter().enumerate() {
            for (place, pattern) in part.patterns.iter().enumerate() {
                match glob(pattern)? {
                    Glob::Name(name) => {
                        names.entry(name).or_insert((index, place));
                    }
                    Glob::Regex(regex) => {
                        regexes.push(regex);
                        places.push((index, place));
                    }
                }
            }
        }
        let globs = compiled(&regexes, REGEX_BYTES)?;
        Ok(Self { parts, names, globs, places })
    }

    /// The first pattern that matches, and the file that it is from.
    fn matching(&self, key: &str) -> Option<(&str, Option<&str>)> {
        let name = self.names.get(key).copied();
        // Even an empty set takes a quarter of the time that a key takes in a dry run.
        let has_match = !self.places.is_empty() && self.globs.is_match(key);
        let glob = if has_match { self.globs.matches(key).iter().next() } else { None };
        let (part, place) = name.into_iter().chain(glob.map(|glob| self.places[glob])).min()?;
        let part = &self.parts[part];
        Some((&part.patterns[place], part.file.as_deref()))
    }

    fn texts(&self) -> impl Iterator<Item = String> {
        self.parts.iter().flat_map(|part| part.patterns.iter().cloned())
    }
}

fn glob(pattern: &str) -> Result<Glob, PatternError> {
    Glob::new(pattern).map_err(|error| PatternError::Malformed { pattern: pattern.to_owned(), error })
}

fn compiled(regexes: &[String], most: usize) -> Result<RegexSet, PatternError> {
    let mut builder = RegexSetBuilder::new(regexes);
    builder.dot_matches_new_line(true).size_limit(most).dfa_size_limit(CACHE_BYTES);
    builder.build().map_err(|error| {
        let why = match error {
            regex::Error::CompiledTooBig(most) => format!("they take more than {} MB", most / 1_000_000),
            error => error.to_string(),
        };
        PatternError::TooLarge { count: regexes.len(), why }
    })
}

impl Layer {
    fn new(origin: Origin, protect: Vec<Part>, only: Vec<String>) -> Result<Self, PatternError> {
        let only = if only.is_empty() { None } else { Some(Patterns::new(vec![only.into()])?) };
        Ok(Self { origin, protect: Patterns::new(protect)?, only })
    }

    /// Why it keeps a key of this name, if it does.
    fn keeps(&self, name: &str) -> Option<String> {
        match (self.protect.matching(name), &self.only) {
            (Some((pattern, file)), _) => Some(self.origin.rule(pattern, file)),
            (None, Some(only)) if only.matching(name).is_none() => {
                Some(format!("matches no {}", self.origin.name("only", None)))
            }
            (None, _) => None,
        }
    }

    fn is_empty(&self) -> bool {
        self.protect.parts.iter().all(|part| part.patterns.is_empty()) && self.only.is_none()
    }
}

impl Filter {
    /// Keys that match one of `protect` are kept; where `only` is not empty, so are those that match none of it.
    ///
    /// Patterns are globs, as [`glob`](super::glob) has them.
    ///
    /// # Errors
    /// [`PatternError`] names the pattern that cannot be read.
    pub fn new(protect: Vec<String>, only: Vec<String>) -> Result<Self, PatternError> {
        Self::default().and(Origin::Flags, vec![protect.into()], only)
    }

    /// The same, and what is kept besides: a key has to pass both.
    ///
    /// # Errors
    /// As [`Filter::new`].
    pub fn and(self, origin: Origin, protect: Vec<Part>, only: Vec<String>) -> Result<Self, PatternError> {
        let layer = Layer::new(origin, protect, only)?;
        // A layer costs time for every key.
        if layer.is_empty() {
            return Ok(self);
        }
        Ok(Self { layers: self.layers.iter().cloned().chain([layer]).collect() })
    }

    /// The patterns of all places: a key that matches one of the first is kept, and it has to match one of each of the others.
    pub fn patterns(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let protect = self.layers.iter().flat_map(|layer| layer.protect.texts()).collect();
        let only = self.layers.iter().filter_map(|layer| layer.only.as_ref());
        (protect, only.map(|only| only.texts().collect()).collect())
    }

    /// The patterns to protect and of the only keys, each with the flag, variable, file or profile that it is from.
    pub fn origins(&self) -> Vec<(&'static str, String, &[String])> {
        let mut origins = Vec::new();
        for Layer { origin, protect, only } in self.layers.iter() {
            let protect = protect.parts.iter().map(|part| ("protect", origin.protect(part.file.as_deref()), part));
            let only = only.iter().flat_map(|only| &only.parts).map(|part| ("only", origin.name("only", None), part));
            let parts = protect.chain(only).map(|(what, origin, part)| (what, origin, part.patterns.as_slice()));
            origins.extend(parts.filter(|(_, _, patterns)| !patterns.is_empty()));
        }
        origins
    }

    /// Whether no key is kept.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Whether a key of this name is not kept.
    pub fn allows(&self, name: &str) -> bool {
        self.layers.iter().all(|layer| layer.keeps(name).is_none())
    }

    /// Marks the key of a record as kept if a filter keeps it.
    pub fn apply(&self, record: &mut Record) {
        let Content::Key(key) = &record.content else { return };
        let Some(rule) = self.layers.iter().find_map(|layer| layer.keeps(key.as_str())) else { return };
        record.content = Content::Kept(Box::new(record::Kept { key: key.clone(), rule }));
    }
}

impl Origin {
    /// The flag, variable or setting that is `what` as a flag, with what was given.
    fn name(&self, what: &str, given: Option<&str>) -> String {
        let given = given.map(|given| format!(" {given}")).unwrap_or_default();
        match self {
            Self::Flags => format!("--{what}{given}"),
            Self::Environment => format!("KVSWEEP_{}{given}", what.to_uppercase().replace('-', "_")),
            Self::Profile(name) => format!("{what}{given} of the profile {name}"),
        }
    }

    /// What names patterns to protect.
    fn protect(&self, file: Option<&str>) -> String {
        self.name(if file.is_some() { "protect-from" } else { "protect" }, file)
    }

    /// Why a key is kept that matches a pattern.
    fn rule(&self, pattern: &str, file: Option<&str>) -> String {
        match (self, file) {
            (Self::Environment, None) | (_, Some(_)) => format!("matches {pattern} of {}", self.protect(file)),
            (Self::Flags | Self::Profile(_), None) => format!("matches {}", self.name("protect", Some(pattern))),
        }
    }
}

#[cfg(test)]
mod tests;
