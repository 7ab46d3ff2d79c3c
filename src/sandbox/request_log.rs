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

/// The entries, where they are kept.
pub(super) struct RequestLog {
    entries: Option<Mutex<Vec<Entry>>>,
}

/// Where a request stands in the request log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line(usize);

impl RequestLog {
    pub(super) fn kept() -> Self {
        Self { entries: Some(Mutex::default()) }
    }

    pub(super) fn not_kept() -> Self {
        Self { entries: None }
    }

    /// Writes down what `entry` makes; it is not asked where no request log is kept.
    pub(super) fn open(&self, entry: impl FnOnce() -> Entry) -> Option<Line> {
        let mut entries = locked(self.entries.as_ref()?);
        entries.push(entry());
        Some(Line(entries.len() - 1))
    }

    /// Changes a line that is open.
    pub(super) fn amend(&self, line: Option<Line>, change: impl FnOnce(&mut Entry)) {
        if let (Some(entries), Some(Line(index))) = (&self.entries, line)
            && let Some(entry) = locked(entries).get_mut(index)
        {
            change(entry);
        }
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        self.entries.as_ref().map_or_else(Vec::new, |entries| locked(entries).clone())
    }
}
