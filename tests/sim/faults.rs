//! What goes wrong in one run.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;

use crate::world::{SECOND, between, chance, one_of};

/// Runs in which things go wrong; after that nothing does but the quota, and the job has to be finished by one more.
pub(crate) const FAULTY_RUNS: usize = 8;

/// What goes wrong in one run.
#[derive(Debug, Clone)]
pub(crate) struct Faults {
    pub(crate) latency: (Duration, Duration),
    /// How much longer a request for the namespace takes: probes overlap.
    pub(crate) namespace_latency: Duration,
    /// Of a thousand requests: 5xx without and with effect, lost before and after the delete, a stale connection, a
    /// 503 with Retry-After, a response that is not the API's.
    pub(crate) refused: u32,
    pub(crate) refused_after: u32,
    pub(crate) lost_before: u32,
    pub(crate) lost_after: u32,
    pub(crate) stale: u32,
    pub(crate) busy: u32,
    pub(crate) unexpected: u32,
    /// Of a thousand keys of bulk calls: left undeleted by a call that succeeds.
    pub(crate) left: u32,
    /// Of a thousand bulk calls that delete some of their keys and then fail: with and without saying which, and those
    /// whose account of it contradicts itself.
    pub(crate) accounted: u32,
    pub(crate) unaccounted: u32,
    pub(crate) contradicted: u32,
    /// Of a thousand pages: refused, and refused as if the credentials were wrong.
    pub(crate) page_refused: u32,
    pub(crate) page_denied: u32,
    pub(crate) outages: Vec<Outage>,
    /// From when, after the run's start, and for how long the server says that its quota is used up.
    pub(crate) used_up: Option<(Duration, Duration)>,
    pub(crate) token_expires: Option<Duration>,
    pub(crate) day_is_over: Option<Duration>,
    pub(crate) signals: Vec<Duration>,
    /// A signal that comes after the preflight and before anything else.
    pub(crate) signal_between: bool,
    pub(crate) crash: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) max_wait: Duration,
    pub(crate) grace: Duration,
    pub(crate) max_failures: Option<u64>,
    pub(crate) canary: u64,
    pub(crate) max_keys: Option<u64>,
    /// How long the report's disk takes for a row, and the backup's for a record.
    pub(crate) disk: Duration,
    /// After how many records the backup's disk is full.
    pub(crate) backup_room: Option<usize>,
    /// How long the input takes for a record.
    pub(crate) input: Duration,
    /// After how many records the input breaks.
    pub(crate) breaks: Option<usize>,
    /// How long after the run before this one begins.
    pub(crate) idle: Duration,
}

/// From when to when, after the run's start, and how it looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outage {
    pub(crate) from: Duration,
    pub(crate) to: Duration,
    pub(crate) kind: OutageKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutageKind {
    /// Nobody listens.
    Refused,
    /// The API answers 503.
    Unavailable,
    /// A gateway answers 502.
    Gateway,
    /// 503, with a time to wait.
    Busy,
    /// Requests arrive, and maybe take effect, but no answer comes before the client's timeout.
    Silent,
    /// As that, but the namespace is found.
    Hanging,
    /// A portal or a firewall answers.
    NotTheApi,
}

impl Outage {
    fn draw(rng: &mut StdRng) -> Self {
        let from = moment(rng);
        let length = if chance(rng, 10) { 2_000 * SECOND } else { between(rng, SECOND, 90 * SECOND) };
        let kind = one_of(
            rng,
            [
                OutageKind::Refused,
                OutageKind::Unavailable,
                OutageKind::Gateway,
                OutageKind::Busy,
                OutageKind::Silent,
                OutageKind::Hanging,
                OutageKind::NotTheApi,
            ],
        );
        Self { from, to: from + length, kind }
    }
}

/// A moment of the run, more often an early one.
fn moment(rng: &mut StdRng) -> Duration {
    between(rng, Duration::ZERO, 40 * SECOND).mul_f64(rng.random_range(0.0..=1.0))
}

fn signals(rng: &mut StdRng, likely: bool) -> Vec<Duration> {
    let mut signals = Vec::new();
    if chance(rng, if likely { 60 } else { 20 }) {
        // Some come before the first request for a key.
        signals.push(if chance(rng, 15) { between(rng, Duration::ZERO, SECOND / 2) } else { moment(rng) });
        if chance(rng, 40) {
            signals.push(signals[0] + moment(rng) / 4);
        }
    }
    signals
}

/// How long a job waits for a success: seconds as often as minutes.
fn max_wait(rng: &mut StdRng) -> Duration {
    match rng.random_range(0..4) {
        0 => between(rng, 2 * SECOND, 20 * SECOND),
        1 => between(rng, 20 * SECOND, 120 * SECOND),
        _ => between(rng, 120 * SECOND, MAX_WAIT),
    }
}

