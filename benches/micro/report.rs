//! A report's row in both formats.

use std::time::{Duration, UNIX_EPOCH};

use criterion::Criterion;
use kvsweep::Status;
use kvsweep::internals::{Detail, Format, RecordNumber, Settled, append_row};

use crate::key::names;

pub(crate) fn measure(criterion: &mut Criterion) {
    let detail = Detail { error_code: Some(10_001), error: "service \"kv\" unavailable, try again".to_owned() };
    let mut group = criterion.benchmark_group("row");
    for (format, detail) in [(Format::Csv, None), (Format::Csv, Some(&detail)), (Format::Ndjson, None)] {
        let what = format!("{format:?}{}", if detail.is_some() { " with an error" } else { "" });
        let settled = Settled {
            number: RecordNumber::new(1_234_567).unwrap_or(RecordNumber::FIRST),
            key: names(1).next().unwrap_or_default().into(),
            status: if detail.is_some() { Status::Failed } else { Status::Deleted },
            http_status: Some(if detail.is_some() { 503 } else { 200 }),
            detail: detail.map(|detail| Box::new(detail.clone())),
            attempts: 1,
            elapsed: Duration::from_millis(12),
            finished_at: UNIX_EPOCH + Duration::from_millis(1_793_275_200_042),
        };
        let mut out = Vec::with_capacity(1_024);
        group.bench_function(what, |bencher| {
            bencher.iter(|| {
                out.clear();
                append_row(format, &settled, &mut out);
                out.len()
            });
        });
    }
    group.finish();
}
