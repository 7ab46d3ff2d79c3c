//! All that changes while a job runs, and every decision about it, as plain calls with `now` passed in.
//!
//! What a reply leads to is in `reply`, how records get their final state in `settle`.

use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use rand::rngs::StdRng;
use slab::Slab;
use tokio::time::Instant;

use crate::key::KeyName;
use crate::outcome::{Detail, Settled, Status, StopReason, Tally};
use crate::pipeline::event::{Event, PauseCause};
use crate::pipeline::outage::{Allowance, Outage};
use crate::pipeline::retry::RetryPolicy;
use crate::pipeline::stop::{Accepted, FailureLimit, Signal, Stop};
use crate::pipeline::work::{Due, InFlight, Work};
use crate::plan::Approved;
use crate::quota::{Budget, NotYet, Permit};
use crate::record::{Content, Record};
use crate::terminal::{count, duration};

/// A wait for the rate that is worth a word.
const LONG_WAIT: Duration = Duration::from_secs(1);

mod reply;
mod settle;

/// Keys that wait for a retry; with more, no new ones are taken from the input.
const MOST_WAITING: usize = 4_096;

/// Rows that wait for the report's writer; with more, no answer is looked at, and so nothing is sent.
const MOST_ROWS: usize = 1_024;

/// How a job is run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The most requests in flight, at least 1.
    pub concurrency: usize,
    /// How often and how soon a key is tried again.
    pub retry: RetryPolicy,
    /// A longer pause after a 429 ends the job.
    pub max_pause: Duration,
    /// A longer outage ends the job.
    pub max_outage: Duration,
    /// More failures end the job.
    pub max_failures: Option<FailureLimit>,
    /// So many keys go alone, and unless all of them succeed, the job ends; 0 for none.
    pub canary: u64,
    /// The job ends at this moment.
    pub deadline: Option<Instant>,
    /// How long those in flight are waited for once the job ends early.
    pub grace: Duration,
}

