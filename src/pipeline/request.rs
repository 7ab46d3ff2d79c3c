//! The requests that the pipeline has sent, and their responses: all that it knows of the API.

use std::sync::Arc;

use crate::api::answer::Reply;
use crate::api::{BulkReply, Metadata, Page, PageRequest, Presence};
use crate::key::KeyName;
use crate::record::Pair;

/// A request that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Delete(KeyName),
    DeleteMany(Vec<KeyName>),
    /// Read which of these keys exist.
    Presence(Vec<KeyName>),
    /// Read the metadata of this key, which is to be backed up and then deleted.
    Metadata(KeyName),
    /// Read the value of this key, and store it with its metadata on the disk.
    BackUp(KeyName, Option<Metadata>),
    /// Write these pairs with one call.
    PutMany(Vec<Arc<Pair>>),
    /// Read what a key holds, and compare it with what was to be written.
    Compare(Arc<Pair>, Subject),
    /// Request the namespace, to see whether the server is up.
    Namespace,
    /// Request a page of keys.
    Page(PageRequest),
}

/// What of a key is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Its value and its expiration.
    Value,
    Metadata,
}

/// The response to a [`Request`].
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// The reply to [`Request::Delete`].
    Delete(Reply),
    /// The reply to [`Request::DeleteMany`].
    DeleteMany(BulkReply),
    /// The reply to [`Request::Presence`]; if it is a success, with whether each key exists, in their order.
    Presence(Reply, Vec<Presence>),
    /// The reply to [`Request::Metadata`]; if it is a success, with the metadata that the key has.
    Metadata(Reply, Option<Metadata>),
    /// The reply to [`Request::BackUp`]; a success means that the backup is on the disk. `Err` says why no backup can be
    /// written any more.
    BackedUp(Result<Reply, String>),
    /// The reply to [`Request::PutMany`].
    PutMany(BulkReply),
    /// The reply to [`Request::Compare`]; if it is a success, with whether both are the same.
    Compared(Reply, bool),
    /// The reply to [`Request::Namespace`], unless it was found.
    Namespace(Result<(), Reply>),
    /// The page that [`Request::Page`] requested, or the reply without one.
    Page(Result<Page, Reply>),
}
