//! What the server does wrong, and how fast it is.

use std::time::Duration;

use kvsweep::sandbox::{Fault, MissingKey, Quota, RetryAfter, WindowKind};
use rand::RngExt;
use rand::rngs::StdRng;

use super::{chance, one_of};
use crate::case::Server;
use crate::contract;
use crate::front::Tls;
use crate::lab::TOKEN;

/// Faults of the sandbox's own list, those with a name more often than one of the many statuses.
fn faults(rng: &mut StdRng, names: &[String], bulk: bool) -> Vec<String> {
    // A bulk call that accounts for some of its names, in every shape.
    if bulk && !names.is_empty() && chance(rng, 25) {
        let status = one_of(rng, &["", "400", "404", "409", "500", "503"]);
        let length = rng.random_range(1..5);
        let prefix: String = one_of(rng, names).chars().take(length).collect();
        return vec![format!("unsuccessful{status}x{}@prefix:{prefix}", one_of(rng, &[1, 2]))];
    }
    let is_named = |kind: &String| !kind.contains(|char: char| char.is_ascii_digit());
    let (words, statuses): (Vec<String>, Vec<String>) = Fault::kinds().partition(is_named);
    let usual =
        ["400", "401", "403", "404", "429", "500", "503", "html403", "html502", "unsuccessful400", "unsuccessful500"];
    let mut faults = Vec::new();
    for _ in 0..one_of(rng, &[0, 0, 1, 2]) {
        let kind = match rng.random_range(0..10) {
            0..5 => one_of(rng, &words),
            5..8 => one_of(rng, &usual).to_owned(),
            _ => one_of(rng, &statuses),
        };
        let first = rng.random_range(3..60);
        faults.push(format!("{kind}@nth:{first}-{}", first + rng.random_range(0..3)));
    }
    faults
}

/// So many requests that the job has to wait a few times.
fn quota(rng: &mut StdRng, requests: usize) -> Quota {
    let least = u32::try_from(requests / 4).unwrap_or(u32::MAX).max(4);
    let (count, window) = (least + rng.random_range(0..4), Duration::from_millis(one_of(rng, &[50, 200, 1_000])));
    let kind = one_of(rng, &[WindowKind::Sliding, WindowKind::Fixed]);
    let block = one_of(rng, &[Duration::ZERO, window, Duration::from_millis(600)]);
    Quota { kind, block, ..Quota::sliding(count, window) }
}

fn tls(rng: &mut StdRng) -> Tls {
    Tls {
        http2: chance(rng, 50),
        untrusted: one_of(rng, &[0, 0, 1, 2]),
        lifetime: one_of(rng, &[None, Some(100_000), Some(150_000)]),
    }
}

pub(super) fn server(rng: &mut StdRng, names: &[String], bulk: bool) -> Server {
    let is_strict = !names.is_empty() && chance(rng, 30);
    let count = if is_strict { rng.random_range(1..4) } else { 0 };
    let hostile = format!("Bearer {TOKEN} is \u{1b}[2J\u{9b}31m refused\r\n\u{202e}");
    let messages = ["malformed key".to_owned(), hostile, "é, \"b\"\n".repeat(900), String::new()];
    let of_bulk = |fault: &String| ["unsuccessful", "wrong-"].iter().any(|kind| fault.starts_with(kind));
    let faults = faults(rng, names, bulk).into_iter().filter(|fault| bulk || !of_bulk(fault));
    let (temporary, refusing) = faults.partition(|fault| contract::is_temporary(fault));
    Server {
        missing: one_of(rng, &[usize::MAX, 10, 3]),
        missing_key: one_of(rng, &[MissingKey::Success, MissingKey::NotFound]),
        temporary,
        refusing,
        refused: (0..count).map(|_| one_of(rng, names)).collect(),
        refusal: one_of(rng, &messages),
        url_encoding: !chance(rng, 4),
        latency_us: one_of(rng, &[0, 0, 500, 2_000]),
        quota: (names.len() < 300 && chance(rng, 6)).then(|| quota(rng, names.len())),
        retry_after: one_of(rng, &[RetryAfter::Seconds, RetryAfter::HttpDate, RetryAfter::Zero, RetryAfter::Absent]),
        idle_close: chance(rng, 10).then(|| one_of(rng, &[1, 20, 100])),
        tls: chance(rng, 8).then(|| tls(rng)),
    }
}
