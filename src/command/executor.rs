//! Carries out what the pipeline asks for, one request each.

use crate::api::answer::Reply;
use crate::api::{Client, Metadata};
use crate::backup::{Backup, BackupRecord};
use crate::key::KeyName;
use crate::pipeline::{Request, Response};

/// Where values go before their keys are deleted.
#[derive(Debug, Clone)]
pub(super) struct BackupSink {
    backup: Backup,
}

impl BackupSink {
    pub(super) fn new(backup: Backup) -> Self {
        Self { backup }
    }

    /// Reads a value and keeps it; a success says that it is on the disk. `Err` says why no backup can be written.
    async fn back_up(&self, client: &Client, key: KeyName, metadata: Option<Metadata>) -> Result<Reply, String> {
        let (reply, value) = client.value(&key).await;
        if let Some(value) = value {
            self.backup.store(BackupRecord { key, value, metadata, expiration_ttl: None }).await?;
        }
        Ok(reply)
    }
}

/// What requests are made with. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Executor {
    /// None where nothing has to be sent.
    pub(super) client: Option<Client>,
    /// None where nothing is backed up.
    pub(super) backup_sink: Option<BackupSink>,
}

impl Executor {
    /// Sends one request of the pipeline.
    pub(super) async fn answer(self, request: Request) -> Response {
        let Some(client) = &self.client else { return Response::Namespace(Ok(())) };
        match request {
            // The loop keeps and moves these futures; in boxes they are small. The usual one is the one that counts.
            Request::Delete(key) => Response::Delete(Box::pin(client.delete(&key)).await),
            Request::DeleteMany(keys) => Response::DeleteMany(Box::pin(client.delete_many(&keys)).await),
            Request::Presence(keys) => {
                let (reply, found) = Box::pin(client.presence(&keys)).await;
                Response::Presence(reply, found)
            }
            Request::Metadata(key) => {
                let (reply, metadata) = Box::pin(client.metadata(&key)).await;
                Response::Metadata(reply, metadata)
            }
            Request::BackUp(key, metadata) => {
                let Some(backup_sink) = &self.backup_sink else {
                    return Response::BackedUp(Err("no backup was opened".to_owned()));
                };
                Response::BackedUp(Box::pin(backup_sink.back_up(client, key, metadata)).await)
            }
            Request::Namespace => Response::Namespace(Box::pin(client.namespace()).await.map(drop)),
            Request::Page(request) => Response::Page(Box::pin(client.page(&request)).await),
        }
    }
}
