//! The keys, sorted by their bytes, with their values, metadata and expirations.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::body::Bytes;
use serde_json::Value;

/// The value of keys that were made without one.
const PLACEHOLDER: Bytes = Bytes::from_static(b"sandbox");

/// What a key holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The value.
    pub value: Bytes,
    /// When it is gone, in seconds since the Unix epoch.
    pub expiration: Option<u64>,
    /// Any JSON.
    pub metadata: Option<Value>,
}

impl Stored {
    /// A value that stays, without metadata.
    pub fn new(value: impl Into<Bytes>) -> Self {
        Self { value: value.into(), expiration: None, metadata: None }
    }
}

/// The keys of a namespace. Every look at them needs the wall time in seconds since the Unix epoch: from its
/// expiration on a key is gone.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// `None` stands for the placeholder, so that ten million preloaded keys cost little more than their names.
    keys: BTreeMap<Box<str>, Option<Box<Stored>>>,
}

/// Some keys and what they hold, unless that is the placeholder; and whether there are more.
pub(super) type Page<'a> = (Vec<(&'a str, Option<&'a Stored>)>, bool);

impl Store {
    pub(super) fn put(&mut self, key: impl Into<Box<str>>, stored: Stored) {
        self.keys.insert(key.into(), Some(Box::new(stored)));
    }

    pub(super) fn preload<K: Into<Box<str>>>(&mut self, keys: impl IntoIterator<Item = K>) {
        self.keys.extend(keys.into_iter().map(|key| (key.into(), None)));
    }

    pub(super) fn get(&self, key: &str, now: u64) -> Option<Stored> {
        let held = self.keys.get(key)?;
        is_live(held.as_deref(), now).then(|| held.as_deref().map_or_else(|| Stored::new(PLACEHOLDER), Stored::clone))
    }

    pub(super) fn contains(&self, key: &str, now: u64) -> bool {
        self.keys.get(key).is_some_and(|held| is_live(held.as_deref(), now))
    }

    pub(super) fn delete(&mut self, key: &str, now: u64) -> bool {
        self.keys.remove(key).is_some_and(|held| is_live(held.as_deref(), now))
    }

    /// Deletes all keys and says how many there were.
    pub(super) fn clear(&mut self, now: u64) -> usize {
        let count = self.names(now).count();
        self.keys.clear();
        count
    }

    pub(super) fn names(&self, now: u64) -> impl Iterator<Item = &str> {
        self.keys.iter().filter(move |(_, held)| is_live(held.as_deref(), now)).map(|(name, _)| &**name)
    }

    /// At most `limit` keys that begin with `prefix` and come after `after`, which need not be there any more.
    pub(super) fn list(&self, prefix: &str, after: Option<&str>, limit: usize, now: u64) -> Page<'_> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let mut found = self
            .keys
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(prefix))
            .filter(|(_, held)| is_live(held.as_deref(), now));
        let keys = found.by_ref().take(limit).map(|(name, held)| (&**name, held.as_deref())).collect();
        (keys, found.next().is_some())
    }
}

fn is_live(held: Option<&Stored>, now: u64) -> bool {
    held.and_then(|held| held.expiration).is_none_or(|expiration| expiration > now)
}

/// The wall time. The sandbox shares nothing with the client, the clock included.
#[expect(clippy::disallowed_methods, reason = "the rest of the crate is not used here")]
pub(super) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

pub(super) fn unix_now() -> u64 {
    since_epoch().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<'a>(page: &Page<'a>) -> Vec<&'a str> {
        page.0.iter().map(|(name, _)| *name).collect()
    }

    #[test]
    fn listing_goes_by_bytes_and_resumes_after_a_deleted_key() {
        let mut store = Store::default();
        store.preload(["b", "a", "é", "z", "a/1", "A", "🔑"]);
        let page = store.list("", None, 3, 0);
        assert_eq!((names(&page), page.1), (vec!["A", "a", "a/1"], true));
        assert!(store.delete("a/1", 0));
        let page = store.list("", Some("a/1"), 10, 0);
        assert_eq!((names(&page), page.1), (vec!["b", "z", "é", "🔑"], false));
        assert_eq!(names(&store.list("a", None, 10, 0)), ["a"]);
        assert_eq!(names(&store.list("b", Some("a"), 10, 0)), ["b"]);
        assert!(!store.list("", None, 6, 0).1);
    }

    #[test]
    fn a_key_is_gone_from_its_expiration_on() {
        let mut store = Store::default();
        store.preload(["stays"]);
        store.put("goes", Stored { expiration: Some(100), ..Stored::new("v") });
        assert!(store.contains("goes", 99) && !store.contains("goes", 100));
        assert!(store.get("goes", 99).is_some() && store.get("goes", 100).is_none());
        assert_eq!(store.names(100).collect::<Vec<_>>(), ["stays"]);
        assert_eq!(names(&store.list("", None, 10, 99)), ["goes", "stays"]);
        assert_eq!(names(&store.list("", None, 1, 100)), ["stays"]);
        assert!(!store.delete("goes", 100), "what has expired was not there");
        assert!(store.delete("stays", 100) && !store.delete("stays", 100));
    }
}
