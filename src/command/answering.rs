//! Carries out what the pipeline asks for, one request each.

use crate::api::{BulkEndpoint, Client, Room};
use crate::backup::{Backup, Entry};
use crate::pipeline::{Request, Response};

/// The most bytes of large values that are in memory at once.
const ROOM: usize = 128 << 20;

/// Where values go before their keys are deleted.
#[derive(Debug, Clone)]
pub(super) struct Keeping {
    backup: Backup,
    room: Room,
}

impl Keeping {
    pub(super) fn new(backup: Backup) -> Self {
        Self { backup, room: Room::new(ROOM) }
    }
}

/// What requests are made with. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Answering {
    /// None where nothing has to be sent.
    pub(super) client: Option<Client>,
    pub(super) bulk_endpoint: BulkEndpoint,
    /// None where nothing is backed up.
    pub(super) keeping: Option<Keeping>,
}

impl Answering {
    /// Sends one request of the pipeline.
    pub(super) async fn answer(self, request: Request) -> Response {
        let Some(client) = &self.client else { return Response::Namespace(Ok(())) };
        match request {
            Request::Delete(key) => Response::Delete(client.delete(&key).await),
            Request::DeleteMany(keys) => Response::DeleteMany(client.delete_many(&keys, self.bulk_endpoint).await),
            Request::Metadata(key) => {
                let (reply, metadata) = client.metadata(&key).await;
                Response::Metadata(reply, metadata)
            }
            Request::BackUp(key, metadata) => {
                let Some(Keeping { backup, room }) = &self.keeping else {
                    return Response::BackedUp(Err("no backup was opened".to_owned()));
                };
                let (reply, value) = client.value(&key, room).await;
                if let Some(value) = value
                    && let Err(why) = backup.keep(Entry { key, value, metadata }).await
                {
                    return Response::BackedUp(Err(why));
                }
                Response::BackedUp(Ok(reply))
            }
            Request::Namespace => Response::Namespace(client.namespace().await.map(drop)),
        }
    }
}
