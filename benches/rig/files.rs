//! Files to work on: the same keys every time, and the report of a job that deleted them all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::SystemTime;

use crate::Outcome;

/// The key of a record: distinct, of about the length that real ones have, with bytes that have to be encoded.
fn key(record: u64) -> String {
    // Knuth's multiplicative hash: neighbours in the file are far apart in the key space.
    format!("session:user/{record:08}:{:08x}", record.wrapping_mul(2_654_435_761) & 0xffff_ffff)
}

/// A CSV of `count` keys under the heading `key`.
pub(crate) fn keys(count: u64, path: &Path) -> Outcome {
    listed(1..=count, path)
}

/// The same keys in no order: each step goes some millions of records further, round and round.
pub(crate) fn shuffled(count: u64, path: &Path) -> Outcome {
    // A prime that does not divide `count` comes by every record once.
    let step = if count.is_multiple_of(6_180_341) { 6_180_343 } else { 6_180_341 };
    listed((0..count).map(|place| place * step % count + 1), path)
}

fn listed(records: impl Iterator<Item = u64>, path: &Path) -> Outcome {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    writeln!(out, "key")?;
    for record in records {
        writeln!(out, "{}", key(record))?;
    }
    Ok(out.flush()?)
}

/// A finished report over the same keys, its rows a moment old.
#[expect(clippy::disallowed_methods, reason = "a report's rows bear the wall time")]
pub(crate) fn report(count: u64, path: &Path) -> Outcome {
    let finished = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    writeln!(out, "record,key,status,http_status,error_code,error,attempts,elapsed_ms,finished_at")?;
    for record in 1..=count {
        writeln!(out, "{record},{},deleted,200,,,1,3,{finished}", key(record))?;
    }
    Ok(out.flush()?)
}
