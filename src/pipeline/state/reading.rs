//! What comes before a delete: keys are looked for, many with one request; or they are backed up: their metadata and their
//! value are read, one request each, and kept. Only then does a key come into the queue of deletes.

use std::num::NonZeroU32;
use std::sync::Arc;

use tokio::time::Instant;

use super::State;
use super::reply::{Answered, Proof};
use super::sending::LINGER;
use crate::api::answer::{Answer, Reply, TransientError};
use crate::api::{MAX_GET_KEYS, Presence};
use crate::outcome::{Detail, Status, Stop, StopReason};
use crate::pipeline::batch::{BatchLimit, Batching, KeyQueue};
use crate::pipeline::options::{KeyAction, OnExisting};
use crate::pipeline::request::{Request, Subject};
use crate::pipeline::retry::Failure;
use crate::pipeline::task::{KeyTask, Stage};

/// So many good answers after a refusal, and one key more is looked for with a request.
const GROWS_AFTER: u32 = 8;

/// How many keys are looked for with one request: as many as the API takes, until their values are too much for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct AdaptiveBatchSize {
    pub(super) most: NonZeroU32,
    /// Good answers since that last changed.
    pub(super) good: u32,
}

impl Default for AdaptiveBatchSize {
    fn default() -> Self {
        Self { most: Self::MOST, good: 0 }
    }
}

impl AdaptiveBatchSize {
    #[expect(clippy::cast_possible_truncation, reason = "a hundred")]
    const MOST: NonZeroU32 = NonZeroU32::new(MAX_GET_KEYS as u32).unwrap();

    /// A request for so many keys was refused as a whole; those to come are probably like them.
    fn refused(&mut self, keys: usize) {
        if let Some(half) = u32::try_from(keys / 2).ok().and_then(NonZeroU32::new) {
            *self = Self { most: self.most.min(half), good: 0 };
        }
    }

    fn answered(&mut self) {
        self.good += 1;
        if self.good >= GROWS_AFTER {
            *self = Self { most: self.most.saturating_add(1).min(Self::MOST), good: 0 };
        }
    }
}

/// Which keys the next request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queue {
    /// One that is read before it may be deleted.
    Read,
    Delete,
}

impl State {
    /// A key from the input.
    pub(super) fn accept(&mut self, task: KeyTask) {
        match self.options.action {
            KeyAction::Delete | KeyAction::Plan | KeyAction::Put(OnExisting::Overwrite) => self.ready.push(task),
            KeyAction::Check | KeyAction::CheckThenDelete | KeyAction::Put(_) => {
                self.reads.push(task.advanced(Stage::Presence));
            }
            KeyAction::BackUpThenDelete => self.reads.push(task.advanced(Stage::Metadata)),
        }
    }

    pub(super) fn input_queue(&self) -> &KeyQueue {
        if self.options.action.reads() { &self.reads } else { &self.ready }
    }

    /// The queue that a key of this stage belongs to.
    pub(super) fn queue(&mut self, task: &KeyTask) -> &mut KeyQueue {
        if task.stage.is_read() { &mut self.reads } else { &mut self.ready }
    }

    /// The queue that the next request takes from; otherwise until when to wait, where that is known. Deletes go first, so
    /// that little time passes between reading a value and deleting it.
    pub(super) fn next_queue(&mut self, fresh: u64, now: Instant) -> Result<Queue, Option<Instant>> {
        let may_go = |queue: &KeyQueue| !queue.is_empty() && (fresh != 0 || queue.has_again());
        let mut wait = None;
        if may_go(&self.ready) && !self.waits_for_page(fresh) {
            wait = self.linger_deletes(fresh, now);
            if wait.is_none() {
                return Ok(Queue::Delete);
            }
        }
        if may_go(&self.reads) {
            let linger = self.linger_reads(fresh, now);
            if linger.is_none() {
                return Ok(Queue::Read);
            }
            wait = [wait, linger].into_iter().flatten().min();
        }
        Err(wait)
    }

