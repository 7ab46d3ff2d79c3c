//! What comes before a delete where keys are backed up: their metadata and their value are read, one request each, and
//! kept. Only then does a key come into the queue of deletes.

use std::collections::HashSet;

use tokio::time::Instant;

use super::State;
use crate::api::answer::{Answer, Reply};
use crate::outcome::{Detail, Status, StopReason};
use crate::pipeline::parcel::{Batching, Choice, Ready};
use crate::pipeline::request::Request;
use crate::pipeline::retry::Verdict;
use crate::pipeline::stop::Stop;
use crate::pipeline::work::{InFlight, Stage, Work};

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
        if self.options.backup {
            self.reads.push(work.advanced(Stage::Metadata));
        } else {
            self.ready.push(work);
        }
    }

    /// The queue where keys from the input wait.
    pub(super) fn entrance(&self) -> &Ready {
        if self.options.backup { &self.reads } else { &self.ready }
    }

    /// The queue that a key of this stage belongs to.
    pub(super) fn queue(&mut self, work: &Work) -> &mut Ready {
        if work.stage.is_read() { &mut self.reads } else { &mut self.ready }
    }

    /// Whose turn it is; otherwise until when to wait, where that is known. Deletes go first, so that little time
    /// passes between reading a value and deleting it.
    pub(super) fn turn(&mut self, probe: bool, choice: Choice, now: Instant) -> Result<Turn, Option<Instant>> {
        if probe {
            // That reads are answered would say nothing of deletes.
            return Ok(if self.ready.is_empty() && self.options.backup { Turn::Read } else { Turn::Delete });
        }
        let may_go = |queue: &Ready| !queue.is_empty() && (choice != Choice::Fresh(0) || queue.has_again());
        let mut wait = None;
        if may_go(&self.ready) && !self.is_filling(choice) {
            wait = self.lingers(choice, now);
            if wait.is_none() {
                return Ok(Turn::Delete);
            }
        }
        if may_go(&self.reads) { Ok(Turn::Read) } else { Err(wait) }
    }

    /// The keys whose turn it is; none where only the namespace is left to ask for.
    pub(super) fn take_turn(&mut self, turn: Turn, probe: bool, choice: Choice) -> Vec<Work> {
        match turn {
            Turn::Delete if probe && self.options.backup => self.ready.pop().into_iter().collect(),
            _ if probe && choice != Choice::Probe => Vec::new(),
            Turn::Delete => self.ready.take(self.options.batching, choice),
            Turn::Read => self.reads.take(Batching::Single, choice),
        }
    }

    /// The reply to a read; where it was good, the key has come to stage `next`.
    pub(super) fn on_read(&mut self, slot: usize, reply: &Reply, next: &Stage, now: Instant) {
        if reply.answer != Answer::Success {
            self.on_reply(slot, reply, &HashSet::new(), now);
            return;
        }
        let Some(InFlight { parcel, permit, probe }) = self.slots.try_remove(slot) else { return };
        self.hear(reply, &permit, now);
        self.see_sign(&reply.answer, &mut [], true, probe, now);
        self.budget.give_back(permit, now);
        for work in parcel {
            let work = work.advanced(next.clone());
            self.queue(&work).push_last(work);
        }
    }

    /// A backup cannot be written: its keys are not deleted, and no others are either.
    pub(super) fn on_lost_backup(&mut self, slot: usize, why: &str, now: Instant) {
        let Some(InFlight { parcel, permit, .. }) = self.slots.try_remove(slot) else { return };
        self.budget.give_back(permit, now);
        self.stop(Stop::new(StopReason::IoError, format!("the backup cannot be written: {why}")), now);
        for work in parcel {
            let detail = Detail { error_code: None, error: why.to_owned() };
            let verdict = Verdict { status: Status::Failed, http_status: None, detail, passes: false };
            self.settle_as(work, verdict, now);
        }
    }
}

impl Stage {
    /// The request for a key in this stage; `None` where it is to be deleted.
    pub(super) fn read(&self, work: &Work) -> Option<Request> {
        match self {
            Self::Metadata => Some(Request::Metadata(work.key.clone())),
            Self::Value(metadata) => Some(Request::BackUp(work.key.clone(), metadata.clone())),
            Self::Delete => None,
        }
    }

    /// What became of a key in this stage: one that was only read is surely not deleted.
    pub(super) fn verdict(&self, verdict: Verdict) -> Verdict {
        let what = match self {
            Self::Metadata => "its metadata",
            Self::Value(_) => "its value",
            Self::Delete => return verdict,
        };
        match verdict.status {
            Status::Failed | Status::Unknown => {
                let error = format!("not deleted, because {what} could not be backed up: {}", verdict.detail.error);
                Verdict { status: Status::Failed, detail: Detail { error, ..verdict.detail }, ..verdict }
            }
            _ => verdict,
        }
    }
}
