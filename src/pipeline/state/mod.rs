//! All that changes while a job runs, and every decision about it, as plain calls with `now` passed in.
//!
//! Which request is next is in `sending`, what a reply leads to in `reply`, how records get their final state in `settle`,
//! how they are fetched in pages in `paging`, how keys are read before they are deleted in `reading`, whether a refusal is one
//! key's or the whole job's in `access`.

use slab::Slab;
use tokio::time::Instant;

use crate::clock::wall_now;
use crate::outcome::{Pending, Settled, Signal, Stop, StopReason};
use crate::pipeline::access_check::AccessCheck;
use crate::pipeline::adaptive_batch::AdaptiveBatchSize;
use crate::pipeline::batch::Batching;
use crate::pipeline::call::{ApiCaller, Totals};
use crate::pipeline::circuit_breaker::CircuitBreaker;
use crate::pipeline::event::Event;
use crate::pipeline::options::{KeyAction, Options};
use crate::pipeline::pages::PageFetch;
use crate::pipeline::queues::{KeyQueues, Queue};
use crate::pipeline::request::Request;
use crate::pipeline::task::{InFlight, KeyTask, Sent};
use crate::quota::Limit;
use crate::record::{Content, Record};
use crate::terminal::count;

mod access;
mod paging;
mod reading;
mod reply;
mod sending;
mod settle;
#[cfg(test)]
mod testing;

/// What the loop is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this request.
    Send {
        /// Where its response belongs.
        slot: Slot,
        request: Request,
    },
    /// Wait for something to happen.
    Wait(Wait),
    /// Nothing is left to send or to wait for.
    Finished,
}

/// What can change the answer of [`State::next`]. At least one of them can: a job never waits for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// The moment to call it again.
    pub until: Option<Instant>,
    /// A response may come, and the report takes the rows of its keys.
    pub response: bool,
    /// A record, or the end of the input, may come.
    pub record: bool,
    /// The report's writer may have written a row.
    pub row: bool,
}

/// Where a response belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(usize);

/// While pairs of more bytes are to be written, no more are taken from the input. The next one may be 100 MB.
const MOST_PAYLOAD: usize = 50_000_000;

/// A running job.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct State {
    options: Options,
    caller: ApiCaller,
    queues: KeyQueues,
    /// How many keys are looked for with one request.
    presence_batch: AdaptiveBatchSize,
    /// The most requests in flight; fewer than given once the server found them too many.
    most_in_flight: usize,
    /// Keys that were sent at least once.
    begun: u64,
    /// How many of them have their row.
    settled: u64,
    /// Bytes of pairs that are to be written and have no row yet.
    payload: usize,
    slots: Slab<InFlight>,
    access: AccessCheck,
    /// Whether the next probe is a key that was never sent, or the namespace, and not one that waits to be sent again.
    probe_untried: bool,
    rows: Vec<Settled>,
    /// Rows that the report's writer has handed to the system.
    written: u64,
    events: Vec<Event>,
    /// How records are fetched, unless they are read.
    paging: Option<PageFetch>,
    input_ended: bool,
    stop: Option<(Stop, Instant)>,
    /// Whether a signal has come.
    signalled: bool,
    paused: bool,
}

impl State {
    /// A job that has made calls before: they draw on the same budget and count into the same totals, and `--max-wait`
    /// counts from the first of them.
    pub fn after(caller: ApiCaller, options: Options) -> Self {
        let (policy, breaker) = (options.retry, CircuitBreaker::new(options.concurrency));
        Self {
            most_in_flight: options.concurrency,
            options,
            caller: ApiCaller { policy, breaker, ..caller },
            queues: KeyQueues::default(),
            presence_batch: AdaptiveBatchSize::default(),
            begun: 0,
            settled: 0,
            payload: 0,
            slots: Slab::with_capacity(options.concurrency),
            access: AccessCheck::default(),
            probe_untried: false,
            rows: Vec::new(),
            written: 0,
            events: Vec::new(),
            paging: None,
            input_ended: false,
            stop: None,
            signalled: false,
            paused: false,
        }
    }

    fn wants_records(&self) -> bool {
        self.paging.is_none() && self.wants_more()
    }

    fn wants_more(&self) -> bool {
        !self.input_ended
            && self.stop.is_none()
            && self.has_room_for_keys()
            && self.queues.waiting().len() < self.most_waiting()
            && self.has_room_for_rows()
    }

    fn has_room_for_keys(&self) -> bool {
        // As many as it takes to have the next requests full as soon as they may be sent.
        let most = |queue| 2 * self.batching(queue).most().max(self.options.concurrency);
        let mut queues = [Queue::Read, Queue::Delete].into_iter();
        queues.all(|queue| self.queues.get(queue).len() < most(queue)) && self.payload < MOST_PAYLOAD
    }