    /// How many keys one request reads.
    pub(super) fn reading_batching(&self) -> Batching {
        match self.options.action {
            KeyAction::Delete | KeyAction::Plan | KeyAction::BackUpThenDelete => Batching::Single,
            KeyAction::Check | KeyAction::CheckThenDelete | KeyAction::Put(_) => {
                Batching::Bulk(BatchLimit { keys: self.presence_batch.most, bytes: usize::MAX })
            }
        }
    }

    /// Keys that wait to be read; with more, no new ones are taken from the input.
    pub(super) fn most_reads(&self) -> usize {
        let most = 2 * self.options.concurrency;
        if self.reading_batching() == Batching::Single { most } else { most.max(2 * MAX_GET_KEYS) }
    }

    /// Until when a request for many keys waits for more of them, if it does.
    fn linger_reads(&mut self, fresh: u64, now: Instant) -> Option<Instant> {
        if self.reads.is_full(self.reading_batching(), fresh) || !self.wants_more() {
            return None;
        }
        let until = *self.reads_since.get_or_insert(now) + LINGER;
        (now < until).then_some(until)
    }

    /// The keys of the next request.
    pub(super) fn take_from(&mut self, turn: Queue, fresh: u64) -> Vec<KeyTask> {
        match turn {
            Queue::Delete => self.ready.take(self.options.batching, fresh),
            Queue::Read => self.reads.take(self.reading_batching(), fresh),
        }
    }

    pub(super) fn queue_of(&mut self, turn: Queue) -> &mut KeyQueue {
        match turn {
            Queue::Delete => &mut self.ready,
            Queue::Read => &mut self.reads,
        }
    }

    /// The reply to a read; where it was good, the key has come to stage `next`.
    pub(super) fn on_read(&mut self, keys: Answered, reply: &Reply, next: &Stage, now: Instant) {
        if reply.answer != Answer::Success {
            self.on_reply(keys, reply, now);
            return;
        }
        for task in self.on_good_read(keys, reply, now) {
            let task = task.advanced(next.clone());
            self.queue(&task).push_last(task);
        }
    }

    /// The keys of a read that succeeded.
    fn on_good_read(&mut self, keys: Answered, reply: &Reply, now: Instant) -> Vec<KeyTask> {
        let Answered { batch, permit, probe } = keys;
        self.has_read = true;
        self.observe_rate_limits(&reply.rate_limits, &permit, now);
        self.observe_health(&reply.answer, &mut [], true, probe, now);
        self.caller.budget.give_back(permit, now);
        batch
    }

    /// The reply to a look at some keys; where it was good, `found` says what it is of each.
    pub(super) fn on_presence(&mut self, keys: Answered, reply: &Reply, found: &[Presence], now: Instant) {
        if reply.answer != Answer::Success {
            if let Answer::Refused(_) = &reply.answer {
                self.presence_batch.refused(keys.batch.len());
            }
            self.on_reply(keys, reply, now);
            return;
        }
        let batch = self.on_good_read(keys, reply, now);
        self.presence_batch.answered();
        let alone = batch.len() == 1;
        for (index, mut task) in batch.into_iter().enumerate() {
            match found.get(index).unwrap_or(&Presence::Unknown) {
                Presence::Present if self.options.action == KeyAction::Check => {
                    self.settle(task, Status::Planned, reply.http_status, None, now);
                }
                Presence::Present if self.options.action == KeyAction::Put(OnExisting::Keep) => self.keep(task, now),
                Presence::Present if self.options.action == KeyAction::Put(OnExisting::Compare) => {
                    self.reads.push_last(task.advanced(Stage::Compare(Subject::Value)));
                }
                Presence::Absent if task.pair.is_none() => {
                    let error = "it was looked for and is not there; no delete was sent".to_owned();
                    let detail = Some(Box::new(Detail { error_code: None, error }));
                    self.settle(task, Status::Absent, reply.http_status, detail, now);
                }
                Presence::Present | Presence::Absent => self.ready.push_last(task.advanced(Stage::Change)),
                Presence::Unknown if alone => {
                    let error = TransientError::no_answer("the response does not say whether the key exists");
                    self.resolve(vec![task], &Answer::Transient(error), reply.http_status, Proof::Named, now);
                }
                Presence::Unknown => {
                    task.max_batch = NonZeroU32::MIN;
                    task.last = None;
                    self.reads.push_last(task);
                }
            }
        }
    }

