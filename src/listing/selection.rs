//! Which keys are listed, and which of them are wanted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::api::ListedKey;
use crate::plan::filter::Filter;

/// Prefixes of which none begins another, so that every key is under at most one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prefixes(Vec<String>);

impl Prefixes {
    /// Those of `given` that another one does not cover, in their order; without any, the empty one, which covers all.
    pub fn new(given: Vec<String>) -> Self {
        if given.is_empty() {
            return Self(vec![String::new()]);
        }
        let mut kept: Vec<String> = Vec::new();
        for prefix in given {
            if !kept.iter().any(|wider| prefix.starts_with(wider.as_str())) {
                kept.retain(|narrower| !narrower.starts_with(&prefix));
                kept.push(prefix);
            }
        }
        Self(kept)
    }

    pub fn cover_everything(&self) -> bool {
        self.0.iter().any(String::is_empty)
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub fn get(&self, index: usize) -> Option<&str> {
        self.0.get(index).map(String::as_str)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// For example `7d`, whose meaning changes with time.
    pub input: String,
    /// In seconds since the Unix epoch.
    pub at: u64,
}

/// What of a key's metadata is looked at: `path`, which has to be there, or `path=value`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataTest {
    path: String,
    value: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected PATH=VALUE or PATH, for example owner.team=web")]
pub struct MetadataTestError;

impl FromStr for MetadataTest {
    type Err = MetadataTestError;

    fn from_str(text: &str) -> Result<Self, MetadataTestError> {
        let (path, value) = match text.split_once('=') {
            Some((path, value)) => (path, Some(value.to_owned())),
            None => (text, None),
        };
        if path.is_empty() { Err(MetadataTestError) } else { Ok(Self { path: path.to_owned(), value }) }
    }
}

impl fmt::Display for MetadataTest {
    /// As it is given.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value}", self.path),
            None => f.write_str(&self.path),
        }
    }
}

impl MetadataTest {
    /// Names lead into objects, numbers from 0 into arrays. Strings are compared as they are; numbers, `true`, `false`
    /// and `null` as JSON writes them; objects and arrays equal nothing.
    fn holds(&self, metadata: &Value) -> bool {
        let found = self.path.split('.').try_fold(metadata, |value, name| match value {
            Value::Array(items) => items.get(name.parse::<usize>().ok()?),
            _ => value.get(name),
        });
        match (found, &self.value) {
            (Some(_), None) => true,
            (Some(Value::String(text)), Some(wanted)) => text == wanted,
            (None, _) | (Some(Value::Object(_) | Value::Array(_)), Some(_)) => false,
            (Some(scalar), Some(wanted)) => serde_json::to_string(scalar).is_ok_and(|text| text == *wanted),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Selection {
    pub names: Filter,
    pub expiring_before: Option<Moment>,
    pub without_expiration: bool,
    pub metadata: Vec<MetadataTest>,
}

impl Selection {
    pub fn wants(&self, key: &ListedKey) -> bool {
        self.names.allows(&key.name) && self.selects(key)
    }

    /// The same whatever its name.
    pub fn selects(&self, key: &ListedKey) -> bool {
        let early = |moment: &Moment| key.expiration.is_some_and(|expiration| expiration < moment.at);
        self.expiring_before.as_ref().is_none_or(early)
            && !(self.without_expiration && key.expiration.is_some())
            && (self.metadata.is_empty() || self.wants_metadata(key))
    }

    fn wants_metadata(&self, key: &ListedKey) -> bool {
        let metadata =
            key.metadata.as_ref().and_then(|metadata| serde_json::from_str::<Value>(metadata.as_json()).ok());
        metadata.is_some_and(|metadata| self.metadata.iter().all(|test| test.holds(&metadata)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(name: &str, expiration: Option<u64>, metadata: &str) -> ListedKey {
        let metadata = (!metadata.is_empty()).then(|| serde_json::from_str(metadata).unwrap());
        ListedKey { expiration, metadata, ..ListedKey::new(name) }
    }

    fn all() -> Selection {
        let names = Filter::new(vec!["keep*".to_owned()], Vec::new()).unwrap();
        Selection { names, expiring_before: None, without_expiration: false, metadata: Vec::new() }
    }

    #[test]
    fn names_and_expirations_are_looked_at() {
        assert!(all().wants(&key("a", None, "")) && !all().wants(&key("keep:a", None, "")));
        let moment = Moment { input: "7d".to_owned(), at: 100 };
        let soon = Selection { expiring_before: Some(moment), ..all() };
        let wanted = [Some(99), Some(100), None].map(|expiration| soon.wants(&key("a", expiration, "")));
        assert_eq!(wanted, [true, false, false]);
        let stays = Selection { without_expiration: true, ..all() };
        assert!(stays.wants(&key("a", None, "")) && !stays.wants(&key("a", Some(1), "")));
    }

    #[test]
    fn metadata_is_looked_into() {
        let metadata = r#"{"owner":{"team":"web","size":3,"on":true,"gone":null},"tags":["x","y"],"a=b":"c"}"#;
        for (test, wanted) in [
            ("owner.team=web", true),
            ("owner.team=we", false),
            ("owner.size=3", true),
            ("owner.on=true", true),
            ("owner.gone=null", true),
            ("owner.gone", true),
            ("owner.none", false),
            ("owner=web", false),
            ("tags.1=y", true),
            ("tags.2", false),
            ("owner.team.x", false),
        ] {
            let selection = Selection { metadata: vec![test.parse().unwrap()], ..all() };
            assert_eq!(selection.wants(&key("a", None, metadata)), wanted, "{test}");
            assert!(!selection.wants(&key("a", None, "")), "{test}");
        }
        assert_eq!("=x".parse::<MetadataTest>(), Err(MetadataTestError));
    }

    #[test]
    fn the_widest_cover_the_others() {
        let union = |given: &[&str]| Prefixes::new(given.iter().map(|&prefix| prefix.to_owned()).collect()).0;
        assert_eq!(union(&[]), [""]);
        assert_eq!(union(&["b", "a:x", "a:", "b", "a:y"]), ["b", "a:"]);
        assert_eq!(union(&["a", "", "b"]), [""]);
    }

    proptest! {
        #[test]
        fn every_key_is_under_exactly_one(given in prop::collection::vec("[ab]{0,3}", 1..6), key in "[ab]{0,5}") {
            let wanted = given.iter().any(|prefix| key.starts_with(prefix.as_str()));
            let under = Prefixes::new(given).0.iter().filter(|prefix| key.starts_with(prefix.as_str())).count();
            prop_assert_eq!(under, usize::from(wanted));
        }
    }
}
