//! How records get their final state and their row.

use std::time::Duration;

use tokio::time::Instant;

use super::State;
use crate::api::answer::Refusal;
use crate::clock::wall_now;
use crate::outcome::{Detail, Settled, Status, Stop, StopReason};
use crate::pipeline::event::Event;
use crate::pipeline::retry::Failure;
use crate::pipeline::task::{InFlight, KeyTask, Sent};
use crate::terminal::{Escaped, count, pluralized, shortened_key};

impl State {
    pub(super) fn settle_unsent(&mut self, row: Settled) {
        self.caller.totals.tally.add(row.status);
        self.events.push(Event::Settled(row.status));
        self.rows.push(row);
    }

    pub(super) fn settle_as(&mut self, task: KeyTask, failure: Failure, now: Instant) {
        let failure = task.failure(failure);
        if failure.status.is_trouble() {
            tracing::info!(
                "{} {}: {}",
                failure.status,
                shortened_key(task.key.as_str()),
                Escaped(&failure.to_string())
            );
        }
        let Refusal { http_status, code, message } = failure.refusal;
        self.settle(task, failure.status, http_status, Some(Detail { error_code: code, error: message }), now);
    }

    /// The last failure is final.
    pub(super) fn settle_as_last(&mut self, mut task: KeyTask, now: Instant) {
        if let Some(failure) = task.attempt.last.take() {
            self.settle_as(task, *failure, now);
        }
    }

    pub(super) fn settle(
        &mut self,
        task: KeyTask,
        status: Status,
        http_status: Option<u16>,
        detail: Option<Detail>,
        now: Instant,
    ) {
        self.payload -= task.payload();
        self.settled += u64::from(task.requests > 0);
        self.caller.totals.tally.add(status);
        self.events.push(Event::Settled(status));
        self.rows.push(Settled {
            number: task.number,
            key: task.key.into_boxed_str(),
            status,
            http_status,
            detail: detail.map(Box::new),
            attempts: task.requests,
            elapsed: task.first_sent.map_or(Duration::ZERO, |sent| now.saturating_duration_since(sent)),
            finished_at: wall_now(),
        });
        if status.is_trouble() && self.settled <= self.options.canary {
            let why = match self.options.canary {
                1 => "the first key was not deleted (--canary 1)".to_owned(),
                canaries => format!("one of the first {} keys was not deleted (--canary {canaries})", count(canaries)),
            };
            self.stop(Stop::new(StopReason::Canary, why), now);
        }
        // After a success too: it may be the one that makes the keys enough for a share.
        let (failures, sent) = (self.caller.totals.tally.failures(), self.caller.totals.tally.sent());
        let attempted = self.options.deleted_before + sent;
        if let Some(limit) = self.options.max_failures.filter(|limit| limit.is_reached(failures, attempted)) {
            let (failures, keys) = (count(failures), pluralized(attempted, "key"));
            let why =
                format!("stopped by --max-failures {limit}: {failures} of {keys} attempted failed or are unknown");
            self.stop(Stop::new(StopReason::MaxFailures, why), now);
        }
    }

    /// Those in flight are given up: whether they took effect is unknown.
    pub(super) fn abandon(&mut self, why: &str, now: Instant) {
        for InFlight { sent, permit, .. } in self.slots.drain().collect::<Vec<_>>() {
            self.caller.budget.give_back(permit, now);
            if let Sent::Keys(batch) = sent {
                for task in batch {
                    self.settle_as(task, Failure::unanswered(why.to_owned()), now);
                }
            }
        }
    }

    /// Nobody waits for a page or for the namespace any more.
    pub(super) fn abandon_all_but_keys(&mut self) {
        self.slots.retain(|_, in_flight| matches!(in_flight.sent, Sent::Keys(_)));
    }

    /// Keys that were sent at least once and wait to be sent again: the job ends before, and their
    /// last answer is final.
    pub(super) fn give_up_waiting(&mut self, now: Instant) {
        let mut keys: Vec<_> = self.queues.drain().collect();
        keys.append(&mut self.access.take_keys());
        // The order in which they wait is chance.
        keys.sort_unstable_by_key(|task| task.number);
        for task in keys {
            self.settle_as_last(task, now);
        }
    }
}
