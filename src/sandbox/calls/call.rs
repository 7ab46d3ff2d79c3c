//! A call, whole, and what it came to.

use hyper::Request;
use serde::de::DeserializeOwned;

use super::payload::Payload;
use crate::sandbox::answer::Problem;
use crate::sandbox::answer::Response;
use crate::sandbox::fault::BulkResult;
use crate::sandbox::route::Target;

/// What a call came to.
pub(in crate::sandbox) struct Done {
    pub(in crate::sandbox) response: Response,
    /// Whether something changed in the store.
    pub(in crate::sandbox) changed: bool,
}

impl Done {
    pub(super) fn unchanged(response: Response) -> Self {
        Self { response, changed: false }
    }
}

/// What is asked for, whole.
pub(in crate::sandbox) struct Call<'a> {
    pub(in crate::sandbox) head: &'a Request<()>,
    pub(in crate::sandbox) target: &'a Target<'a>,
    pub(in crate::sandbox) payload: Payload,
    /// Names that a bulk call is not to process, and how it responds.
    pub(in crate::sandbox) unprocessed: Option<(BulkResult, &'a [String])>,
}

impl Call<'_> {
    pub(super) fn query<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let query = self.head.uri().query().unwrap_or_default();
        serde_urlencoded::from_str(query)
            .map_err(|error| Problem::malformed(format!("could not parse the query: {error}")))
    }
}
