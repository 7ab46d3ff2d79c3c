//! Records that come in pages, as from a listing.

use kvsweep::internals::{Cursor, Failure, Page, PageRequest, Pages, Record};
use kvsweep::{Stop, StopReason};

/// What the server answers for a page holds no keys; they come from here.
#[derive(Debug)]
pub(crate) struct Book {
    /// Their records; none for a page that is no page.
    pages: Vec<Option<Vec<Record>>>,
    at: usize,
    /// How many refusals are forgiven: the page is asked for again.
    forgives: usize,
}

impl Book {
    /// Pages of `size` records, which break off after so many.
    pub(crate) fn new(records: &[Record], size: usize, breaks: Option<usize>) -> Self {
        let broken_page = breaks.filter(|after| *after < records.len()).map(|after| after / size);
        let pages = records.chunks(size).map(<[_]>::to_vec).enumerate();
        let pages = pages.map(|(nth, page)| (Some(nth) != broken_page).then_some(page)).collect();
        Self { pages, at: 0, forgives: 2 }
    }
}

/// The number of a page that is asked for.
pub(crate) fn number_of(request: &PageRequest) -> usize {
    request.cursor.as_ref().and_then(|cursor| cursor.as_str().parse().ok()).expect("a cursor of a book")
}

impl Pages for Book {
    fn request(&self) -> Option<PageRequest> {
        let cursor = (self.at < self.pages.len()).then(|| Cursor::new(&self.at.to_string()))?;
        Some(PageRequest { prefix: String::new(), cursor })
    }

    fn accept(&mut self, _page: Page) -> Result<Vec<Record>, Stop> {
        self.at += 1;
        let page = self.pages[self.at - 1].take();
        page.ok_or_else(|| Stop::new(StopReason::InputError, "the listing breaks"))
    }

    fn refused(&mut self, failure: &Failure) -> Result<(), Stop> {
        let why = failure.to_string();
        self.forgives = self.forgives.checked_sub(1).ok_or_else(|| Stop::new(StopReason::NamespaceNotFound, why))?;
        Ok(())
    }
}