    fn most_waiting(&self) -> usize {
        self.options.most_waiting.max(4 * self.options.batching.most())
    }

    /// Whether so many keys are to be sent again that no new ones are taken from the input.
    fn holds_back_untried(&self) -> bool {
        let again = self.queues.len() + self.slots.len();
        !self.input_ended && again >= self.most_waiting() && !self.has_untried()
    }

    /// Whether every key that is left was sent before.
    fn has_only_retries(&self) -> bool {
        self.input_ended && !self.has_untried()
    }

    fn has_untried(&self) -> bool {
        !self.queues.get(self.input_queue()).fresh.is_empty()
    }

    fn has_room_for_rows(&self) -> bool {
        self.unwritten() < self.options.most_rows as u64
    }

    /// Rows that a killed process would lose.
    pub(super) fn unwritten(&self) -> u64 {
        self.caller.totals.tally.total() - self.written
    }

    /// Requests that a killed process could not account for: those in flight, and those whose keys have no row yet.
    fn unaccounted_requests(&self) -> usize {
        let unwritten = self.options.batching.requests(self.unwritten());
        self.slots.len().saturating_add(usize::try_from(unwritten).unwrap_or(usize::MAX))
    }

    /// Rows that the report's writer has not taken, oldest first.
    pub fn rows(&mut self) -> &mut Vec<Settled> {
        &mut self.rows
    }

