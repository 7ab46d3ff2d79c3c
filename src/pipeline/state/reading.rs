//! What comes before a delete: keys are looked for, many with one request; or they are backed up: their metadata and their
//! value are read, one request each, and kept. Only then does a key come into the queue of deletes.

use std::num::NonZeroU32;

use tokio::time::Instant;

use super::State;
use super::reply::{Answered, Proof};
use super::sending::LINGER;
use crate::api::answer::{Answer, Reply, Trouble};
use crate::api::{MAX_GET_KEYS, Presence};
use crate::outcome::{Detail, Status, StopReason};
use crate::pipeline::options::Course;
use crate::pipeline::parcel::{Batch, Batching, Ready};
use crate::pipeline::request::Request;
use crate::pipeline::retry::Verdict;
use crate::pipeline::stop::Stop;
use crate::pipeline::work::{Stage, Work};

/// So many good answers after a refusal, and one key more is looked for with a request.
const GROWS_AFTER: u32 = 8;

/// How many keys are looked for with one request: as many as the API takes, until their values are too much for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Looks {
    pub(super) most: NonZeroU32,
    /// Good answers since that last changed.
    pub(super) good: u32,
}

impl Default for Looks {
    fn default() -> Self {
        Self { most: Self::MOST, good: 0 }
    }
}

impl Looks {
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
pub(super) enum Turn {
    /// One that is read before it may be deleted.
    Read,
    /// Those that may be deleted.
    Delete,
}

impl State {
    /// A key from the input.
    pub(super) fn accept(&mut self, work: Work) {
        match self.options.course {
            Course::Delete => self.ready.push(work),
            Course::Check | Course::CheckAndDelete => self.reads.push(work.advanced(Stage::Presence)),
            Course::BackUpAndDelete => self.reads.push(work.advanced(Stage::Metadata)),
        }
    }

    /// The queue where keys from the input wait.
    pub(super) fn entrance(&self) -> &Ready {
        if self.options.course.reads() { &self.reads } else { &self.ready }
    }

    /// The queue that a key of this stage belongs to.
    pub(super) fn queue(&mut self, work: &Work) -> &mut Ready {
        if work.stage.is_read() { &mut self.reads } else { &mut self.ready }
    }

    /// The queue that the next request takes from; otherwise until when to wait, where that is known. Deletes go first, so
    /// that little time passes between reading a value and deleting it.
    pub(super) fn turn(&mut self, fresh: u64, now: Instant) -> Result<Turn, Option<Instant>> {
        let may_go = |queue: &Ready| !queue.is_empty() && (fresh != 0 || queue.has_again());
        let mut wait = None;
        if may_go(&self.ready) && !self.is_filling(fresh) {
            wait = self.lingers(fresh, now);
            if wait.is_none() {
                return Ok(Turn::Delete);
            }
        }
        if may_go(&self.reads) {
            let gathers = self.gathers(fresh, now);
            if gathers.is_none() {
                return Ok(Turn::Read);
            }
            wait = [wait, gathers].into_iter().flatten().min();
        }
        Err(wait)
    }

    /// How many keys one request reads.
    pub(super) fn reading_batching(&self) -> Batching {
        match self.options.course {
            Course::Delete | Course::BackUpAndDelete => Batching::Single,
            Course::Check | Course::CheckAndDelete => {
                Batching::Bulk(Batch { keys: self.looks.most, bytes: usize::MAX })
            }
        }
    }

    /// Keys that wait to be read; with more, no new ones are taken from the input.
    pub(super) fn most_reads(&self) -> usize {
        let most = 2 * self.options.concurrency;
        if self.reading_batching() == Batching::Single { most } else { most.max(2 * MAX_GET_KEYS) }
    }

    /// Until when a request for many keys waits for more of them, if it does.
    fn gathers(&mut self, fresh: u64, now: Instant) -> Option<Instant> {
        if self.reads.is_full(self.reading_batching(), fresh) || !self.wants_more() {
            return None;
        }
        let until = *self.gathering.get_or_insert(now) + LINGER;
        (now < until).then_some(until)
    }

    /// The keys of the next request.
    pub(super) fn take_turn(&mut self, turn: Turn, fresh: u64) -> Vec<Work> {
        match turn {
            Turn::Delete => self.ready.take(self.options.batching, fresh),
            Turn::Read => self.reads.take(self.reading_batching(), fresh),
        }
    }

