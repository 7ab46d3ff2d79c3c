//! A job with all that surrounds it, after some events, and what has to be true of it then.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::responses::{Canned, Kind, Server};
use super::*;
use crate::api::{Page, PageRequest, Presence};
use crate::outcome::Pending;
use crate::pipeline::retry::Failure;
use crate::pipeline::state::{Slot, Step, Wait};
use crate::record::{Kept, Pair};

mod promises;

pub(super) use promises::keys_of;

/// What can happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Record,
    /// All records that are left, at once.
    Rest,
    End,
    /// The input breaks.
    Broken,
    /// The report's writer takes a row and writes it.
    Row,
    /// The moment comes that is waited for.
    Timer,
    Signal,
    /// To the request at this place of those in flight.
    Response(u8, Canned),
}

#[derive(Debug)]
struct Outstanding {
    slot: Slot,
    request: Request,
    given_up: bool,
}

/// What a server has proved of a key with its latest answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
enum Proof {
    #[default]
    Nothing,
    Exists,
    Absent,
    Deleted,
    Refused,
    /// It was looked for, and the response does not tell.
    Unknown,
}

#[derive(Debug, Clone, Default, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "what has happened to a key, in any order")]
struct Key {
    /// Whether it was sent in a request of any kind, and in one that deletes it.
    sent: bool,
    delete_sent: bool,
    in_flight: bool,
    metadata_read: bool,
    /// It was looked for and exists, or it was backed up.
    read: bool,
    proof: Proof,
    /// A look or a comparison found that it does not exist.
    found_absent: bool,
    /// What comparisons found, of its value and then of its metadata.
    compared: Vec<bool>,
    row: Option<Status>,
    /// Whether its row is written.
    written: bool,
}

#[derive(Debug)]
struct Book {
    sizes: &'static [usize],
    at: usize,
}

impl Pages for Book {
    fn request(&self) -> Option<PageRequest> {
        (self.at < self.sizes.len()).then(|| PageRequest { prefix: String::new(), cursor: None })
    }

    fn accept(&mut self, page: Page) -> Result<Vec<Record>, Stop> {
        if page.next.is_some() {
            return Err(Stop::new(StopReason::IoError, "no page after this one"));
        }
        let first = self.sizes[..self.at].iter().sum();
        self.at += 1;
        Ok((first..first + self.sizes[self.at - 1]).map(|index| record(index, 'k')).collect())
    }

    fn refused(&mut self, failure: &Failure) -> Result<(), Stop> {
        Err(Stop::new(StopReason::NamespaceNotFound, failure.refusal.message.clone()))
    }
}

fn key(index: usize) -> KeyName {
    KeyName::new(index.to_string()).unwrap()
}

fn record(index: usize, what: char) -> Record {
    let content = match what {
        'k' => Content::Key(key(index)),
        'w' => Content::Pair(Arc::new(Pair { key: key(index), json: Box::default(), expiration: None })),
        'd' => Content::Duplicate(key(index)),
        'p' => Content::Kept(Box::new(Kept { key: key(index), rule: String::new() })),
        'i' => Content::Invalid(Box::new(Invalid { key: String::new(), rule: "".into(), reason: String::new() })),
        _ => Content::Settled,
    };
    Record { number: number(index), content }
}

pub(super) struct World<'a> {
    job: &'a Job,
    state: State,
    start: Instant,
    now: Instant,
    /// What is waited for; `None` once the job has ended.
    pub(super) wait: Option<Wait>,
    in_flight: Vec<Outstanding>,
    keys: Vec<Key>,
    given: usize,
    pages: usize,
    input_ended: bool,
    faults: u32,
    signals: u32,
    requests: u64,
    throttled: u64,
    /// Rows that wait and were seen.
    rows: usize,
    written: u64,
    /// When a request has last succeeded, or the first one was sent.
    progress: Option<Instant>,
    /// When requests were answered, or given up.
    answered: Vec<Instant>,
    /// Whether the job ends early and its reason was checked.
    stop_seen: bool,
    /// Whether what happens now was checked before.
    checked: bool,
    /// Probes in a row that passed over a key whose retry was due.
    passed_over: u32,
}

impl<'a> World<'a> {
    pub(super) fn new(job: &'a Job, start: Instant) -> Self {
        let budget = Budget::new(&job.rates, start);
        let deadline = job.deadline.map(|deadline| start + deadline);
        let options = Options { deadline, max_keys: job.max_keys, ..job.options };
        let mut state = State::new(options, budget, StdRng::seed_from_u64(11));
        if !job.pages.is_empty() {
            state = state.with_pages(Box::new(Book { sizes: job.pages, at: 0 }), Vec::new(), start);
        }
        let count = job.records.len() + job.pages.iter().sum::<usize>();
        let mut world = Self {
            job,
            state,
            start,
            now: start,
            wait: None,
            in_flight: Vec::new(),
            keys: vec![Key::default(); count],
            given: 0,
            pages: 0,
            input_ended: false,
            faults: 0,
            signals: 0,
            requests: 0,
            throttled: 0,
            rows: 0,
            written: 0,
            progress: None,
            answered: Vec::new(),
            stop_seen: false,
            checked: false,
            passed_over: 0,
        };
        world.advance();
        world
    }

    /// The job after these events, which were checked before.
    pub(super) fn replay(job: &'a Job, start: Instant, path: &[Event]) -> Self {
        let mut world = Self::new(job, start);
        world.checked = true;
        for event in path {
            world.apply(*event);
        }
        world.checked = false;
        world
    }

