//! What a seed draws for all of its runs: the job, its limits, and the server's quotas.

use std::num::NonZeroU32;
use std::time::Duration;

use kvsweep::internals::{BatchLimit, Batching, KeyAction, OnExisting};
use kvsweep::{Rate, Status};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// What holds for all runs of a seed.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
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
    /// Keys that are always answered as if the credentials or an id were wrong, while the namespace is found; in percent.
    pub(crate) denied: u32,
    /// Whether that is so when they are read, too.
    pub(crate) denies_reads: bool,
    /// The report's format.
    pub(crate) ndjson: bool,
    /// What is done about a key.
    pub(crate) action: KeyAction,
    /// The most keys that may be looked for with one request.
    pub(crate) looked_for: usize,
    /// So many keys come in a page, if they are listed and not read.
    pub(crate) page: Option<usize>,
    pub(crate) room: Room,
}

/// How much may wait where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// Rows before the report's writer takes them.
    pub(crate) rows: usize,
    pub(crate) row_channel: usize,
    /// Records that the reader hands over at once, and how often it may before they are taken.
    pub(crate) records: usize,
    pub(crate) record_channel: usize,
    /// Keys that wait for a retry.
    pub(crate) waiting: usize,
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

pub(crate) fn chance(rng: &mut StdRng, percent: u32) -> bool {
    rng.random_range(0..100) < percent
}

pub(crate) fn between(rng: &mut StdRng, least: Duration, most: Duration) -> Duration {
    rng.random_range(least..=most)
}

pub(crate) fn one_of<T: Copy, const N: usize>(rng: &mut StdRng, choices: [T; N]) -> T {
    choices[rng.random_range(0..N)]
}

pub(crate) fn seeded(seed: u64, part: u64) -> StdRng {
    StdRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(part))
}

impl World {
    pub(crate) fn batching(&self) -> Batching {
        self.batch.map_or(Batching::Single, |keys| Batching::Bulk(BatchLimit { keys, bytes: 400 }))
    }

    /// Whether keys are written. Such a world is the mirror of one where keys are deleted: the keys that its server holds are
    /// those that do not exist yet.
    pub(crate) fn is_put(&self) -> bool {
        matches!(self.action, KeyAction::Put(_))
    }

    /// The states of a key that was changed, and of one that need not be.
    pub(crate) fn done(&self) -> (Status, Status) {
        if self.is_put() { (Status::Restored, Status::Kept) } else { (Status::Deleted, Status::Absent) }
    }

    pub(crate) fn draw(rng: &mut StdRng) -> Self {
        let action = one_of(
            rng,
            [
                KeyAction::Delete,
                KeyAction::CheckThenDelete,
                KeyAction::BackUpThenDelete,
                KeyAction::Put(OnExisting::Overwrite),
                KeyAction::Put(OnExisting::Keep),
            ],
        );
        let is_put = matches!(action, KeyAction::Put(_));
        let keys = rng.random_range(1..=220);
        let mut rates = Vec::new();
        for _ in 0..rng.random_range(0..3) {
            let window = one_of(rng, [SECOND, 5 * SECOND, 60 * SECOND]);
            rates.push(Rate::new(rng.random_range(2..=60), window).unwrap());
        }
        let quota = chance(rng, 50).then(|| {
            let window = one_of(rng, [SECOND, 10 * SECOND, 60 * SECOND]);
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
        let concurrency = if chance(rng, 40) { rng.random_range(1..=3) } else { rng.random_range(1..=24) };
        let most = if chance(rng, 30) { 3 } else { 60 };
        Self {
            keys,
            concurrency,
            batch: NonZeroU32::new(rng.random_range(1..=most))
                .filter(|_| is_put || chance(rng, 40))
                .or(is_put.then_some(NonZeroU32::MIN)),
            retries: one_of(rng, [0, 1, 3, 8]),
            rates,
            quota,
            tells_quota: chance(rng, 30),
            missing: one_of(rng, [0, 0, 10, 60]),
            says_absent: chance(rng, 60),
            bad: one_of(rng, [0, 0, 0, 3]),
            denied: one_of(rng, [0, 0, 0, 0, 2, 12]),
            denies_reads: chance(rng, 50),
            ndjson: chance(rng, 30),
            action,
            looked_for: one_of(rng, [1, 7, 40, 100]),
            page: chance(rng, 25).then(|| rng.random_range(1..=40)),
            room: Room::draw(rng),
        }
    }
}

impl Room {
    fn draw(rng: &mut StdRng) -> Self {
        let small = chance(rng, 50);
        let mut room = |usual| if small { one_of(rng, [1, 2, 5]) } else { usual };
        let (rows, row_channel, records) = (room(1_024), room(16), room(1));
        let (record_channel, waiting) = (room(16), room(4_096));
        Self { rows, row_channel, records, record_channel, waiting }
    }
}
