//! Which keys are there, and writes by the thousand: what is sent, and what its answers lead to.

use std::collections::HashSet;

use bytes::Bytes;
use tokio::time::sleep;

use super::Run;
use super::comparing::Held;
use super::expiry::{expiry, unix_now};
use super::records::Item;
use crate::api::answer::{Answer, Reply};
use crate::api::{Accounting, BulkReply, Presence};
use crate::files::IfExists;
use crate::key::KeyName;
use crate::outcome::{Detail, Status, Stop};
use crate::pipeline::call::CallError;
use crate::pipeline::retry::Failure;

/// The most bytes of a bulk write, of the 100 megabytes that the API takes; a single record may be larger.
pub(super) const PUT_BYTES: usize = 50_000_000;

impl Run<'_> {
    /// Those that may be written: the keys that are not there, or all of them where they may be written over.
    pub(super) async fn absent(&mut self, items: Vec<Item>) -> Result<Vec<Item>, Stop> {
        if self.job.overwrite_values {
            return Ok(items);
        }
        let Some(client) = self.client.clone() else { return Ok(Vec::new()) };
        let (mut absent, mut parts) = (Vec::with_capacity(items.len()), vec![items]);
        while let Some(mut part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            let keys: Vec<KeyName> = part.iter().map(|item| item.key.clone()).collect();
            let before = self.caller.totals.requests;
            let presence = self.call_with_retry(async || match client.presence(&keys).await {
                (Reply { answer: Answer::Success, .. }, found) => Ok(found),
                (reply, _) => Err(reply),
            });
            let presence = presence.await;
            self.count_attempts(&mut part, before);
            match presence {
                Ok(presence) => {
                    for (item, presence) in part.into_iter().zip(presence) {
                        match presence {
                            Presence::Absent => absent.push(item),
                            Presence::Unknown => parts.push(vec![item]),
                            Presence::Present => absent.extend(self.on_there(item).await?),
                        }
                    }
                }
                Err(CallError::Stop(stop)) => return Err(stop),
                Err(CallError::Refused(_)) if part.len() > 1 => parts.extend(halves(part)),
                Err(CallError::Refused(failure)) => {
                    for item in part {
                        self.settle(item, Status::Failed, Some(not_seen(&failure, "whether the key is there"))).await?;
                    }
                }
            }
        }
        Ok(absent)
    }

    /// What becomes of a record whose key is there: it is left alone, but where it may be what an earlier run wrote it is
    /// compared. Returned where it is gone by now.
    async fn on_there(&mut self, mut item: Item) -> Result<Option<Item>, Stop> {
        if self.job.existing != IfExists::Resume {
            return self.settle(item, Status::Kept, Some(is_there())).await.map(|()| None);
        }
        let before = self.caller.totals.requests;
        let held = self.compare(&item).await;
        self.count_attempts(std::slice::from_mut(&mut item), before);
        let (status, failure) = match held {
            Ok(Held::Nothing) => return Ok(Some(item)),
            Ok(Held::Same) => {
                (Status::Restored, Failure::unanswered("it was there, just as the backup has it".to_owned()))
            }
            Ok(Held::Other) => (Status::Kept, is_there()),
            Err(CallError::Stop(stop)) => return Err(stop),
            Err(CallError::Refused(failure)) => (Status::Failed, not_seen(&failure, "what the key holds")),
        };
        self.settle(item, status, Some(failure)).await.map(|()| None)
    }

    /// Writes them, in as many requests as it takes.
    pub(super) async fn put(&mut self, items: Vec<Item>) -> Result<(), Stop> {
        let Some(client) = self.client.clone() else { return Ok(()) };
        // With how often they were left unwritten.
        let mut parts: Vec<(Vec<Item>, u32)> = parcels(items).into_iter().map(|part| (part, 0)).collect();
        while let Some((part, rounds)) = parts.pop() {
            let mut part = self.without_expired(part).await?;
            if part.is_empty() {
                continue;
            }
            let keys: Vec<KeyName> = part.iter().map(|item| item.key.clone()).collect();
            let body = array(&part);
            let before = self.caller.totals.requests;
            self.in_flight = part;
            let written = self.call_with_retry(|| async {
                match client.put_many(&keys, body.clone()).await {
                    BulkReply { reply, accounting: Accounting::Complete { unprocessed } }
                        if unprocessed.len() < keys.len() || is_about_keys(&reply.answer) =>
                    {
                        Ok((reply, unprocessed))
                    }
                    BulkReply { reply, .. } => Err(reply),
                }
            });
            let written = written.await;
            part = std::mem::take(&mut self.in_flight);
            self.count_attempts(&mut part, before);
            match written {
                Ok((reply, unprocessed)) => {
                    let unprocessed: HashSet<&str> = unprocessed.iter().map(|name| &**name).collect();
                    // A pause that the server asks for costs no retry.
                    let (pause, rounds) = match reply.answer {
                        Answer::Throttled { pause, .. } => {
                            self.caller.totals.throttled += 1;
                            (pause.map(|pause| pause.min(self.job.options.max_wait)), rounds)
                        }
                        _ => (None, rounds + 1),
                    };
                    let mut again = Vec::new();
                    for item in part {
                        if !unprocessed.contains(item.key.as_str()) {
                            self.settle_with(item, Status::Restored, reply.http_status, None).await?;
                        } else if rounds <= self.job.options.retry.retries {
                            again.push(item);
                        } else {
                            self.settle(item, Status::Failed, Some(not_written(&reply))).await?;
                        }
                    }
                    if !again.is_empty() {
                        let backoff = self.job.options.retry.backoff(rounds.saturating_sub(1), &mut self.caller.rng);
                        sleep(pause.unwrap_or(backoff)).await;
                        parts.push((again, rounds));
                    }
                }
                Err(CallError::Stop(stop)) => {
                    // None of its responses accounted for the keys.
                    if self.caller.totals.requests > before {
                        for item in part {
                            self.settle(item, Status::Unknown, Some(Failure::unanswered(stop.why.clone()))).await?;
                        }
                    }
                    return Err(stop);
                }
                Err(CallError::Refused(_)) if part.len() > 1 => {
                    parts.extend(halves(part).into_iter().map(|half| (half, rounds)));
                }
                Err(CallError::Refused(failure)) => {
                    for item in part {
                        self.settle(item, Status::Unknown, Some(failure.clone())).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Those that live long enough to be written.
    async fn without_expired(&mut self, items: Vec<Item>) -> Result<Vec<Item>, Stop> {
        let now = unix_now();
        let (good, expired): (Vec<_>, Vec<_>) =
            items.into_iter().partition(|item| expiry(item.expiration, now).is_none());
        for item in expired {
            let why = expiry(item.expiration, now).unwrap_or_default();
            self.settle(item, Status::Invalid, Some(Failure::unanswered(why))).await?;
        }
        Ok(good)
    }
}

/// Whether another request for the keys that were not processed may succeed, with no more than the usual wait.
fn is_about_keys(answer: &Answer) -> bool {
    match answer {
        Answer::Success | Answer::Absent(_) | Answer::Refused(_) | Answer::Transient(_) => true,
        Answer::Throttled { .. } | Answer::DailyLimit(_) | Answer::Fatal(..) | Answer::ConnectionClosed { .. } => false,
    }
}

/// The server named the key in `unsuccessful_keys`.
fn not_written(reply: &Reply) -> Failure {
    let error = "the bulk call did not write this key (unsuccessful_keys)";
    let refusal = reply.answer.refusal();
    let error = refusal.map_or(error.to_owned(), |refusal| format!("{error}: {}", refusal.message));
    let failure = Failure::unanswered(error);
    let error_code = refusal.and_then(|refusal| refusal.code);
    Failure { http_status: reply.http_status, detail: Detail { error_code, ..failure.detail }, ..failure }
}

fn not_seen(failure: &Failure, what: &str) -> Failure {
    let error = format!("not restored, because it cannot be seen {what}: {}", failure.detail.error);
    Failure { detail: Detail { error, ..failure.detail }, ..failure.clone() }
}

fn is_there() -> Failure {
    let why = "the key exists, and restore overwrites it only with --overwrite-values";
    Failure::unanswered(why.to_owned())
}

fn halves(mut items: Vec<Item>) -> [Vec<Item>; 2] {
    let second = items.split_off(items.len() / 2);
    [items, second]
}

/// Items for one request each.
fn parcels(items: Vec<Item>) -> Vec<Vec<Item>> {
    let (mut parcels, mut bytes) = (Vec::new(), usize::MAX);
    for item in items {
        if bytes.saturating_add(item.json.len()) > PUT_BYTES {
            parcels.push(Vec::new());
            bytes = 0;
        }
        bytes += item.json.len() + 1;
        if let Some(parcel) = parcels.last_mut() {
            parcel.push(item);
        }
    }
    parcels
}

/// The JSON array of their records.
fn array(items: &[Item]) -> Bytes {
    let mut array = Vec::with_capacity(items.iter().map(|item| item.json.len() + 1).sum::<usize>() + 2);
    array.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            array.push(b',');
        }
        array.extend_from_slice(&item.json);
    }
    array.push(b']');
    array.into()
}