    /// What tells this node of the search from others.
    pub(super) fn fingerprint(&self) -> (u64, u32, u64) {
        (self.fingerprint_whatever_came_before(), self.faults, self.throttled)
    }

    /// The same, whatever the server has said so far.
    pub(super) fn fingerprint_whatever_came_before(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.state.fingerprint(&mut hasher);
        (&self.keys, self.given, self.pages, self.signals).hash(&mut hasher);
        let about: Vec<_> =
            self.in_flight.iter().filter(|request| request.given_up).map(|request| keys_of(&request.request)).collect();
        (about, self.passed_over).hash(&mut hasher);
        if let Some(wait) = self.wait {
            (wait.response, wait.record, wait.row).hash(&mut hasher);
            // Only how far off the moment is, roughly.
            let until = wait.until.map(|until| until - self.now);
            until.map(|wait| [SECOND, 6 * SECOND].map(|step| wait <= step)).hash(&mut hasher);
        } else {
            u8::MAX.hash(&mut hasher);
        }
        let window = |answered: &&Instant| **answered + SECOND > self.now;
        (self.job.rates.len() * self.answered.iter().filter(window).count()).hash(&mut hasher);
        hasher.finish()
    }

    /// All that can happen next.
    pub(super) fn enabled(&self) -> Vec<Event> {
        let Some(wait) = self.wait else { return Vec::new() };
        let mut events = self.steps(wait);
        if wait.response {
            for (place, outstanding) in self.in_flight.iter().enumerate() {
                let responses = Canned::all(&outstanding.request, self.job.kinds);
                let affordable =
                    responses.into_iter().filter(|canned| self.faults < self.job.faults || !canned.is_fault());
                events.extend(affordable.map(|canned| Event::Response(u8::try_from(place).unwrap(), canned)));
            }
        }
        if self.signals < self.job.signals {
            events.push(Event::Signal);
        }
        events
    }

    /// What happens without the server and signals.
    fn steps(&self, wait: Wait) -> Vec<Event> {
        let left = self.job.records.len() - self.given.min(self.job.records.len());
        let steps = [
            (Event::Row, wait.row),
            (Event::Record, wait.record && left > 0),
            (Event::Rest, wait.record && left > 1),
            (Event::End, wait.record),
            (Event::Broken, wait.record && self.job.may_break),
            (Event::Timer, wait.until.is_some()),
        ];
        steps.into_iter().filter(|(_, enabled)| *enabled).map(|(event, _)| event).collect()
    }

    /// What happens next if the writer is quick, the input ends, and the server is like that.
    pub(super) fn next_with(&self, server: Server) -> Option<Event> {
        let wait = self.wait?;
        let steps = self.steps(wait);
        let response = || {
            let responses = self.in_flight.iter().enumerate().filter(|_| wait.response);
            let mut responses =
                responses.filter_map(|(place, outstanding)| Some((place, server.response_to(&outstanding.request)?)));
            responses.next().map(|(place, canned)| Event::Response(u8::try_from(place).unwrap(), canned))
        };
        let step = |event| steps.contains(&event).then_some(event);
        step(Event::Row)
            .or_else(response)
            .or_else(|| [Event::Rest, Event::Record, Event::End, Event::Timer].into_iter().find_map(step))
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    pub(super) fn apply(&mut self, event: Event) {
        let wait = self.wait.expect("a job that goes on");
        self.now += Duration::from_millis(1);
        match event {
            Event::Record => self.give(),
            Event::Rest => (self.given..self.job.records.len()).for_each(|_| self.give()),
            Event::End | Event::Broken => {
                self.input_ended = true;
                self.state.on_input_end();
                if event == Event::Broken {
                    self.state.stop(Stop::reading(StopReason::IoError, "it breaks"), self.now);
                }
            }
            Event::Row => {
                let row = self.state.rows().remove(0);
                self.keys[usize::try_from(row.number.get()).unwrap() - 1].written = true;
                self.rows -= 1;
                self.written += 1;
                self.state.on_rows_written(self.written);
            }
            Event::Timer => self.now = self.now.max(wait.until.expect("a timer")),
            Event::Signal => {
                self.signals += 1;
                self.state.on_signal(Signal::Interrupt, self.now);
            }
            Event::Response(place, canned) => {
                let Outstanding { slot, request, given_up } = self.in_flight.remove(place.into());
                self.faults += u32::from(canned.is_fault());
                if !given_up {
                    self.answered.push(self.now);
                    self.learn(&request, canned);
                }
                self.state.on_response(slot, canned.response(&request), self.now);
            }
        }
        self.look();
        self.advance();
    }

    fn give(&mut self) {
        let what = self.job.records.chars().nth(self.given).unwrap();
        self.state.on_record(record(self.given, what), self.now);
        self.given += 1;
    }

    /// What the loop does before it waits.
    fn advance(&mut self) {
        for _ in 0..100 {
            let retry_due = self.state.has_retry_due(self.now);
            match self.state.next(self.now) {
                Step::Send { slot, request } => {
                    self.on_send(slot, request, retry_due);
                    self.look();
                }
                Step::Wait(wait) => {
                    self.look();
                    if wait.until.is_some_and(|until| until <= self.now) {
                        continue;
                    }
                    self.wait = Some(wait);
                    if !self.checked {
                        self.check_wait(wait);
                    }
                    return;
                }
                Step::Finished => {
                    self.look();
                    self.wait = None;
                    self.check_end();
                    return;
                }
            }
        }
        panic!("it asks again and again");
    }
}
