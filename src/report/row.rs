//! One row of the report: its columns, their order, and how a settled record fills them.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::clock::clamp_rfc3339;
use crate::outcome::{Settled, Status};
use crate::text::truncated;

/// The columns, in order; the members of an NDJSON row have the same names.
pub(super) const COLUMNS: [&str; 9] =
    ["record", "key", "status", "http_status", "error_code", "error", "attempts", "elapsed_ms", "finished_at"];

/// A settled record as its row says it. The fields' order is the order of the columns.
#[derive(Debug, Serialize)]
pub(super) struct Row<'a> {
    pub(super) record: u64,
    pub(super) key: &'a str,
    #[serde(serialize_with = "displayed")]
    pub(super) status: Status,
    pub(super) http_status: Option<u16>,
    pub(super) error_code: Option<u64>,
    pub(super) error: Option<Cow<'a, str>>,
    pub(super) attempts: u32,
    pub(super) elapsed_ms: u64,
    #[serde(serialize_with = "displayed")]
    pub(super) finished_at: humantime::Rfc3339Timestamp,
}

impl<'a> From<&'a Settled> for Row<'a> {
    fn from(settled: &'a Settled) -> Self {
        let detail = settled.detail.as_deref();
        Self {
            record: settled.number.get(),
            key: &settled.key,
            status: settled.status,
            http_status: settled.http_status,
            error_code: detail.and_then(|detail| detail.error_code),
            error: detail.map(|detail| truncated(&detail.error)).filter(|error| !error.is_empty()),
            attempts: settled.attempts,
            elapsed_ms: u64::try_from(settled.elapsed.as_millis()).unwrap_or(u64::MAX),
            finished_at: humantime::format_rfc3339_millis(clamp_rfc3339(settled.finished_at)),
        }
    }
}

fn displayed<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::outcome::Detail;
    use crate::record::RecordNumber;

    #[test]
    fn an_error_is_at_most_a_kibibyte_wherever_it_comes_from() {
        let mut settled = Settled {
            number: RecordNumber::FIRST,
            key: "k".into(),
            status: Status::Failed,
            http_status: None,
            detail: Some(Box::new(Detail { error_code: None, error: "é".repeat(1 << 20) })),
            attempts: 1,
            elapsed: Duration::ZERO,
            finished_at: UNIX_EPOCH,
        };
        let error = Row::from(&settled).error.map(Cow::into_owned);
        assert_eq!(error, Some("é".repeat(510) + "…"));
        settled.detail = Some(Box::default());
        assert_eq!(Row::from(&settled).error, None);
    }

    #[test]
    fn moments_out_of_range_are_held_within_it() {
        let shown = |moment| humantime::format_rfc3339_millis(clamp_rfc3339(moment)).to_string();
        assert_eq!(shown(UNIX_EPOCH - Duration::from_millis(1)), "1970-01-01T00:00:00.000Z");
        assert_eq!(shown(UNIX_EPOCH + Duration::from_secs(1 << 40)), "9999-12-31T23:59:59.999Z");
        assert_eq!(shown(UNIX_EPOCH + Duration::from_micros(1_001_999)), "1970-01-01T00:00:01.001Z");
    }
}
