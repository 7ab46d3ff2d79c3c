//! What the pipeline asks the outside to send, and what comes back: the only words that it has for the API.

use crate::api::answer::Reply;
use crate::api::{BulkReply, Page, PageRequest};
use crate::key::KeyName;

/// A request that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Delete this key.
    Delete(KeyName),
    /// Delete these keys with one call.
    DeleteMany(Vec<KeyName>),
    /// Ask for the namespace, to see whether the server is up.
    Namespace,
    /// Ask for a page of keys.
    Page(PageRequest),
}

/// What came of a [`Request`].
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// The reply to [`Request::Delete`].
    Delete(Reply),
    /// The reply to [`Request::DeleteMany`].
    DeleteMany(BulkReply),
    /// The reply to [`Request::Namespace`], unless it was there.
    Namespace(Result<(), Reply>),
    /// The page that [`Request::Page`] asked for, or what came instead.
    Page(Result<Page, Reply>),
}
