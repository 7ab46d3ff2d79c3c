//! Statistics of a dry run that sends requests: of the keys that would be deleted, and of the records that are not sent.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::key::KeyName;
use crate::outcome::{Settled, Status};
use crate::plan::stats::{InvalidReasons, Stats};
use crate::record::{Content, Record};

use super::scan::KeySource;

/// The records that are not sent. Their rows no longer say by which rule, so they are seen where they are read, in a thread
/// of its own.
#[derive(Debug, Default)]
pub(super) struct InvalidCollector(Arc<Mutex<Stats>>);

impl InvalidCollector {
    /// Looks at the records as they are handed out.
    pub(super) fn tap(&self, records: &mut KeySource) {
        let seen = Arc::clone(&self.0);
        records.add_stage(move |record| {
            if matches!(record.content, Content::Invalid(_) | Content::Kept(_)) {
                seen.lock().unwrap_or_else(PoisonError::into_inner).add(record);
            }
        });
    }

    fn reasons(&self) -> (InvalidReasons, InvalidReasons) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut seen.invalid), std::mem::take(&mut seen.kept))
    }
}

/// Passes every row on, and outlines what they say is to be deleted.
pub(super) async fn collect_stats(
    invalid_records: InvalidCollector,
    mut settled: mpsc::Receiver<Settled>,
    rows: mpsc::Sender<Settled>,
) -> Stats {
    let mut stats = Stats::default();
    while let Some(row) = settled.recv().await {
        if row.status == Status::Planned
            && let Ok(key) = KeyName::new(&*row.key)
        {
            stats.take(Record { number: row.number, content: Content::Key(key) });
        }
        // Where nobody takes it, the pipeline hears of that by its own channel.
        if rows.send(row).await.is_err() {
            break;
        }
    }
    (stats.invalid, stats.kept) = invalid_records.reasons();
    stats
}
