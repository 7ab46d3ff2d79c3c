//! What a seed draws: the job, the server's quotas, and what goes wrong in each run.

use std::num::NonZeroU32;
use std::time::Duration;

use kvsweep::pipeline::{Batch, Batching, Course};
use kvsweep::quota::Rate;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Runs in which things go wrong; after that nothing does but the quota, and the job has to be finished by one more.
pub(crate) const STORMY_RUNS: usize = 8;

/// What holds for all runs of a seed.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) keys: usize,
    pub(crate) concurrency: usize,
    /// The most keys of a bulk call; one by one where there is none.
    pub(crate) batch: Option<NonZeroU32>,
    pub(crate) retries: u32,
    pub(crate) rates: Vec<Rate>,
    pub(crate) quota: Option<ServerQuota>,
    /// Whether the server tells its quota in every answer.
    pub(crate) tells_quota: bool,
    /// Keys that were not there to begin with, in percent.
    pub(crate) missing: u32,
    /// Whether deleting what is not there is refused with 10009 or succeeds.
    pub(crate) says_absent: bool,
    /// Keys that are always refused, and keys that always get a 500; in percent.
    pub(crate) bad: u32,
    /// The report's format.
    pub(crate) ndjson: bool,
    /// What is done about a key.
    pub(crate) course: Course,
    /// The most keys that may be looked for with one request.
    pub(crate) looked_for: usize,
}

/// A quota as the server keeps it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerQuota {
    pub(crate) rate: Rate,
    /// Fixed windows begin at multiples of their length; others slide.
    pub(crate) fixed: bool,
    /// How long everything is refused after one too many.
    pub(crate) penalty: Duration,
    pub(crate) retry_after: bool,
}

/// What goes wrong in one run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Weather {
    pub(crate) latency: (Duration, Duration),
    /// Of a thousand requests: 5xx without and with effect, lost before and after the delete, a stale connection, a
    /// 503 with Retry-After.
    pub(crate) refused: u32,
    pub(crate) refused_after: u32,
    pub(crate) lost_before: u32,
    pub(crate) lost_after: u32,
    pub(crate) stale: u32,
    pub(crate) busy: u32,
    /// Of a thousand keys of bulk calls: left undeleted by a call that succeeds.
    pub(crate) left: u32,
    /// From when to when, after the run's start, and how it looks.
    pub(crate) outage: Option<(Duration, Duration, OutageKind)>,
    pub(crate) token_expires: Option<Duration>,
    pub(crate) signals: Vec<Duration>,
    pub(crate) crash: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) max_failures: Option<u64>,
    /// How long the report's disk takes for a row, and the backup's for a record.
    pub(crate) disk: Duration,
    /// After how many records the backup's disk is full.
    pub(crate) backup_room: Option<usize>,
    /// How long the input takes for a record.
    pub(crate) input: Duration,
    /// How long after the run before this one begins.
    pub(crate) idle: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutageKind {
    /// Nobody listens.
    Refused,
    /// A proxy answers 503.
    Unavailable,
    /// Requests arrive, and maybe take effect, but no answer comes before the client's timeout.
    Silent,
}

fn chance(rng: &mut StdRng, percent: u32) -> bool {
    rng.random_range(0..100) < percent
}

fn between(rng: &mut StdRng, least: Duration, most: Duration) -> Duration {
    rng.random_range(least..=most)
}

pub(crate) fn seeded(seed: u64, part: u64) -> StdRng {
    StdRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(part))
}

impl World {
    pub(crate) fn batching(&self) -> Batching {
        self.batch.map_or(Batching::Single, |keys| Batching::Bulk(Batch { keys, bytes: 400 }))
    }

