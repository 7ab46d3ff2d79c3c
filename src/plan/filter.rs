//! `--protect` and `--only`: keys that are never deleted, whatever the input says.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use thiserror::Error;

use crate::record::{self, Content, Record};

/// Which keys may be deleted.
#[derive(Debug, Clone)]
pub struct Filter {
    flags: Layer,
    /// What a profile keeps besides, and its name.
    profile: Option<Box<(String, Layer)>>,
}

#[derive(Debug, Clone)]
struct Layer {
    protect: Patterns,
    only: Option<Patterns>,
}

/// Why a key is kept.
enum Kept<'a> {
    Protected(&'a str),
    NotAmongOnly,
}

#[derive(Debug, Clone, Default)]
struct Patterns {
    texts: Vec<String>,
    set: GlobSet,
}

/// A pattern that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{pattern}` is not a pattern: {why}")]
pub struct PatternError {
    pattern: String,
    why: String,
}

impl Patterns {
    fn new(texts: Vec<String>) -> Result<Self, PatternError> {
        let mut builder = GlobSetBuilder::new();
        for pattern in &texts {
            let error =
                |error: globset::Error| PatternError { pattern: pattern.clone(), why: error.kind().to_string() };
            builder.add(GlobBuilder::new(pattern).backslash_escape(true).build().map_err(error)?);
        }
        let error = |error: globset::Error| PatternError { pattern: texts.join(" "), why: error.kind().to_string() };
        let set = builder.build().map_err(error)?;
        Ok(Self { texts, set })
    }

    /// The first pattern that matches.
    fn matching(&self, key: &str) -> Option<&str> {
        // It would take the key apart before it sees that there is nothing to match.
        if self.set.is_empty() {
            return None;
        }
        self.set.matches(key).first().map(|index| self.texts[*index].as_str())
    }
}

impl Layer {
    fn new(protect: Vec<String>, only: Vec<String>) -> Result<Self, PatternError> {
        let only = if only.is_empty() { None } else { Some(Patterns::new(only)?) };
        Ok(Self { protect: Patterns::new(protect)?, only })
    }

    fn keeps(&self, name: &str) -> Option<Kept<'_>> {
        match (self.protect.matching(name), &self.only) {
            (Some(pattern), _) => Some(Kept::Protected(pattern)),
            (None, Some(only)) if only.matching(name).is_none() => Some(Kept::NotAmongOnly),
            (None, _) => None,
        }
    }
}

impl Filter {
    /// Keys that match one of `protect` are kept; where `only` is not empty, so are those that match none of it.
    ///
    /// `*` matches any characters, `/` included; `?` one; `[ab]`, `{a,b}` and `\` work as in a shell.
    ///
    /// # Errors
    /// [`PatternError`] names the pattern that cannot be read.
    pub fn new(protect: Vec<String>, only: Vec<String>) -> Result<Self, PatternError> {
        Ok(Self { flags: Layer::new(protect, only)?, profile: None })
    }

    /// The same, and what a profile keeps besides: a key has to pass both.
    ///
    /// # Errors
    /// [`PatternError`] names the pattern that cannot be read.
    pub fn besides(self, profile: &str, protect: Vec<String>, only: Vec<String>) -> Result<Self, PatternError> {
        Ok(Self { profile: Some(Box::new((profile.to_owned(), Layer::new(protect, only)?))), ..self })
    }

    /// Whether no key is kept.
    pub fn is_empty(&self) -> bool {
        self.flags.protect.texts.is_empty() && self.flags.only.is_none() && self.profile.is_none()
    }

    /// Whether a key of this name is not kept.
    pub fn allows(&self, name: &str) -> bool {
        let profile = self.profile.as_deref();
        self.flags.keeps(name).is_none() && profile.is_none_or(|(_, layer)| layer.keeps(name).is_none())
    }

    /// Marks the key of a record as kept if a filter keeps it.
    pub fn apply(&self, record: &mut Record) {
        if self.is_empty() {
            return;
        }
        let Content::Key(key) = &record.content else { return };
        let profile = self.profile.as_deref().and_then(|(name, layer)| Some((name, layer.keeps(key.as_str())?)));
        let rule = match (self.flags.keeps(key.as_str()), profile) {
            (Some(Kept::Protected(pattern)), _) => format!("matches --protect {pattern}"),
            (Some(Kept::NotAmongOnly), _) => "matches no --only".to_owned(),
            (None, Some((name, Kept::Protected(pattern)))) => {
                format!("matches protect {pattern} of the profile {name}")
            }
            (None, Some((name, Kept::NotAmongOnly))) => format!("matches no only of the profile {name}"),
            (None, None) => return,
        };
        record.content = Content::Kept(Box::new(record::Kept { key: key.clone(), rule }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyName;
    use crate::record::RecordNumber;

    fn kept(filter: &Filter, key: &str) -> Option<String> {
        let content = Content::Key(KeyName::new(key).unwrap());
        let mut record = Record { number: RecordNumber::FIRST, content };
        filter.apply(&mut record);
        match record.content {
            Content::Kept(kept) => Some(kept.rule),
            _ => None,
        }
    }

    fn filter(protect: &[&str], only: &[&str]) -> Filter {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Filter::new(owned(protect), owned(only)).unwrap()
    }

    #[test]
    fn protected_keys_are_kept_with_the_reason() {
        let filter = filter(&["prod:*", "config"], &[]);
        assert_eq!(kept(&filter, "prod:a/b").as_deref(), Some("matches --protect prod:*"));
        assert_eq!(kept(&filter, "config").as_deref(), Some("matches --protect config"));
        assert_eq!(kept(&filter, "configs"), None);
        assert_eq!(kept(&filter, "Prod:a"), None, "names are compared exactly");
    }

    #[test]
    fn protection_wins_over_only() {
        let filter = filter(&["*:keep"], &["tmp:*"]);
        assert_eq!(kept(&filter, "tmp:a"), None);
        assert!(kept(&filter, "tmp:keep").unwrap().contains("--protect"));
        assert_eq!(kept(&filter, "user:a").as_deref(), Some("matches no --only"));
    }

    #[test]
    fn a_profile_only_ever_keeps_more() {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let both = filter(&["tmp:mine"], &["tmp:*", "log:*"]);
        let both = both.besides("prod", owned(&["*:keep"]), owned(&["tmp:*"])).unwrap();
        assert_eq!(kept(&both, "tmp:a"), None);
        for (key, reason) in [
            ("tmp:keep", "matches protect *:keep of the profile prod"),
            ("log:a", "matches no only of the profile prod"),
            ("tmp:mine", "matches --protect tmp:mine"),
            ("other", "matches no --only"),
        ] {
            assert_eq!(kept(&both, key).as_deref(), Some(reason));
            assert!(!both.allows(key), "{key}");
        }
        assert!(both.allows("tmp:a"));
    }

    #[test]
    fn odd_names_are_matched_as_they_are() {
        for key in ["a\nb", "../x", "a//b", "/a", "a/", "\u{0}"] {
            assert!(kept(&filter(&["*"], &[]), key).is_some(), "{key:?}");
            assert!(kept(&filter(&[key], &[]), key).is_some(), "{key:?}");
        }
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let error = Filter::new(vec!["a[".into()], vec![]).unwrap_err();
        assert!(error.to_string().starts_with("`a[` is not a pattern: "), "{error}");
    }
}