const MAX_WAIT: Duration = Duration::from_mins(15);
const GRACE: Duration = Duration::from_secs(10);

impl Faults {
    /// Only what no network is without.
    pub(crate) fn none() -> Self {
        Self {
            latency: (SECOND / 100, SECOND / 10),
            namespace_latency: Duration::ZERO,
            refused: 0,
            refused_after: 0,
            lost_before: 0,
            lost_after: 0,
            stale: 0,
            busy: 0,
            unexpected: 0,
            left: 0,
            accounted: 0,
            unaccounted: 0,
            contradicted: 0,
            page_refused: 0,
            page_denied: 0,
            outages: Vec::new(),
            used_up: None,
            token_expires: None,
            day_is_over: None,
            signals: Vec::new(),
            signal_between: false,
            crash: None,
            deadline: None,
            max_wait: MAX_WAIT,
            grace: GRACE,
            max_failures: None,
            canary: 0,
            max_keys: None,
            disk: Duration::ZERO,
            backup_room: None,
            input: Duration::ZERO,
            breaks: None,
            idle: SECOND,
        }
    }

    pub(crate) fn draw(rng: &mut StdRng) -> Self {
        let slow = one_of(rng, [SECOND / 50, SECOND / 5, 3 * SECOND]);
        // In a third of the runs nothing but outages goes wrong, so that more can be said of those.
        let any = u32::from(!chance(rng, 33));
        let mut fault = |percent| if chance(rng, percent * any) { rng.random_range(1..120) } else { 0 };
        let (refused, refused_after, lost_before) = (fault(30), fault(20), fault(30));
        let (lost_after, stale, busy, unexpected) = (fault(30), fault(20), fault(20), fault(20));
        let (left, accounted, unaccounted, contradicted) = (fault(50), 2 * fault(50), fault(30), fault(30));
        let (page_refused, page_denied) = (fault(20), fault(20));
        let outages = (0..one_of(rng, [0, 0, 0, 1, 1, 2, 3])).map(|_| Outage::draw(rng)).collect();
        let disk = if chance(rng, 20) { between(rng, Duration::ZERO, SECOND) } else { Duration::ZERO };
        // A signal while rows wait for a slow disk is worth more than its chance.
        let signals = signals(rng, !disk.is_zero());
        let lengths = [Duration::from_secs(5), Duration::from_secs(90), Duration::from_secs(31_000_000)];
        Self {
            latency: (slow / 10, slow),
            namespace_latency: if chance(rng, 25) { between(rng, Duration::ZERO, 25 * SECOND) } else { Duration::ZERO },
            refused,
            refused_after,
            lost_before,
            lost_after,
            stale,
            busy,
            unexpected,
            left,
            accounted,
            unaccounted,
            contradicted,
            page_refused,
            page_denied,
            outages,
            used_up: chance(rng, 8).then(|| (moment(rng), one_of(rng, lengths))),
            token_expires: chance(rng, 8).then(|| moment(rng)),
            day_is_over: chance(rng, 4).then(|| moment(rng)),
            signals,
            signal_between: chance(rng, 3),
            crash: chance(rng, 30).then(|| moment(rng)),
            deadline: chance(rng, 8).then(|| moment(rng)),
            max_wait: max_wait(rng),
            grace: one_of(rng, [Duration::ZERO, SECOND, GRACE]),
            max_failures: chance(rng, 8).then(|| rng.random_range(1..10)),
            canary: if chance(rng, 8) { rng.random_range(1..12) } else { 0 },
            max_keys: chance(rng, 5).then(|| rng.random_range(1..220)),
            disk,
            backup_room: chance(rng, 8).then(|| rng.random_range(0..100)),
            input: if chance(rng, 20) { between(rng, Duration::ZERO, SECOND / 5) } else { Duration::ZERO },
            breaks: chance(rng, 8).then(|| rng.random_range(0..220)),
            idle: between(rng, Duration::ZERO, 300 * SECOND).mul_f64(rng.random_range(0.0..=1.0)),
        }
    }

    /// Whether only an outage can keep a key from being deleted.
    pub(crate) fn only_outages(&self) -> bool {
        let singles = [self.refused, self.refused_after, self.lost_before, self.lost_after, self.stale, self.busy];
        let bulk = [self.unexpected, self.left, self.accounted, self.unaccounted, self.contradicted];
        let pages = [self.page_refused, self.page_denied];
        singles.iter().chain(&bulk).chain(&pages).all(|share| *share == 0)
    }
}
