//! Several prefixes as a union in which no key is met twice.

use serde::{Deserialize, Serialize};

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
