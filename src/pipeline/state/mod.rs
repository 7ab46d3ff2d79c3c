//! All that changes while a job runs, and every decision about it, as plain calls with `now` passed in.
//!
//! Which request is next is in `sending`, what a reply leads to in `reply`, how records get their final state in `settle`,
//! how they are asked for where they come in pages in `errand`, how keys are read before they are deleted in `reading`,
//! how the last ones are waited for in `early`.

use std::collections::{BinaryHeap, VecDeque};

use rand::rngs::StdRng;
use slab::Slab;
use tokio::time::Instant;

use crate::clock::wall_now;
use crate::outcome::{Settled, StopReason, Tally};
use crate::pipeline::event::Event;
use crate::pipeline::options::Options;
use crate::pipeline::outage::Outage;
use crate::pipeline::parcel::{Batching, Ready};
use crate::pipeline::request::Request;
use crate::pipeline::stop::{Accepted, Signal, Stop};
use crate::pipeline::work::{Due, InFlight, Work};
use crate::plan::Approved;
use crate::quota::{Budget, Permit};
use crate::record::{Content, Record};
use crate::terminal::{count, duration};

use errand::Errand;
use reading::Looks;

mod early;
mod errand;
mod reading;
mod reply;
mod sending;
mod settle;

/// Keys that wait for a retry; with more, no new ones are taken from the input.
const MOST_WAITING: usize = 4_096;

/// Rows that wait for the report's writer; with more, no answer is looked at, and so nothing is sent.
const MOST_ROWS: usize = 1_024;

/// What the loop is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this request.
    Send {
        /// Where its response belongs.
        slot: Slot,
        /// The request.
        request: Request,
    },
    /// Wait for something to happen, at most until this moment.
    Wait(Option<Instant>),
    /// Nothing is left to send or to wait for.
    Finished,
}

/// Where a response belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// To the keys of that request.
    Keys(usize),
    /// To the outage that it asked about.
    Probe,
    /// To the records that it asked for.
    Page,
}

/// Totals of a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records taken from the input, whatever became of them.
    pub records: u64,
    /// Records in each state.
    pub tally: Tally,
    /// Records that an earlier run settled.
    pub resumed: u64,
    /// Keys taken from the input to be sent.
    pub keys: u64,
    /// Requests sent.
    pub requests: u64,
    /// Requests for a key that had one before, or for several of which one had, and for a page that had one before.
    pub retries: u64,
    /// Answers with status 429.
    pub throttled: u64,
}

/// A running job.
#[derive(Debug)]
pub struct State {
    options: Options,
    /// More keys end the job.
    max_keys: Option<u64>,
    budget: Budget,
    outage: Outage,
    /// What the last sign of an outage was.
    trouble: Option<String>,
    rng: StdRng,
    /// Keys that may be deleted.
    ready: Ready,
    /// Keys that are to be looked for, or backed up, before.
    reads: Ready,
    /// How many keys are looked for with one request.
    looks: Looks,
    /// Since when keys have waited for such a request to be full.
    gathering: Option<Instant>,
    /// Since when keys have waited for a bulk call to be full.
    filling: Option<Instant>,
    /// The most requests in flight; fewer than asked for once the server found them too many.
    most_in_flight: usize,
    waiting: BinaryHeap<Due>,
    /// Keys that were sent at least once.
    begun: u64,
    slots: Slab<InFlight>,
    /// The permit of a [`Step::Probe`] that is under way.
    probe: Option<Permit>,
    rows: VecDeque<Settled>,
    events: Vec<Event>,
    totals: Totals,
    /// Where records are asked for, unless they are read.
    errand: Option<Errand>,
    input_ended: bool,
    stop: Option<(Stop, Instant)>,
    /// Whether a signal has come.
    signalled: bool,
    paused: bool,
    /// Counts signs of life, so that failures since the last one can be told.
    epoch: u64,
}

impl State {
    /// A job that was approved and has not begun.
    pub fn new(options: Options, approved: &Approved, budget: Budget, rng: StdRng) -> Self {
        Self {
            max_keys: approved.max_keys(),
            outage: Outage::new(options.concurrency),
            trouble: None,
            most_in_flight: options.concurrency,
            options,
            budget,
            rng,
            ready: Ready::default(),
            reads: Ready::default(),
            looks: Looks::default(),
            gathering: None,
            filling: None,
            waiting: BinaryHeap::new(),
            begun: 0,
            slots: Slab::with_capacity(options.concurrency),
            probe: None,
            rows: VecDeque::new(),
            events: Vec::new(),
            totals: Totals::default(),
            errand: None,
            input_ended: false,
            stop: None,
            signalled: false,
            paused: false,
            epoch: 0,
        }
    }

    /// Whether records may be taken from the reader; never where they come in pages.
    pub fn wants_records(&self) -> bool {
        self.errand.is_none() && self.wants_more()
    }