/// What the loop is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask for the namespace, to see whether the server is up.
    Probe,
    /// Send a request for this key; its reply belongs to the slot.
    Send {
        /// Where the reply belongs.
        slot: usize,
        /// The key.
        key: KeyName,
    },
    /// Wait for something to happen, at most until this moment.
    Wait(Option<Instant>),
    /// Nothing is left to send or to wait for.
    Finished,
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
    /// Requests for a key that had one before.
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
    rng: StdRng,
    /// Keys that may be sent as soon as there is room: new ones at the back, repeated ones in front.
    ready: VecDeque<Work>,
    waiting: BinaryHeap<Due>,
    /// Keys that were sent at least once.
    begun: u64,
    slots: Slab<InFlight>,
    /// The permit of a [`Step::Probe`] that is under way.
    probe: Option<Permit>,
    rows: VecDeque<Settled>,
    events: Vec<Event>,
    totals: Totals,
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
            options,
            budget,
            rng,
            ready: VecDeque::new(),
            waiting: BinaryHeap::new(),
            begun: 0,
            slots: Slab::with_capacity(options.concurrency),
            probe: None,
            rows: VecDeque::new(),
            events: Vec::new(),
            totals: Totals::default(),
            input_ended: false,
            stop: None,
            signalled: false,
            paused: false,
            epoch: 0,
        }
    }

    /// Whether more records may be taken from the input.
    pub fn wants_records(&self) -> bool {
        !self.input_ended
            && self.stop.is_none()
            && (self.ready.len() < 2 * self.options.concurrency || self.wants_a_fresh_key())
            && self.waiting.len() < MOST_WAITING
            && self.has_room_for_rows()
    }

    /// During an outage an untried key is the best probe.
    fn wants_a_fresh_key(&self) -> bool {
        self.outage.since().is_some()
            && self.ready.len() < MOST_WAITING
            && self.ready.iter().all(|work| work.attempts > 0)
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
                self.ready.push_back(Work::new(number, key));
            }
            Content::Duplicate(key) => {
                let detail = Detail { error_code: None, error: "an earlier record names the same key".to_owned() };
                self.settle_unsent(number, key.into_boxed_str(), Status::Duplicate, detail);
            }
            Content::Invalid(invalid) => {
                let detail = Detail { error_code: None, error: invalid.reason };
                self.settle_unsent(number, invalid.key.into_boxed_str(), Status::Invalid, detail);
            }
            Content::Settled => {
                self.totals.resumed += 1;
                self.events.push(Event::Resumed);
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
        if self.slots.is_empty() && self.ready.is_empty() && self.waiting.is_empty() && !reading {
            return Step::Finished;
        }
        let wake = match self.try_send(now) {
            Ok(step) => return step,
            Err(moment) => moment,
        };
        let max_outage = self.outage.since().map(|since| since + self.options.max_outage);
        let due = self.waiting.peek().map(|due| due.at);
        Step::Wait([wake, max_outage, due, self.options.deadline].into_iter().flatten().min())
    }

    /// A listener wants to know why nothing happens for a while.
    fn tell_of_rate(&mut self, moment: Instant, now: Instant) {
        if !self.paused && moment >= now + LONG_WAIT && self.budget.paused_until(now).is_none() {
            self.paused = true;
            self.events.push(Event::Paused { until: moment, cause: PauseCause::Rate });
        }
    }

    /// Whether all canaries are on their way and not all of them are settled: no other key is begun.
    fn waits_for_canaries(&self) -> bool {
        self.begun >= self.options.canary && self.totals.tally.sent() < self.options.canary
    }

    /// The place of the key to send next, if there is one.
    fn choose(&self, probe: bool) -> Option<usize> {
        let find = |fresh: bool| self.ready.iter().position(|work| (work.attempts == 0) == fresh);
        match (probe, self.waits_for_canaries()) {
            // A key that has not failed yet tells most about the server. Where none is left, the server is asked
            // without one: the keys that remain may be just those that it cannot delete.
            (true, false) => find(true),
            (true, true) => None,
            (false, false) => Some(0).filter(|_| !self.ready.is_empty()),
            (false, true) => find(false),
        }
    }

    fn look_at_the_clock(&mut self, now: Instant) {
        if self.options.deadline.is_some_and(|deadline| now >= deadline) {
            self.stop(Stop::new(StopReason::Deadline, "the deadline came"), now);
        }
        if let Some(since) = self.outage.since().filter(|since| now >= *since + self.options.max_outage) {
            let why = format!("the server has not answered well for {}", duration(now - since));
            self.stop(Stop::new(StopReason::Outage, why), now);
        }
        while self.waiting.peek().is_some_and(|due| due.at <= now) {
            let Some(due) = self.waiting.pop() else { break };
            self.ready.push_front(due.work);
        }
    }

    /// One more request, or the moment to ask again (`None`: when something happens).
    fn try_send(&mut self, now: Instant) -> Result<Step, Option<Instant>> {
        if self.ready.is_empty() || !self.has_room_for_rows() {
            return Err(None);
        }
        let probe = match self.outage.allowance(now) {
            Allowance::InFlight(most) if self.slots.len() < most => false,
            Allowance::Probe if self.slots.len() < self.options.concurrency => true,
            Allowance::NotBefore(moment) => return Err(Some(moment)),
            Allowance::InFlight(_) | Allowance::Probe | Allowance::AwaitProbe => return Err(None),
        };
        let chosen = self.choose(probe);
        if chosen.is_none() && !probe {
            return Err(None);
        }
        let permit = match self.budget.try_take(now) {
            Ok(permit) => permit,
            Err(NotYet::Until(moment)) => {
                self.tell_of_rate(moment, now);
                return Err(Some(moment));
            }
            Err(NotYet::AnAnswer) => return Err(None),
        };
        if probe {
            self.outage.probe_sent();
        }
        let Some(mut work) = chosen.and_then(|index| self.ready.remove(index)) else {
            self.totals.requests += 1;
            self.probe = Some(permit);
            return Ok(Step::Probe);
        };
        if !probe && std::mem::take(&mut self.paused) {
            self.events.push(Event::Running);
        }
        self.totals.requests += 1;
        self.totals.retries += u64::from(work.attempts > 0);
        self.begun += u64::from(work.attempts == 0);
        work.attempts += 1;
        work.first_sent.get_or_insert(now);
        let key = work.key.clone();
        let slot = self.slots.insert(InFlight { work, permit, probe });
        Ok(Step::Send { slot, key })
    }
}
