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

/// Which keys may be deleted.
#[derive(Debug, Clone)]
pub struct Filter {
    flags: Arc<RuleSet>,
    /// What a profile keeps besides, and its name.
    profile: Option<Arc<(String, RuleSet)>>,
}

#[derive(Debug, Clone)]
struct RuleSet {
    protect: Patterns,
    only: Option<Patterns>,
}

/// Why a key is kept.
enum Excluded<'a> {
    /// The pattern, and the file that it is from.
    Protected(&'a str, Option<&'a str>),
    NotAmongOnly,
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
    texts: Vec<String>,
    /// Where they are from, with the place after the last of each.
    files: Vec<(Option<String>, usize)>,
    /// Those that match a single name: a file of a hundred thousand protected keys must not be one regular expression.
    names: HashMap<String, usize>,
    /// The others, and which ones they are.
    globs: RegexSet,
    places: Vec<usize>,
}

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
        let (mut texts, mut files) = (Vec::new(), Vec::new());
        for part in parts {
            texts.extend(part.patterns);
            files.push((part.file, texts.len()));
        }
        let (mut names, mut regexes, mut places) = (HashMap::new(), Vec::new(), Vec::new());
        for (place, pattern) in texts.iter().enumerate() {
            match glob(pattern)? {
                Glob::Name(name) => {
                    names.entry(name).or_insert(place);
                }
                Glob::Regex(regex) => {
                    regexes.push(regex);
                    places.push(place);
                }
            }
        }
        let globs = compiled(&regexes, REGEX_BYTES)?;
        Ok(Self { texts, files, names, globs, places })
    }

    /// The first pattern that matches, and the file that it is from.
    fn matching(&self, key: &str) -> Option<(&str, Option<&str>)> {
        let name = self.names.get(key).copied();
        let glob = if self.globs.is_match(key) { self.globs.matches(key).iter().next() } else { None };
        let first = name.into_iter().chain(glob.map(|glob| self.places[glob])).min()?;
        let file = self.files.iter().find(|(_, end)| first < *end).and_then(|(file, _)| file.as_deref());
        Some((&self.texts[first], file))
    }

    /// The patterns from each place.
    fn parts(&self) -> impl Iterator<Item = (Option<&str>, &[String])> {
        let mut begin = 0;
        self.files
            .iter()
            .map(move |(file, end)| (file.as_deref(), &self.texts[std::mem::replace(&mut begin, *end)..*end]))
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

impl RuleSet {
    fn new(protect: Vec<Part>, only: Vec<String>) -> Result<Self, PatternError> {
        let only = if only.is_empty() { None } else { Some(Patterns::new(vec![only.into()])?) };
        Ok(Self { protect: Patterns::new(protect)?, only })
    }

    fn keeps(&self, name: &str) -> Option<Excluded<'_>> {
        match (self.protect.matching(name), &self.only) {
            (Some((pattern, file)), _) => Some(Excluded::Protected(pattern, file)),
            (None, Some(only)) if only.matching(name).is_none() => Some(Excluded::NotAmongOnly),
            (None, _) => None,
        }
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
        Self::of(vec![protect.into()], only)
    }

    /// The same with patterns to protect from several places.
    ///
    /// # Errors
    /// As [`Filter::new`].
    pub fn of(protect: Vec<Part>, only: Vec<String>) -> Result<Self, PatternError> {
        Ok(Self { flags: Arc::new(RuleSet::new(protect, only)?), profile: None })
    }

    /// The same, and what a profile keeps besides: a key has to pass both.
    ///
    /// # Errors
    /// [`PatternError`] names the pattern that cannot be read.
    pub fn with_profile(self, profile: &str, protect: Vec<Part>, only: Vec<String>) -> Result<Self, PatternError> {
        Ok(Self { profile: Some(Arc::new((profile.to_owned(), RuleSet::new(protect, only)?))), ..self })
    }

    /// The patterns of flags and profile: a key that matches one of the first is kept, and it has to match one of each of the
    /// others.
    pub fn patterns(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let rule_sets = || std::iter::once(&*self.flags).chain(self.profile.as_deref().map(|(_, rules)| rules));
        let protect = rule_sets().flat_map(|rules| rules.protect.texts.iter().cloned()).collect();
        (protect, rule_sets().filter_map(|rules| rules.only.as_ref()).map(|only| only.texts.clone()).collect())
    }

    /// The patterns to protect and of the only keys, each with the flag, file or profile that it is from.
    pub fn origins(&self) -> Vec<(&'static str, String, &[String])> {
        let profile = self.profile.as_deref().map(|(name, rules)| (Some(name.as_str()), rules));
        let mut origins = Vec::new();
        for (profile, rules) in std::iter::once((None, &*self.flags)).chain(profile) {
            let protect = rules.protect.parts().map(|(file, patterns)| ("protect", protect(file, profile), patterns));
            let only =
                rules.only.iter().flat_map(Patterns::parts).map(|(_, patterns)| ("only", only(profile), patterns));
            origins.extend(protect.chain(only).filter(|(_, _, patterns)| !patterns.is_empty()));
        }
        origins
    }

    /// Whether no key is kept.
    pub fn is_empty(&self) -> bool {
        self.flags.protect.texts.is_empty() && self.flags.only.is_none() && self.profile.is_none()
    }

    /// Whether a key of this name is not kept.
    pub fn allows(&self, name: &str) -> bool {
        let profile = self.profile.as_deref();
        self.flags.keeps(name).is_none() && profile.is_none_or(|(_, rules)| rules.keeps(name).is_none())
    }

    /// Marks the key of a record as kept if a filter keeps it.
    pub fn apply(&self, record: &mut Record) {
        if self.is_empty() {
            return;
        }
        let Content::Key(key) = &record.content else { return };
        let profile = self.profile.as_deref().and_then(|(name, rules)| Some((name, rules.keeps(key.as_str())?)));
        let rule = match (self.flags.keeps(key.as_str()), profile) {
            (Some(Excluded::Protected(pattern, None)), _) => format!("matches --protect {pattern}"),
            (Some(Excluded::Protected(pattern, file)), _) => format!("matches {pattern} of {}", protect(file, None)),
            (Some(Excluded::NotAmongOnly), _) => "matches no --only".to_owned(),
            (None, Some((name, Excluded::Protected(pattern, None)))) => {
                format!("matches protect {pattern} of the profile {name}")
            }
            (None, Some((name, Excluded::Protected(pattern, file)))) => {
                format!("matches {pattern} of {}", protect(file, Some(name)))
            }
            (None, Some((name, Excluded::NotAmongOnly))) => format!("matches no {}", only(Some(name))),
            (None, None) => return,
        };
        record.content = Content::Kept(Box::new(record::Kept { key: key.clone(), rule }));
    }
}