    /// The reply to a comparison of what a key holds with what is to be written.
    pub(super) fn on_compared(&mut self, keys: Answered, reply: &Reply, is_same: bool, now: Instant) {
        let subject = match keys.batch.first().map(|task| &task.stage) {
            Some(Stage::Compare(subject)) => *subject,
            _ => Subject::Value,
        };
        if !matches!(reply.answer, Answer::Success | Answer::Absent(_)) {
            self.on_reply(keys, reply, now);
            return;
        }
        for task in self.on_good_read(keys, reply, now) {
            match (&reply.answer, subject) {
                (Answer::Absent(_), _) => self.ready.push_last(task.advanced(Stage::Change)),
                _ if !is_same => self.keep(task, now),
                (_, Subject::Value) => self.reads.push_last(task.advanced(Stage::Compare(Subject::Metadata))),
                (_, Subject::Metadata) => {
                    let error = "the key exists, just as the backup has it".to_owned();
                    let detail = Some(Box::new(Detail { error_code: None, error }));
                    self.settle(task, Status::Restored, None, detail, now);
                }
            }
        }
    }

    /// The key exists and is not written.
    fn keep(&mut self, task: KeyTask, now: Instant) {
        let error = "the key exists, and restore overwrites it only with --overwrite-values".to_owned();
        let detail = Some(Box::new(Detail { error_code: None, error }));
        self.settle(task, Status::Kept, None, detail, now);
    }

    /// A backup cannot be written: its keys are not deleted, and no others are either.
    pub(super) fn on_backup_error(&mut self, keys: Answered, why: &str, now: Instant) {
        let Answered { batch, permit, .. } = keys;
        self.caller.budget.give_back(permit, now);
        self.stop(Stop::new(StopReason::IoError, format!("the backup cannot be written: {why}")), now);
        for task in batch {
            let detail = Detail { error_code: None, error: why.to_owned() };
            let failure = Failure { status: Status::Unknown, http_status: None, detail, is_transient: false };
            self.settle_as(task, failure, now);
        }
    }
}

/// The request that reads these keys, which are all in one stage; `None` where they are to be deleted.
pub(super) fn read(batch: &[KeyTask]) -> Option<Request> {
    let first = batch.first()?;
    match &first.stage {
        Stage::Presence => Some(Request::Presence(batch.iter().map(|task| task.key.clone()).collect())),
        Stage::Metadata => Some(Request::Metadata(first.key.clone())),
        Stage::Value(metadata) => Some(Request::BackUp(first.key.clone(), metadata.clone())),
        Stage::Compare(subject) => Some(Request::Compare(Arc::clone(first.pair.as_ref()?), *subject)),
        Stage::Change => None,
    }
}

impl KeyTask {
    /// Why the key was not changed, if it was only to be read.
    pub(super) fn failure(&self, failure: Failure) -> Failure {
        let why = match self.stage {
            Stage::Presence => "whether it exists is unknown",
            Stage::Metadata => "its metadata could not be backed up",
            Stage::Value(_) => "its value could not be backed up",
            Stage::Compare(_) => "what it holds could not be read",
            Stage::Change => return failure,
        };
        let not_sent = if self.pair.is_some() { "not restored" } else { "no delete was sent" };
        let error = format!("{not_sent}, because {why}: {}", failure.detail.error);
        Failure { detail: Detail { error, ..failure.detail }, ..failure }
    }
}