    pub(super) fn queue_of(&mut self, turn: Turn) -> &mut Ready {
        match turn {
            Turn::Delete => &mut self.ready,
            Turn::Read => &mut self.reads,
        }
    }

    /// The reply to a read; where it was good, the key has come to stage `next`.
    pub(super) fn on_read(&mut self, keys: Answered, reply: &Reply, next: &Stage, now: Instant) {
        if reply.answer != Answer::Success {
            self.on_reply(keys, reply, now);
            return;
        }
        for work in self.read_well(keys, reply, now) {
            let work = work.advanced(next.clone());
            self.queue(&work).push_last(work);
        }
    }

    /// The keys of a read that succeeded.
    fn read_well(&mut self, keys: Answered, reply: &Reply, now: Instant) -> Vec<Work> {
        let Answered { batch, permit, probe } = keys;
        self.has_read = true;
        self.hear(&reply.quota, &permit, now);
        self.see_sign(&reply.answer, &mut [], true, probe, now);
        self.budget.give_back(permit, now);
        batch
    }

    /// The reply to a look at some keys; where it was good, `found` says what it is of each.
    pub(super) fn on_presence(&mut self, keys: Answered, reply: &Reply, found: &[Presence], now: Instant) {
        if reply.answer != Answer::Success {
            if let Answer::Refused(_) = &reply.answer {
                self.looks.refused(keys.batch.len());
            }
            self.on_reply(keys, reply, now);
            return;
        }
        let batch = self.read_well(keys, reply, now);
        self.looks.answered();
        let alone = batch.len() == 1;
        for (index, mut work) in batch.into_iter().enumerate() {
            match found.get(index).unwrap_or(&Presence::Unsaid) {
                Presence::There if self.options.course == Course::Check => {
                    self.settle(work, Status::Planned, reply.http_status, None, now);
                }
                Presence::There => self.ready.push_last(work.advanced(Stage::Delete)),
                Presence::Gone => {
                    let error = "it was looked for and is not there; no delete was sent".to_owned();
                    let detail = Some(Box::new(Detail { error_code: None, error }));
                    self.settle(work, Status::Absent, reply.http_status, detail, now);
                }
                Presence::Unsaid if alone => {
                    let trouble = Trouble::no_answer("the response does not say whether the key exists");
                    self.resolve(vec![work], &Answer::Passing(trouble), reply.http_status, Proof::Named, now);
                }
                Presence::Unsaid => {
                    work.together = NonZeroU32::MIN;
                    work.last = None;
                    self.reads.push_last(work);
                }
            }
        }
    }

    /// A backup cannot be written: its keys are not deleted, and no others are either.
    pub(super) fn on_lost_backup(&mut self, keys: Answered, why: &str, now: Instant) {
        let Answered { batch, permit, .. } = keys;
        self.budget.give_back(permit, now);
        self.stop(Stop::new(StopReason::IoError, format!("the backup cannot be written: {why}")), now);
        for work in batch {
            let detail = Detail { error_code: None, error: why.to_owned() };
            let verdict = Verdict { status: Status::Unknown, http_status: None, detail, passes: false };
            self.settle_as(work, verdict, now);
        }
    }
}

/// The request that reads these keys, which are all in one stage; `None` where they are to be deleted.
pub(super) fn read(parcel: &[Work]) -> Option<Request> {
    let first = parcel.first()?;
    match &first.stage {
        Stage::Presence => Some(Request::Presence(parcel.iter().map(|work| work.key.clone()).collect())),
        Stage::Metadata => Some(Request::Metadata(first.key.clone())),
        Stage::Value(metadata) => Some(Request::BackUp(first.key.clone(), metadata.clone())),
        Stage::Delete => None,
    }
}

impl Stage {
    /// What became of a key in this stage, and why no delete was sent if it was only to be read.
    pub(super) fn verdict(&self, verdict: Verdict) -> Verdict {
        let why = match self {
            Self::Presence => "whether it exists is unknown",
            Self::Metadata => "its metadata could not be backed up",
            Self::Value(_) => "its value could not be backed up",
            Self::Delete => return verdict,
        };
        let error = format!("no delete was sent, because {why}: {}", verdict.detail.error);
        Verdict { detail: Detail { error, ..verdict.detail }, ..verdict }
    }
}