    /// What a listener has not got yet.
    pub fn take_events(&mut self) -> std::vec::Drain<'_, Event> {
        self.events.drain(..)
    }

    /// Where the job stands.
    pub fn totals(&self) -> Totals {
        self.caller.totals
    }

    /// Why the job ends early, if it does.
    pub fn stopped(&self) -> Option<&Stop> {
        self.stop.as_ref().map(|(stop, _)| stop)
    }

    /// A record came from the input.
    pub fn on_record(&mut self, record: Record, now: Instant) {
        self.caller.totals.records += 1;
        // The reader may be ahead of a stop that it does not know of yet.
        if self.stop.is_some() {
            return;
        }
        let (number, is_plan) = (record.number, self.options.action == KeyAction::Plan);
        let task = match record.content {
            Content::Key(key) if !is_plan => KeyTask::new(number, key),
            Content::Pair(pair) if !is_plan => KeyTask::put(number, pair),
            unsent => {
                if let Some(row) = Settled::unsent(number, unsent, wall_now()) {
                    self.settle_unsent(row);
                } else {
                    self.caller.totals.resumed += 1;
                    self.events.push(Event::Resumed);
                }
                return;
            }
        };
        let keys = self.options.deleted_before + self.caller.totals.keys;
        if let Some(most) = self.options.max_keys.filter(|most| keys >= *most) {
            let why = format!("there are more keys than --max-keys {}", count(most));
            let hint = Some("check the keys with --dry-run; if all of them are right, raise --max-keys".to_owned());
            self.stop(Stop { hint, ..Stop::reading(StopReason::MaxKeys, why) }, now);
            return;
        }
        self.caller.totals.keys += 1;
        self.payload += task.payload();
        let task = task.advanced(self.options.action.first_stage());
        self.queues.of(&task).fresh.push_back(task);
    }

    /// The input has no more records.
    pub fn on_input_end(&mut self) {
        self.input_ended = true;
    }

    /// The report's writer has handed so many rows to the system.
    pub fn on_rows_written(&mut self, written: u64) {
        self.written = self.written.max(written.min(self.caller.totals.tally.total()));
    }

    /// The report's writer is gone: no row is waited for.
    pub fn on_report_closed(&mut self) {
        self.rows.clear();
        self.written = self.caller.totals.tally.total();
    }

    /// A signal came: nothing new is sent. The second one ends the job at once.
    pub fn on_signal(&mut self, signal: Signal, now: Instant) {
        if std::mem::replace(&mut self.signalled, true) {
            self.abandon("a second signal ended the job at once", now);
        } else {
            self.stop(Stop::signalled(signal), now);
        }
    }

    /// Ends the job early; the first reason to leave keys behind stands.
    pub fn stop(&mut self, stop: Stop, now: Instant) {
        let replace = match &self.stop {
            None => true,
            Some((earlier, _)) => earlier.pending == Pending::Drain && stop.pending == Pending::Abandon,
        };
        if replace {
            self.events.push(Event::Draining { reason: stop.reason, in_flight: self.slots.len() });
            self.stop = Some((stop, now));
        }
        if self.abandons_pending().is_some() {
            self.abandon_all_but_keys();
        }
    }

    fn abandons_pending(&self) -> Option<Instant> {
        self.stop.as_ref().filter(|(stop, _)| stop.pending == Pending::Abandon).map(|(_, since)| *since)
    }

    pub fn next(&mut self, now: Instant) -> Step {
        debug_assert_eq!(self.caller.budget.in_flight(), self.slots.len(), "a permit that no request in flight holds");
        self.check_limits(now);
        if let Some(since) = self.abandons_pending() {
            let end = since + self.options.grace;
            if now >= end {
                self.abandon("no response before the job ended", now);
            }
            if self.slots.is_empty() {
                self.give_up_waiting(now);
                return Step::Finished;
            }
            return self.wait(Some(end), now);
        }
        if self.is_done() {
            return Step::Finished;
        }
        let blocked = match self.try_send(now) {
            Ok(step) => return step,
            Err(blocked) => blocked,
        };
        if self.abandons_pending().is_some() {
            // The server wants a pause that is too long.
            return self.next(now);
        }
        self.caller.max_wait.set_running(self.waits_for_server(blocked, now), now);
        let moments =
            [blocked.until, self.next_due(), self.page_due(now), self.options.deadline, self.caller.max_wait.ends_at()];
        self.wait(moments.into_iter().flatten().min(), now)
    }

    /// The only place that waits. Should there be nothing to wait for, the job ends instead of hanging.
    fn wait(&mut self, until: Option<Instant>, now: Instant) -> Step {
        let wait = Wait {
            until,
            response: !self.slots.is_empty() && self.has_room_for_rows(),
            record: self.wants_records(),
            row: self.unwritten() > 0,
        };
        if wait.until.is_some() || wait.response || wait.record || wait.row {
            return Step::Wait(wait);
        }
        debug_assert!(false, "nothing to wait for: {self:?}");
        self.stop(
            Stop::new(StopReason::IoError, "internal error: the job does not make progress; please report this"),
            now,
        );
        self.give_up_waiting(now);
        Step::Finished
    }

    /// Whether every key has its final state, and no more come.
    fn is_done(&self) -> bool {
        let reading = !self.input_ended && self.stop.is_none();
        let outstanding = self.slots.iter().any(|(_, sent)| !matches!(sent.sent, Sent::Namespace { check: false }));
        !reading && !outstanding && self.queues.len() == 0 && self.access.suspended.is_empty()
    }

    /// Whether it is the server that keeps the job waiting.
    fn waits_for_server(&self, blocked: Blocked, now: Instant) -> bool {
        let retries = self.queues.waiting().len() > 0 || self.page_due(now).is_some();
        let waits = match blocked.by {
            Some(Limit::Server) => true,
            Some(Limit::Rate) => !self.slots.is_empty(),
            None => !self.slots.is_empty() || retries,
        };
        // Without room for rows it is the report that a response waits for, or the next request.
        waits && self.has_room_for_rows() && !(self.slots.is_empty() && self.unwritten() > 0)
    }

    fn check_limits(&mut self, now: Instant) {
        if self.options.deadline.is_some_and(|deadline| now >= deadline) {
            self.stop(Stop::new(StopReason::Deadline, "the --deadline passed"), now);
        }
        if let Some(stop) = self.caller.max_wait.exceeded(now) {
            self.stop(stop, now);
        }
        self.queues.take_due(now);
        if self.may_speculate() {
            self.queues.take_speculative(now);
        }
    }

    /// When a waiting key is to be looked at again.
    fn next_due(&self) -> Option<Instant> {
        let speculative = self.queues.waiting().filter_map(|task| task.attempt.speculative_from);
        let speculative = if self.may_speculate() { speculative.min() } else { None };
        self.queues.next_due().into_iter().chain(speculative).min()
    }

    /// Whether nothing but waiting keys is left, each of which is sent alone, and the server is up.
    fn may_speculate(&self) -> bool {
        self.input_ended
            && self.stop.is_none()
            && self.options.batching == Batching::Single
            && self.caller.breaker.is_well()
            && !self.queues.has_ready()
    }
}

/// Why nothing is sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blocked {
    /// The moment to try again, if it is known.
    until: Option<Instant>,
    /// The limit, if it is one of the rate or the server.
    by: Option<Limit>,
}

impl Blocked {
    /// Until something happens.
    const UNTIL_EVENT: Self = Self { until: None, by: None };

    fn by_server(until: Option<Instant>) -> Self {
        Self { until, by: Some(Limit::Server) }
    }

    fn until(until: Option<Instant>) -> Self {
        Self { until, by: None }
    }
}