/// What names patterns to protect.
fn protect(file: Option<&str>, profile: Option<&str>) -> String {
    match (file, profile) {
        (None, None) => "--protect".to_owned(),
        (Some(file), None) => format!("--protect-from {file}"),
        (None, Some(profile)) => format!("protect of the profile {profile}"),
        (Some(file), Some(profile)) => format!("protect-from {file} of the profile {profile}"),
    }
}

/// What names the patterns of the only keys.
fn only(profile: Option<&str>) -> String {
    profile.map_or_else(|| "--only".to_owned(), |profile| format!("only of the profile {profile}"))
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
    fn a_filter_without_patterns_keeps_no_key() {
        assert!(filter(&[], &[]).is_empty());
        let some = [
            filter(&["a"], &[]),
            filter(&[], &["a"]),
            filter(&[], &[]).with_profile("p", Vec::new(), Vec::new()).unwrap(),
        ];
        assert!(some.iter().all(|filter| !filter.is_empty()));
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
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
        let both = filter(&["tmp:mine"], &["tmp:*", "log:*"]);
        let parts =
            vec![owned(&["*:keep"]).into(), Part { file: Some("p.txt".to_owned()), patterns: owned(&["log:x"]) }];
        let both = both.with_profile("prod", parts, owned(&["tmp:*"])).unwrap();
        assert_eq!(kept(&both, "tmp:a"), None);
        for (key, reason) in [
            ("tmp:keep", "matches protect *:keep of the profile prod"),
            ("log:x", "matches log:x of protect-from p.txt of the profile prod"),
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
    fn each_pattern_is_named_with_where_it_is_from() {
        let part = |file: Option<&str>, pattern: &str| Part {
            file: file.map(str::to_owned),
            patterns: vec![pattern.to_owned()],
        };
        let flags = Filter::of(vec![part(None, "a*"), part(Some("p.txt"), "b*")], vec!["*".to_owned()]).unwrap();
        let both = flags.with_profile("prod", vec![Part::default(), part(Some("q.txt"), "c*")], Vec::new()).unwrap();
        let origins: Vec<_> =
            both.origins().into_iter().map(|(_, origin, patterns)| (origin, patterns.join(""))).collect();
        let origins: Vec<_> = origins.iter().map(|(origin, patterns)| (origin.as_str(), patterns.as_str())).collect();
        let expected = [
            ("--protect", "a*"),
            ("--protect-from p.txt", "b*"),
            ("--only", "*"),
            ("protect-from q.txt of the profile prod", "c*"),
        ];
        assert_eq!(origins, expected);
        assert_eq!(kept(&both, "a1").as_deref(), Some("matches --protect a*"));
        assert_eq!(kept(&both, "b1").as_deref(), Some("matches b* of --protect-from p.txt"));
    }

    #[test]
    fn odd_names_are_matched_as_they_are() {
        for key in ["a\nb", "../x", "a//b", "/a", "a/", "\u{0}"] {
            assert!(kept(&filter(&["*"], &[]), key).is_some(), "{key:?}");
            assert!(kept(&filter(&[key], &[]), key).is_some(), "{key:?}");
        }
    }

    #[test]
    fn the_first_pattern_that_matches_is_named_be_it_a_name_or_a_glob() {
        for patterns in [["config", "c*"], ["c*", "config"], [r"conf\ig", "{config,x}"]] {
            let rule = kept(&filter(&patterns, &[]), "config");
            assert_eq!(rule.as_deref(), Some(&*format!("matches --protect {}", patterns[0])));
        }
    }

    #[test]
    fn a_hundred_thousand_names_are_no_regular_expression() {
        let names: Vec<String> = (0..100_000).map(|number| format!("config:{number}")).collect();
        let filter = Filter::new(names, Vec::new()).unwrap();
        assert_eq!(kept(&filter, "config:99999").as_deref(), Some("matches --protect config:99999"));
        assert_eq!(kept(&filter, "config:100000"), None);
    }

    #[test]
    fn patterns_that_take_too_much_memory_are_an_error_and_not_a_wait() {
        let regexes = vec![r"\A(?:[\p{Alphabetic}].*)\z".to_owned(); 300];
        let error = compiled(&regexes, 1_000_000).unwrap_err().to_string();
        assert_eq!(error, "the 300 patterns with wildcards cannot be used together: they take more than 1 MB");
        assert!(compiled(&regexes[..2], 1_000_000).is_ok());
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let error = Filter::new(vec!["a[".into()], vec![]).unwrap_err();
        assert!(error.to_string().starts_with("invalid pattern `a[`: "), "{error}");
    }
}
