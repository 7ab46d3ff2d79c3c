//! Which page comes next. Nothing here sends; a page is accepted in the order in which it was asked for.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Prefixes;
use crate::api::{Cursor, ListedKey, Page, PageRequest};
use crate::key_index::KeySet;
use crate::terminal::Quoted;

/// How far a listing has come: after the last page that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Which prefix, from 0.
    prefix: usize,
    /// Where its next page begins.
    cursor: Option<Cursor>,
    /// The last name seen under this prefix.
    last: Option<String>,
    /// Whether the names under it came sorted by their bytes so far.
    sorted: bool,
}

impl Default for Position {
    fn default() -> Self {
        Self { prefix: 0, cursor: None, last: None, sorted: true }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum ListingError {
    #[error(
        "the server no longer accepts the cursor and does not sort the names, so what was listed cannot be skipped"
    )]
    Unordered,
    #[error("the server repeats a cursor, so the listing would never end")]
    RepeatedCursor,
    #[error("the server repeats a page (none of its keys is new), so the listing would never end")]
    RepeatedPage,
    /// A server (or something in front of it) that ignores the prefix would have keys listed, and perhaps deleted, that nobody
    /// named.
    #[error("the server listed the key {}, which does not begin with the requested prefix {}", Quoted(.name), Quoted(.prefix))]
    Foreign { name: String, prefix: String },
}

/// Walks through the pages of all prefixes. A key that comes again is left out.
///
/// Takes about 24 bytes for each key, and a thousandth of that for cursors: the API promises no order, so whether a key
/// is new cannot be seen from the one before it.
#[derive(Debug)]
pub(crate) struct Lister {
    prefixes: Prefixes,
    position: Position,
    /// Names up to this one were seen before the cursor was lost.
    seen: Option<String>,
    /// Whether the cursor comes from an earlier run and was not used yet.
    kept: bool,
    /// The names that this run listed under this prefix.
    names: KeySet,
    /// The cursors that came since the prefix began or started over.
    cursors: KeySet,
}

impl Lister {
    /// Goes on from `position`; one without a cursor but with a last name had lost its cursor.
    pub(crate) fn new(prefixes: Prefixes, mut position: Position) -> Self {
        let kept = position.cursor.is_some();
        let seen = if kept { None } else { position.last.take() };
        let mut cursors = KeySet::new();
        if let Some(cursor) = &position.cursor {
            cursors.insert(cursor.as_str());
        }
        Self { prefixes, position, seen, kept, names: KeySet::new(), cursors }
    }

    /// The next page; `None` when all were accepted.
    pub(crate) fn request(&self) -> Option<PageRequest> {
        let prefix = self.prefixes.get(self.position.prefix)?.to_owned();
        Some(PageRequest { prefix, cursor: self.position.cursor.clone() })
    }

    /// Where the listing stands; while names are skipped after a lost cursor, as when it was lost.
    pub(crate) fn position(&self) -> Position {
        match &self.seen {
            Some(seen) => Position { last: Some(seen.clone()), cursor: None, ..self.position.clone() },
            None => self.position.clone(),
        }
    }

