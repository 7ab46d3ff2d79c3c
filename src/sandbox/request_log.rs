//! What the server saw, in order of arrival.

use std::sync::Mutex;
use std::time::Duration;

use super::lock::locked;

/// What the server saw of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When its head had arrived, since the server's start.
    pub at: Duration,
    /// The method.
    pub method: String,
    /// The path as it was on the wire: neither decoded nor folded; without the query.
    pub path: String,
    /// The one key that the path named, decoded.
    pub key: Option<String>,
    /// The answer's status; 0 while there is none, and for ever where the request was dropped or left hanging.
    pub status: u16,
    /// Whether something changed in the store, answered or not: false for deleting what was not there.
    pub applied: bool,
    /// Whether the credentials were accepted.
    pub authorized: bool,
    /// The names that the body carried.
    pub body_keys: Vec<String>,
}

/// The entries, if they are kept.
pub(super) struct RequestLog(Option<Mutex<Vec<Entry>>>);

impl RequestLog {
    pub(super) fn new(is_kept: bool) -> Self {
        Self(is_kept.then(Mutex::default))
    }

    /// Writes down what `entry` makes, which is not asked if no log is kept; where it stands.
    pub(super) fn open(&self, entry: impl FnOnce() -> Entry) -> Option<usize> {
        let mut entries = locked(self.0.as_ref()?);
        entries.push(entry());
        Some(entries.len() - 1)
    }

    pub(super) fn amend(&self, index: Option<usize>, change: impl FnOnce(&mut Entry)) {
        if let (Some(entries), Some(index)) = (&self.0, index)
            && let Some(entry) = locked(entries).get_mut(index)
        {
            change(entry);
        }
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        self.0.as_ref().map_or_else(Vec::new, |entries| locked(entries).clone())
    }
}