    fn wants_more(&self) -> bool {
        !self.input_ended
            && self.stop.is_none()
            && (self.has_room_for_keys() || self.wants_a_fresh_key())
            && self.waiting.len() < self.most_waiting()
            && self.has_room_for_rows()
    }

    fn has_room_for_keys(&self) -> bool {
        self.reads.len() < self.most_reads() && self.ready.len() < self.most_ready()
    }

    /// During an outage an untried key is the best probe.
    fn wants_a_fresh_key(&self) -> bool {
        self.outage.since().is_some() && self.entrance().len() < self.most_waiting() && !self.entrance().has_fresh()
    }

    /// Keys that are read ahead; as many as it takes to have the next bulk call full as soon as it may be sent.
    fn most_ready(&self) -> usize {
        match self.options.batching {
            Batching::Single => 2 * self.options.concurrency,
            Batching::Bulk(_) => 2 * self.options.batching.most(),
        }
    }

    fn most_waiting(&self) -> usize {
        MOST_WAITING.max(4 * self.options.batching.most())
    }

    /// Whether an answer's row has a place to go.
    pub fn has_room_for_rows(&self) -> bool {
        self.rows.len() < MOST_ROWS
    }

    /// Rows on their way to the report, oldest first.
    pub fn rows(&mut self) -> &mut VecDeque<Settled> {
        &mut self.rows
    }

    /// What a listener has not heard yet.
    pub fn take_events(&mut self) -> std::vec::Drain<'_, Event> {
        self.events.drain(..)
    }

    /// Where the job stands.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Why the job ends early, if it does.
    pub fn stopped(&self) -> Option<&Stop> {
        self.stop.as_ref().map(|(stop, _)| stop)
    }

    /// A record came from the input.
    pub fn on_record(&mut self, record: Record, now: Instant) {
        self.totals.records += 1;
        // The reader may be ahead of a stop that it does not know of yet.
        if self.stop.is_some() {
            return;
        }
        let number = record.number;
        match record.content {
            Content::Key(key) => {
                if let Some(most) = self.max_keys.filter(|most| self.totals.keys >= *most) {
                    let why = format!("the input holds more than {} keys", count(most));
                    self.stop(Stop::reading(StopReason::MaxKeys, why), now);
                    return;
                }
                self.totals.keys += 1;
                self.accept(Work::new(number, key));
            }
            unsent => {
                if let Some(row) = Settled::unsent(number, unsent, wall_now()) {
                    self.settle_unsent(row);
                } else {
                    self.totals.resumed += 1;
                    self.events.push(Event::Resumed);
                }
            }
        }
    }

    /// The input has no more records.
    pub fn on_input_end(&mut self) {
        self.input_ended = true;
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
            Some((earlier, _)) => earlier.accepted == Accepted::Finish && stop.accepted == Accepted::Leave,
        };
        if replace {
            self.events.push(Event::Draining { reason: stop.reason, in_flight: self.slots.len() });
            self.stop = Some((stop, now));
        }
    }

    fn leaves_accepted(&self) -> Option<Instant> {
        self.stop.as_ref().filter(|(stop, _)| stop.accepted == Accepted::Leave).map(|(_, since)| *since)
    }

    /// What to do now.
    pub fn next(&mut self, now: Instant) -> Step {
        self.look_at_the_clock(now);
        if let Some(since) = self.leaves_accepted() {
            let end = since + self.options.grace;
            if now >= end {
                self.abandon("no answer came before the job ended", now);
            }
            if self.slots.is_empty() {
                self.give_up_waiting(now);
                return Step::Finished;
            }
            return Step::Wait(Some(end));
        }
        let reading = !self.input_ended && self.stop.is_none();
        if self.slots.is_empty() && !self.has_keys() && self.waiting.is_empty() && !reading {
            return Step::Finished;
        }
        let wake = match self.try_send(now) {
            Ok(step) => return step,
            Err(moment) => moment,
        };
        let max_outage = self.outage.since().map(|since| since + self.options.max_outage);
        let due = self.next_due();
        Step::Wait([wake, max_outage, due, self.errand_due(now), self.options.deadline].into_iter().flatten().min())
    }

    fn has_keys(&self) -> bool {
        !self.ready.is_empty() || !self.reads.is_empty()
    }

    fn look_at_the_clock(&mut self, now: Instant) {
        if self.options.deadline.is_some_and(|deadline| now >= deadline) {
            self.stop(Stop::new(StopReason::Deadline, "the deadline came"), now);
        }
        if let Some(since) = self.outage.since().filter(|since| now >= *since + self.options.max_outage) {
            let last = self.trouble.as_ref().map(|last| format!("; it came to: {last}")).unwrap_or_default();
            let (time, most) = (duration(now - since), duration(self.options.max_outage));
            let why = format!("the server has not answered well for {time} (--max-outage {most}){last}");
            self.stop(Stop::new(StopReason::Outage, why), now);
        }
        self.take_due(now);
    }
}
