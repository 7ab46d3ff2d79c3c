//! Requests that were refused as if the whole job was, and the request for the namespace that decides about them.

use crate::api::answer::Fatal;
use crate::pipeline::attempt::Attempt;
use crate::pipeline::retry::Failure;
use crate::pipeline::task::{KeyTask, Sent};

#[derive(Debug, Default)]
pub(crate) struct AccessCheck {
    pub(crate) suspended: Vec<Suspended>,
    /// Whether the request for the namespace is in flight.
    pub(crate) sent: bool,
    /// Requests for the namespace since a request was refused.
    pub(crate) attempt: Attempt,
    /// Keys that were refused like that when they were to be read, and to be deleted.
    pub(crate) denied: [u64; 2],
    /// Whether any key was read.
    pub(crate) has_read: bool,
}

#[derive(Debug)]
pub(crate) struct Suspended {
    /// Keys, or a page.
    pub(crate) sent: Sent,
    pub(crate) fatal: Fatal,
    pub(crate) failure: Failure,
}

impl AccessCheck {
    pub(crate) fn take_keys(&mut self) -> Vec<KeyTask> {
        let suspended = std::mem::take(&mut self.suspended);
        let keys = suspended.into_iter().map(|suspended| match suspended.sent {
            Sent::Keys(keys) => keys,
            Sent::Page | Sent::Namespace { .. } => Vec::new(),
        });
        keys.flatten().collect()
    }
}