    /// Why the page cannot be the one that a cursor of an earlier run stands for, if that can be seen: a server need
    /// not refuse what it cannot read, but may answer with its first page, or with an empty last one, which would pass
    /// for the end. Names that it leaves out in between cannot be noticed.
    pub(crate) fn cursor_was_reset(&self, page: &Page) -> Option<&'static str> {
        let first = page.keys.first().map(|key| &key.name);
        if !self.kept {
            None
        } else if first.is_none() && page.next.is_none() {
            Some("it leads to the end at once")
        } else if self.position.sorted && first.is_some_and(|first| self.position.last.as_ref() >= Some(first)) {
            Some("it leads back to what is listed")
        } else {
            None
        }
    }

    /// Takes the page that [`Lister::request`] asked for and gives back its keys, but for those seen before.
    ///
    /// # Errors
    /// [`ListingError`], if the page has a key that is not under the prefix, if the listing would not end, or names are being
    /// skipped and do not come sorted.
    pub(crate) fn accept(&mut self, page: Page) -> Result<Vec<ListedKey>, ListingError> {
        let prefix = self.prefixes.get(self.position.prefix).unwrap_or_default();
        if let Some(foreign) = page.keys.iter().find(|key| !key.name.starts_with(prefix)) {
            return Err(ListingError::Foreign { name: foreign.name.clone(), prefix: prefix.to_owned() });
        }
        self.kept = false;
        if page.next.as_ref().is_some_and(|next| !self.cursors.insert(next.as_str())) {
            return Err(ListingError::RepeatedCursor);
        }
        let mut keys = Vec::with_capacity(page.keys.len());
        let mut repeats_all = !page.keys.is_empty();
        for key in page.keys {
            if !self.names.insert(&key.name) && self.seen.is_none() {
                continue;
            }
            repeats_all = false;
            self.position.sorted &= self.position.last.as_ref().is_none_or(|last| *last < key.name);
            if self.seen.is_some() && !self.position.sorted {
                return Err(ListingError::Unordered);
            }
            self.position.last = Some(key.name.clone());
            if self.seen.as_ref().is_none_or(|seen| *seen < key.name) {
                self.seen = None;
                keys.push(key);
            }
        }
        if repeats_all {
            return Err(ListingError::RepeatedPage);
        }
        self.position.cursor = page.next;
        if self.position.cursor.is_none() {
            (self.seen, self.names, self.cursors) = (None, KeySet::new(), KeySet::new());
            self.position = Position { prefix: self.position.prefix + 1, ..Position::default() };
        }
        Ok(keys)
    }

    /// The server refused the cursor, or [started over](Lister::cursor_was_reset): the prefix starts over, and names up to the
    /// last one are skipped. Cursors say nothing of where they stand, so there is no other way on.
    ///
    /// # Errors
    /// [`ListingError::Unordered`], if it is unknown which names those are, or if the cursor was lost again
    /// before one new name came.
    pub(crate) fn cursor_lost(&mut self) -> Result<(), ListingError> {
        if self.seen.is_some() || !self.position.sorted {
            return Err(ListingError::Unordered);
        }
        self.kept = false;
        self.cursors = KeySet::new();
        self.position.cursor = None;
        self.seen = self.position.last.take();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A server of sorted names, three a page; the cursor is the last name.
    fn page(names: &[String], request: &PageRequest) -> Page {
        let after = request.cursor.as_ref().map(Cursor::as_str);
        let under = names.iter().filter(|name| name.starts_with(&request.prefix));
        let mut rest = under.filter(|name| after.is_none_or(|after| name.as_str() > after));
        let keys: Vec<_> = rest.by_ref().take(3).map(ListedKey::new).collect();
        let more = rest.next().is_some();
        Page {
            next: keys.last().filter(|_| more).and_then(|last| Cursor::new(&last.name)),
            keys,
            rate_limits: Vec::new(),
        }
    }

    #[test]
    fn a_key_that_is_not_under_the_prefix_ends_the_listing() {
        let mut lister = Lister::new(Prefixes::new(vec!["tmp:".to_owned()]), Position::default());
        let page = |names: [&str; 2]| Page {
            keys: names.map(ListedKey::new).into(),
            next: Cursor::new("more"),
            rate_limits: Vec::new(),
        };
        assert_eq!(lister.accept(page(["tmp:a", "tmp:b"])).unwrap().len(), 2);
        let error = lister.accept(page(["tmp:c", "user"])).unwrap_err();
        let text = r#"the server listed the key "user", which does not begin with the requested prefix "tmp:""#;
        assert_eq!(error.to_string(), text);
    }

    proptest! {
        #[test]
        fn from_any_cut_and_with_any_lost_cursor_every_name_comes_once(
            names in prop::collection::btree_set("[abc]{1,4}", 0..40),
            prefixes in prop::collection::vec("[abc]{0,2}", 0..4),
            faults in prop::collection::vec(0..8_u8, 0..40),
        ) {
            let names: Vec<String> = names.into_iter().collect();
            let prefixes = Prefixes::new(prefixes);
            let mut lister = Lister::new(prefixes.clone(), Position::default());
            let (mut listed, mut faults) = (Vec::new(), faults.into_iter());
            while let Some(request) = lister.request() {
                match faults.next() {
                    // Killed: what is kept goes through JSON.
                    Some(0) => {
                        let kept = serde_json::to_string(&lister.position()).unwrap();
                        lister = Lister::new(prefixes.clone(), serde_json::from_str(&kept).unwrap());
                    }
                    Some(1) if request.cursor.is_some() && lister.seen.is_none() => lister.cursor_lost().unwrap(),
                    // A kept cursor is not understood: the first page of all, or the end.
                    Some(2) if lister.kept => {
                        let page = page(&names, &PageRequest { cursor: None, ..request });
                        assert_eq!(lister.cursor_was_reset(&page), Some("it leads back to what is listed"));
                        lister.cursor_lost().unwrap();
                    }
                    Some(3) if lister.kept => {
                        let end = Page { keys: Vec::new(), next: None, rate_limits: Vec::new() };
                        assert_eq!(lister.cursor_was_reset(&end), Some("it leads to the end at once"));
                        lister.cursor_lost().unwrap();
                    }
                    _ => {
                        let page = page(&names, &request);
                        assert_eq!(lister.cursor_was_reset(&page), None);
                        listed.extend(lister.accept(page).unwrap());
                    }
                }
            }
            let mut listed: Vec<String> = listed.into_iter().map(|key| key.name).collect();
            listed.sort();
            let wanted: Vec<String> = names.into_iter()
                .filter(|name| (0..).map_while(|index| prefixes.get(index)).any(|prefix| name.starts_with(prefix)))
                .collect();
            prop_assert_eq!(listed, wanted);
        }
    }

    #[test]
    fn only_a_kept_cursor_of_sorted_names_can_be_seen_to_lead_back() {
        let page = |name| Page { keys: vec![ListedKey::new(name)], next: Cursor::new("more"), rate_limits: Vec::new() };
        let position = |sorted| Position { cursor: Cursor::new("kept"), last: Some("b".into()), sorted, prefix: 0 };
        let lister = |sorted| Lister::new(Prefixes::new(Vec::new()), position(sorted));
        for (name, cursor_was_reset) in [("a", true), ("b", true), ("c", false)] {
            assert_eq!(lister(true).cursor_was_reset(&page(name)).is_some(), cursor_was_reset, "{name}");
            assert_eq!(lister(false).cursor_was_reset(&page(name)), None, "{name}");
        }
        // There may be more after an empty page.
        assert_eq!(lister(true).cursor_was_reset(&Page { keys: Vec::new(), ..page("a") }), None);
        let mut going_on = lister(true);
        going_on.accept(page("c")).unwrap();
        assert_eq!(going_on.cursor_was_reset(&page("a")), None, "a cursor of this run is the server's own");
    }

    fn page_of(names: &[&str], next: &str) -> Page {
        Page {
            keys: names.iter().map(|&name| ListedKey::new(name)).collect(),
            next: Cursor::new(next),
            rate_limits: Vec::new(),
        }
    }

    fn accepted(pages: &[(&[&str], &str)]) -> Result<Vec<String>, ListingError> {
        let mut lister = Lister::new(Prefixes::new(Vec::new()), Position::default());
        let mut names = Vec::new();
        for (keys, next) in pages {
            names.extend(lister.accept(page_of(keys, next))?.into_iter().map(|key| key.name));
        }
        Ok(names)
    }

    #[test]
    fn a_listing_that_goes_round_is_an_error() {
        use ListingError::{RepeatedCursor, RepeatedPage};
        for pages in [
            &[(&["a"][..], "1"), (&["b"], "1")][..],
            &[(&["a"], "1"), (&["b"], "2"), (&["c"], "1")],
            &[(&["a"], "1"), (&["b"], "2"), (&["c"], "3"), (&["d"], "1")],
            &[(&["a"], "1"), (&[], "2"), (&[], "1")],
        ] {
            assert_eq!(accepted(pages), Err(RepeatedCursor), "{pages:?}");
        }
        for pages in [
            &[(&["a", "b"][..], "1"), (&["a", "b"], "2")][..],
            &[(&["a", "b"], "1"), (&["b"], "2")],
            &[(&["a"], "1"), (&["b"], "2"), (&["b", "a"], "3")],
            &[(&["b"], "1"), (&["a"], "2"), (&["b"], "")],
        ] {
            assert_eq!(accepted(pages), Err(RepeatedPage), "{pages:?}");
        }
    }

    #[test]
    fn a_repeated_key_is_listed_once_and_empty_pages_are_passed() {
        let pages = [(&["a", "b"][..], "1"), (&[], "2"), (&[], "3"), (&["b", "b", "c"], "4"), (&["a", "0", "d"], "")];
        assert_eq!(accepted(&pages), Ok(["a", "b", "c", "0", "d"].map(str::to_owned).to_vec()));
    }

    #[test]
    fn names_that_do_not_come_sorted_cannot_be_skipped() {
        let page = |names: &[&str]| Page {
            keys: names.iter().map(|&name| ListedKey::new(name)).collect(),
            next: Cursor::new("more"),
            rate_limits: Vec::new(),
        };
        let start = || Lister::new(Prefixes::new(Vec::new()), Position::default());
        let mut lister = start();
        lister.accept(page(&["b", "a"])).unwrap();
        assert_eq!(lister.cursor_lost(), Err(ListingError::Unordered));
        let mut lister = start();
        lister.accept(page(&["a", "c"])).unwrap();
        lister.cursor_lost().unwrap();
        assert_eq!(lister.cursor_lost(), Err(ListingError::Unordered), "lost again before anything new came");
        assert_eq!(lister.accept(page(&["b", "a"])), Err(ListingError::Unordered));
    }
}
