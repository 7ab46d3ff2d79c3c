//! Records that come in pages, each of which has to be requested.

use std::fmt::Debug;

use crate::api::{Page, PageRequest};
use crate::outcome::Stop;
use crate::pipeline::attempt::Attempt;
use crate::pipeline::retry::Failure;
use crate::record::Record;

/// Where the records of a job come from that are not read but requested. It sends nothing itself: its requests go out
/// among those for keys, one at a time.
pub trait Pages: Debug {
    /// The page to request; `None` once all of them came.
    fn request(&self) -> Option<PageRequest>;

    /// The requested page came: its records.
    ///
    /// # Errors
    /// Why there cannot be any more. What came before is finished.
    fn accept(&mut self, page: Page) -> Result<Vec<Record>, Stop>;

    /// The server refused the page for good; without an error another one can be requested.
    ///
    /// # Errors
    /// As [`Pages::accept`].
    fn refused(&mut self, failure: &Failure) -> Result<(), Stop>;
}

/// The pages of a job, and the attempts at the next one.
#[derive(Debug)]
pub(crate) struct PageFetch {
    pub(crate) pages: Box<dyn Pages>,
    /// Whether a request is in flight.
    pub(crate) in_flight: bool,
    /// The requests for the next page.
    pub(crate) attempt: Attempt,
}
