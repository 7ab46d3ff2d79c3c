//! What comes before a delete: keys are looked for, many with one request; or they are backed up: their metadata and their
//! value are read, one request each, and kept. Only then does a key come into the queue of deletes.

use std::num::NonZeroU32;

use tokio::time::Instant;

use super::State;
use super::reply::Answered;
use crate::api::Presence;
use crate::api::answer::{Answer, Refusal, Reply, TransientError};
use crate::outcome::{Detail, Status, Stop, StopReason};
use crate::pipeline::attempt::Proof;
use crate::pipeline::batch::{BatchLimit, Batching};
use crate::pipeline::options::{KeyAction, OnExisting};
use crate::pipeline::queues::Queue;
use crate::pipeline::request::Subject;
use crate::pipeline::retry::Failure;
use crate::pipeline::task::{KeyTask, Stage};

impl State {
    /// The queue of keys from the input.
    pub(super) fn input_queue(&self) -> Queue {
        Queue::of(self.options.action.reads())
    }

    /// How many keys of this queue go into one request.
    pub(super) fn batching(&self, queue: Queue) -> Batching {
        match (queue, self.options.action.first_stage()) {
            (Queue::Delete, _) => self.options.batching,
            (Queue::Read, Stage::Presence) => {
                Batching::Bulk(BatchLimit { keys: self.presence_batch.most(), bytes: usize::MAX })
            }
            (Queue::Read, _) => Batching::Single,
        }
    }

    /// The reply to a read; if it is a success, the key goes on to stage `next`.
    pub(super) fn on_read(&mut self, keys: Answered, reply: &Reply, next: &Stage, now: Instant) {
        if reply.answer != Answer::Success {
            self.on_reply(keys, reply, now);
            return;
        }
        for task in self.on_good_read(keys, reply, now) {
            let task = task.advanced(next.clone());
            self.queues.push_last(task);
        }
    }

    /// The keys of a read that succeeded.
    fn on_good_read(&mut self, keys: Answered, reply: &Reply, now: Instant) -> Vec<KeyTask> {
        let Answered { mut batch, permit, probe } = keys;
        self.access.has_read = true;
        self.observe_keys(&reply.answer, reply, &mut batch, (&permit, probe), now);
        self.caller.budget.give_back(permit, now);
        batch
    }

    /// The reply to a read of which keys exist; if it is a success, `found` has a member for each.
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
        for (index, task) in batch.into_iter().enumerate() {
            match found.get(index).unwrap_or(&Presence::Unknown) {
                Presence::Present if self.options.action == KeyAction::Check => {
                    self.settle(task, Status::Planned, reply.http_status, None, now);
                }
                Presence::Present if self.options.action == KeyAction::Put(OnExisting::Keep) => self.keep(task, now),
                Presence::Present if self.options.action == KeyAction::Put(OnExisting::Compare) => {
                    self.queues.push_last(task.advanced(Stage::Compare(Subject::Value)));
                }
                Presence::Absent if task.pair.is_none() => {
                    let detail = Detail::of("it was looked for and is not there; no delete was sent");
                    self.settle(task, Status::Absent, reply.http_status, Some(detail), now);
                }
                Presence::Present | Presence::Absent => self.queues.push_last(task.advanced(Stage::Change)),
                Presence::Unknown if alone => {
                    let error = TransientError::no_answer("the response does not say whether the key exists");
                    self.resolve(vec![task], &Answer::Transient(error), reply.http_status, Proof::Named, now);
                }
                // It is looked for alone, which is no retry: nothing has gone wrong.
                Presence::Unknown => {
                    let task = KeyTask { max_batch: NonZeroU32::MIN, ..task.advanced(Stage::Presence) };
                    self.queues.push_last(task);
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
                (Answer::Absent(_), _) => self.queues.push_last(task.advanced(Stage::Change)),
                _ if !is_same => self.keep(task, now),
                (_, Subject::Value) => self.queues.push_last(task.advanced(Stage::Compare(Subject::Metadata))),
                (_, Subject::Metadata) => {
                    let detail = Detail::of("the key exists, just as the backup has it");
                    self.settle(task, Status::Restored, None, Some(detail), now);
                }
            }
        }
    }

    /// The key exists and is not written.
    fn keep(&mut self, task: KeyTask, now: Instant) {
        let detail = Detail::of("the key exists, and restore overwrites it only with --overwrite-values");
        self.settle(task, Status::Kept, None, Some(detail), now);
    }

    /// A backup cannot be written: its keys are not deleted, and no others are either.
    pub(super) fn on_backup_error(&mut self, keys: Answered, why: &str, now: Instant) {
        let Answered { batch, permit, .. } = keys;
        self.caller.budget.give_back(permit, now);
        self.stop(Stop::new(StopReason::IoError, format!("the backup cannot be written: {why}")), now);
        for task in batch {
            let failure = Failure { is_transient: false, ..Failure::unanswered(why.to_owned()) };
            self.settle_as(task, failure, now);
        }
    }
}

impl KeyTask {
    /// Why the key was not changed, if it was only to be read.
    pub(super) fn failure(&self, failure: Failure) -> Failure {
        let why = match self.stage {
            Stage::Presence => "whether it exists is unknown",
            Stage::Metadata => "its metadata could not be backed up",
            Stage::Value(_) => "its value could not be backed up",
            Stage::Compare(_) => "its value could not be read",
            Stage::Change => return failure,
        };
        let not_sent = if self.pair.is_some() { "not restored" } else { "no delete was sent" };
        let message = format!("{not_sent}, because {why}: {}", failure.refusal.message);
        Failure { refusal: Refusal { message, ..failure.refusal }, ..failure }
    }
}
