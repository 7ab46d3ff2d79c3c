//! Carries out what the pipeline asks for, one request each.

use std::sync::Arc;

use hyper::body::Bytes;

use crate::api::answer::Reply;
use crate::api::{Client, Metadata, Value};
use crate::backup::{Backup, BackupRecord};
use crate::key::KeyName;
use crate::pipeline::{Request, Response, Subject};
use crate::record::Pair;

/// What requests are made with. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Executor {
    /// None where nothing has to be sent.
    pub(super) client: Option<Client>,
    /// None where nothing is backed up.
    pub(super) backup: Option<Backup>,
}

impl Executor {
    pub(super) async fn execute(self, request: Request) -> Response {
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
                let Some(backup) = &self.backup else {
                    return Response::BackedUp(Err("no backup was opened".to_owned()));
                };
                Response::BackedUp(Box::pin(back_up(client, backup, key, metadata)).await)
            }
            Request::PutMany(pairs) => {
                let keys: Vec<_> = pairs.iter().map(|pair| pair.key.clone()).collect();
                Response::PutMany(Box::pin(client.put_many(&keys, array(&pairs))).await)
            }
            Request::Compare(pair, subject) => {
                let (reply, is_same) = Box::pin(compare(client, &pair, subject)).await;
                Response::Compared(reply, is_same)
            }
            Request::Namespace => Response::Namespace(Box::pin(client.namespace()).await.map(drop)),
            Request::Page(request) => Response::Page(Box::pin(client.page(&request)).await),
        }
    }
}

/// Reads a value and keeps it; a success says that it is on the disk. `Err` says why no backup can be written.
async fn back_up(client: &Client, backup: &Backup, key: KeyName, metadata: Option<Metadata>) -> Result<Reply, String> {
    let (reply, value) = client.value(&key).await;
    if let Some(value) = value {
        backup.store(BackupRecord { key, value, metadata, expiration_ttl: None }).await?;
    }
    Ok(reply)
}

fn array(pairs: &[Arc<Pair>]) -> Bytes {
    let mut array = Vec::with_capacity(pairs.iter().map(|pair| pair.json.len() + 1).sum::<usize>() + 1);
    for pair in pairs {
        array.push(if array.is_empty() { b'[' } else { b',' });
        array.extend_from_slice(&pair.json);
    }
    array.push(b']');
    array.into()
}

/// Whether a key holds what is to be written; said of nothing but a success.
async fn compare(client: &Client, pair: &Pair, subject: Subject) -> (Reply, bool) {
    // What cannot be read is another value.
    let wanted = BackupRecord::read(&pair.json).ok();
    match subject {
        Subject::Value => {
            let (reply, held) = client.value(&pair.key).await;
            let parts = |value: &Value| (value.bytes.clone(), value.expiration);
            let wanted = wanted.map(|record| parts(&record.value));
            let is_same = held.is_some_and(|held| Some(parts(&held)) == wanted);
            (reply, is_same)
        }
        Subject::Metadata => {
            let (reply, held) = client.metadata(&pair.key).await;
            let is_same = wanted.is_some_and(|record| is_same(held.as_ref(), record.metadata.as_ref()));
            (reply, is_same)
        }
    }
}

/// Whether two metadata are one, however they are written.
fn is_same(one: Option<&Metadata>, other: Option<&Metadata>) -> bool {
    let text = |metadata: Option<&Metadata>| metadata.map_or("null", Metadata::as_json).to_owned();
    let (one, other) = (text(one), text(other));
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    one == other || parsed(&one).is_some_and(|one| Some(one) == parsed(&other))
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn metadata_is_compared_by_what_it_means() {
        let metadata = |json: &str| Metadata::new(&serde_json::from_str::<Box<RawValue>>(json).unwrap());
        let same = |one, other| is_same(metadata(one).as_ref(), metadata(other).as_ref());
        for (one, other) in [("null", "null"), ("{\"a\":1,\"b\":2}", "{\"b\": 2, \"a\": 1}"), ("[1e400]", "[1e400]")] {
            assert!(same(one, other), "{one} {other}");
        }
        for (one, other) in [("null", "0"), ("1", "\"1\""), ("[1,2]", "[2,1]"), ("1e400", "1e401"), ("{}", "null")] {
            assert!(!same(one, other), "{one} {other}");
        }
    }
}
