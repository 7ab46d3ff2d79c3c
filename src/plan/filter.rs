//! `--protect` and `--only`: keys that are never deleted, whatever the input says.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use thiserror::Error;

use crate::record::{Content, Invalid, Record};

/// Which keys may be deleted.
#[derive(Debug, Clone)]
pub struct Filter {
    protect: Patterns,
    only: Option<Patterns>,
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

impl Filter {
    /// Keys that match one of `protect` are kept; where `only` is not empty, so are those that match none of it.
    ///
    /// `*` matches any characters, `/` included; `?` one; `[ab]`, `{a,b}` and `\` work as in a shell.
    ///
    /// # Errors
    /// [`PatternError`] names the pattern that cannot be read.
    pub fn new(protect: Vec<String>, only: Vec<String>) -> Result<Self, PatternError> {
        let only = if only.is_empty() { None } else { Some(Patterns::new(only)?) };
        Ok(Self { protect: Patterns::new(protect)?, only })
    }

    /// Whether a key of this name is not kept.
    pub fn allows(&self, name: &str) -> bool {
        self.protect.matching(name).is_none() && self.only.as_ref().is_none_or(|only| only.matching(name).is_some())
    }

    /// The record as it may be treated: a key that has to be kept becomes invalid.
    pub fn apply(&self, record: Record) -> Record {
        let Content::Key(key) = &record.content else { return record };
        let reason = match (self.protect.matching(key.as_str()), &self.only) {
            (Some(pattern), _) => format!("kept: it matches --protect {pattern}"),
            (None, Some(only)) if only.matching(key.as_str()).is_none() => "kept: it matches no --only".to_owned(),
            _ => return record,
        };
        let invalid = Invalid { key: key.as_str().to_owned(), rule: reason.clone().into(), reason };
        Record { content: Content::Invalid(Box::new(invalid)), ..record }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyName;
    use crate::record::RecordNumber;

    fn kept(filter: &Filter, key: &str) -> Option<String> {
        let content = Content::Key(KeyName::new(key).unwrap());
        match filter.apply(Record { number: RecordNumber::FIRST, content }).content {
            Content::Invalid(invalid) => Some(invalid.reason),
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
        assert_eq!(kept(&filter, "prod:a/b").as_deref(), Some("kept: it matches --protect prod:*"));
        assert_eq!(kept(&filter, "config").as_deref(), Some("kept: it matches --protect config"));
        assert_eq!(kept(&filter, "configs"), None);
        assert_eq!(kept(&filter, "Prod:a"), None, "names are compared exactly");
    }

    #[test]
    fn protection_wins_over_only() {
        let filter = filter(&["*:keep"], &["tmp:*"]);
        assert_eq!(kept(&filter, "tmp:a"), None);
        assert!(kept(&filter, "tmp:keep").unwrap().contains("--protect"));
        assert_eq!(kept(&filter, "user:a").as_deref(), Some("kept: it matches no --only"));
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
