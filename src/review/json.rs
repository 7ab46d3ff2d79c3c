//! A review and a comparison as one JSON object each, for scripts.

use std::time::SystemTime;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::timeline::moment;
use super::{Cause, Causes, Diff, Review};
use crate::clock::rfc3339_millis;
use crate::outcome::Status;
use crate::report::counts;

const CAUSES: usize = 100;

impl Serialize for Review {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("reports", &self.file_values())?;
        map.serialize_entry("inputs", &self.inputs)?;
        map.serialize_entry("rows", &self.rows)?;
        map.serialize_entry("records", &self.tally.total())?;
        map.serialize_entry("total_records", &self.progress.total)?;
        map.serialize_entry("not_attempted", &self.not_attempted())?;
        map.serialize_entry("missing_shards", &self.progress.missing_shards)?;
        for status in Status::ALL {
            map.serialize_entry(status.as_str(), &self.tally.get(status))?;
        }
        for (name, others, causes) in
            [("causes", "other_causes", &self.causes), ("kept_by_rule", "kept_by_other_rules", &self.kept)]
        {
            let (listed, rest) = cause_values(causes);
            map.serialize_entry(name, &listed)?;
            map.serialize_entry(others, &rest)?;
        }
        let attempts =
            self.attempt_counts().map(|(attempts, records)| json!({"attempts": attempts, "records": records}));
        map.serialize_entry("attempts", &attempts.collect::<Vec<_>>())?;
        let quantile = |quantile| (!self.elapsed.is_empty()).then(|| self.elapsed_ms(quantile));
        let elapsed = json!({
            "p50": quantile(0.5), "p90": quantile(0.9), "p99": quantile(0.99), "max": quantile(1.0),
        });
        map.serialize_entry("elapsed_ms", &elapsed)?;
        let finished = self.files.iter().filter_map(|file| file.finished);
        let (first, last) = (finished.clone().map(|range| range.0).min(), finished.map(|range| range.1).max());
        map.serialize_entry("first_finished_at", &time(first))?;
        map.serialize_entry("last_finished_at", &time(last))?;
        map.serialize_entry("rate_per_s", &self.rate().map(|rate| (rate * 1000.0).round() / 1000.0))?;
        map.serialize_entry("timeline", &self.timeline_value())?;
        let (count, together, pauses) = self.timeline.pauses();
        let longest = pauses
            .iter()
            .filter(|pause| !pause.is_idle)
            .map(|pause| json!({"from": moment(pause.from_ms).to_string(), "s": pause.length_ms as f64 / 1000.0}));
        let longest: Vec<Value> = longest.collect();
        map.serialize_entry("pauses", &json!({"count": count, "s": together.as_secs_f64(), "longest": longest}))?;
        map.serialize_entry("not_running_s", &self.timeline.idle().as_secs_f64())?;
        map.end()
    }
}

/// The most frequent causes, and how many records have others.
fn cause_values(causes: &Causes) -> (Vec<Value>, u64) {
    let by_count = causes.by_count();
    let value = |cause: &&Cause| {
        json!({
            "status": cause.status.as_str(), "http_status": cause.http_status, "error_code": cause.error_code,
            "error": cause.error, "count": cause.count, "keys": cause.keys,
        })
    };
    (by_count.iter().take(CAUSES).map(value).collect(), causes.beyond(CAUSES))
}

impl Review {
    fn file_values(&self) -> Vec<Value> {
        let value = |file: &super::ReportedFile| {
            json!({
                "path": file.path.to_string_lossy(), "rows": file.rows, "records": file.records,
                "torn_bytes": file.extent.torn, "first_finished_at": time(file.finished.map(|range| range.0)),
                "last_finished_at": time(file.finished.map(|range| range.1)), "job": file.job_value(),
            })
        };
        self.files.iter().map(value).collect()
    }

    fn timeline_value(&self) -> Value {
        let timeline = &self.timeline;
        if timeline.bins().is_empty() {
            return Value::Null;
        }
        let bins = timeline.bins().iter();
        let bins = bins.map(|bin| json!({"done": bin.done, "failed": bin.failed, "retried": bin.retried}));
        json!({
            "from": moment(timeline.start_ms()).to_string(),
            "column_s": timeline.width().as_secs_f64(),
            "columns": bins.collect::<Vec<_>>(),
        })
    }
}

impl Serialize for Diff {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("planned", &self.planned)?;
        map.serialize_entry("planned_and_gone", &(self.planned - self.planned_not_gone()))?;
        map.serialize_entry("planned_and_not_gone", &self.planned_not_gone())?;
        map.serialize_entry("planned_without_row", &self.not_done)?;
        map.serialize_entry("planned_by_status", &counts(&self.done))?;
        map.serialize_entry("not_gone_keys", &self.not_gone_keys)?;
        map.serialize_entry("unplanned", &self.unplanned.total())?;
        map.serialize_entry("unplanned_by_status", &counts(&self.unplanned))?;
        map.serialize_entry("unplanned_keys", &self.unplanned_keys)?;
        map.serialize_entry("differs", &self.differs())?;
        map.end()
    }
}

fn time(moment: Option<SystemTime>) -> Option<String> {
    moment.map(|moment| rfc3339_millis(moment).to_string())
}