    pub(crate) fn draw(rng: &mut StdRng) -> Self {
        let keys = rng.random_range(1..=220);
        let mut rates = Vec::new();
        for _ in 0..rng.random_range(0..3) {
            let window = [SECOND, 5 * SECOND, 60 * SECOND][rng.random_range(0..3)];
            rates.push(Rate::new(rng.random_range(2..=60), window).unwrap());
        }
        let quota = chance(rng, 50).then(|| {
            let window = [SECOND, 10 * SECOND, 60 * SECOND][rng.random_range(0..3)];
            // Sometimes what the job keeps anyway, sometimes less than that.
            let drawn = Rate::new(rng.random_range(8..=100), window).unwrap();
            let rate = rates.first().copied().filter(|_| chance(rng, 50)).unwrap_or(drawn);
            ServerQuota {
                rate,
                fixed: chance(rng, 50),
                penalty: between(rng, Duration::ZERO, 300 * SECOND),
                retry_after: chance(rng, 70),
            }
        });
        Self {
            keys,
            concurrency: rng.random_range(1..=24),
            batch: NonZeroU32::new(rng.random_range(1..=60)).filter(|_| chance(rng, 40)),
            retries: [0, 1, 3, 8][rng.random_range(0..4)],
            rates,
            quota,
            tells_quota: chance(rng, 30),
            missing: [0, 0, 10, 60][rng.random_range(0..4)],
            says_absent: chance(rng, 60),
            bad: [0, 0, 0, 3][rng.random_range(0..4)],
            ndjson: chance(rng, 30),
            course: [Course::Delete, Course::CheckAndDelete, Course::BackUpAndDelete][rng.random_range(0..3)],
            looked_for: [1, 7, 40, 100][rng.random_range(0..4)],
        }
    }
}

impl Weather {
    /// Only what no network is without.
    pub(crate) fn calm() -> Self {
        Self { latency: (SECOND / 100, SECOND / 10), idle: SECOND, ..Self::default() }
    }

    pub(crate) fn draw(rng: &mut StdRng) -> Self {
        let slow = [SECOND / 50, SECOND / 5, 3 * SECOND][rng.random_range(0..3)];
        let mut fault = |percent| if chance(rng, percent) { rng.random_range(1..120) } else { 0 };
        let (refused, refused_after, lost_before) = (fault(30), fault(20), fault(30));
        let (lost_after, stale, busy, left) = (fault(30), fault(20), fault(20), fault(50));
        let moment = |rng: &mut StdRng| between(rng, Duration::ZERO, 40 * SECOND).mul_f64(rng.random_range(0.0..=1.0));
        let outage = chance(rng, 35).then(|| {
            let from = moment(rng);
            let length = if chance(rng, 10) { 2_000 * SECOND } else { between(rng, SECOND, 90 * SECOND) };
            let kind = [OutageKind::Refused, OutageKind::Unavailable, OutageKind::Silent][rng.random_range(0..3)];
            (from, from + length, kind)
        });
        let disk = if chance(rng, 20) { between(rng, Duration::ZERO, SECOND) } else { Duration::ZERO };
        let mut signals = Vec::new();
        // A signal while rows wait for a slow disk is worth more than its chance.
        if chance(rng, if disk.is_zero() { 20 } else { 60 }) {
            signals.push(moment(rng));
            if chance(rng, 40) {
                signals.push(signals[0] + moment(rng) / 4);
            }
        }
        Self {
            latency: (slow / 10, slow),
            refused,
            refused_after,
            lost_before,
            lost_after,
            stale,
            busy,
            left,
            outage,
            token_expires: chance(rng, 8).then(|| moment(rng)),
            signals,
            crash: chance(rng, 30).then(|| moment(rng)),
            deadline: chance(rng, 8).then(|| moment(rng)),
            max_failures: chance(rng, 8).then(|| rng.random_range(1..10)),
            disk,
            backup_room: chance(rng, 8).then(|| rng.random_range(0..100)),
            input: if chance(rng, 20) { between(rng, Duration::ZERO, SECOND / 5) } else { Duration::ZERO },
            idle: between(rng, Duration::ZERO, 300 * SECOND).mul_f64(rng.random_range(0.0..=1.0)),
        }
    }

    /// Whether only an outage can keep a key from being deleted.
    pub(crate) fn only_an_outage(&self) -> bool {
        [self.refused, self.refused_after, self.lost_before, self.lost_after, self.stale, self.busy, self.left]
            == [0; 7]
    }
}
