//! What an earlier run wrote and had no time to report is told from what somebody else wrote since.

use crate::api::Metadata;
use crate::api::answer::{Answer, Reply};
use crate::backup::BackupRecord;
use crate::pipeline::call::CallError;

use super::Run;
use super::records::Item;

/// What is there now under the name of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// Just what the record holds.
    Same,
    /// Something else.
    Other,
    /// Nothing.
    Nothing,
}

impl Run<'_> {
    /// Compares what is there with the record: its value and expiration, then its metadata, one request each.
    pub(super) async fn compare(&mut self, item: &Item) -> Result<Held, CallError> {
        let (Some(client), Ok(entry)) = (self.client.clone(), BackupRecord::read(&item.json)) else {
            return Ok(Held::Other);
        };
        let value = self.call_with_retry(async || {
            let (reply, value) = client.value(&item.key).await;
            known(reply).map(|()| value)
        });
        let Some(value) = value.await? else { return Ok(Held::Nothing) };
        if (&value.bytes, value.expiration) != (&entry.value.bytes, entry.value.expiration) {
            return Ok(Held::Other);
        }
        drop(value);
        let metadata = self.call_with_retry(async || {
            let (reply, metadata) = client.metadata(&item.key).await;
            let there = reply.answer == Answer::Success;
            known(reply).map(|()| there.then_some(metadata))
        });
        Ok(match metadata.await? {
            None => Held::Nothing,
            Some(metadata) if is_same(metadata.as_ref(), entry.metadata.as_ref()) => Held::Same,
            Some(_) => Held::Other,
        })
    }
}

/// Whether the answer says what is there, be it nothing.
fn known(reply: Reply) -> Result<(), Reply> {
    match reply.answer {
        Answer::Success | Answer::Absent(_) => Ok(()),
        _ => Err(reply),
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
