//! The job in numbers: one JSON object for a script, a few lines for a person.

use std::time::{Duration, SystemTime};

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::causes::Cause;
use super::job_file::Kind;

use crate::clock::rfc3339_millis;
use crate::outcome::{Status, StopReason, Tally};
use crate::terminal::{count, duration, percent, pluralized};

/// The schema of the serialized summary, `docs/schema/summary.schema.json`.
const SCHEMA_VERSION: u32 = 1;

/// The result of a run. Serialized, it has exactly the members of the contract, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Records of the input, as far as it was read.
    pub records: u64,
    /// Records by their final status, those of earlier runs included.
    pub tally: Tally,
    pub resumed: u64,
    pub sent: u64,
    /// Requests sent, retries included.
    pub requests: u64,
    pub retries: u64,
    /// Responses that asked for a pause (429).
    pub throttled: u64,
    pub elapsed: Duration,
    pub stopped: Option<StopReason>,
    pub exit_code: u8,
    /// Which job it is; `None` while it runs.
    pub facts: Option<Facts>,
    pub report: Option<String>,
    /// Why records are failed, unknown or invalid, the most frequent cause first.
    pub causes: Vec<Cause>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub kind: Kind,
    pub account_id: Option<String>,
    pub namespace_id: Option<String>,
    pub namespace_title: Option<String>,
    pub started_at: SystemTime,
}

impl Summary {
    pub(crate) const SHOWN_CAUSES: usize = 3;

    /// Keys sent per second; 0 if no time passed.
    pub(crate) fn rate(&self) -> f64 {
        if self.elapsed.is_zero() { 0.0 } else { self.sent as f64 / self.elapsed.as_secs_f64() }
    }

    /// Records without a row, because the job stopped early.
    pub(crate) fn not_attempted(&self) -> u64 {
        self.records.saturating_sub(self.tally.total())
    }

    /// For a person, a line each: the main state and those that occurred, then time, rate and requests.
    pub(crate) fn to_text(&self) -> Vec<String> {
        let main = match self.facts.as_ref().map(|facts| facts.kind) {
            Some(Kind::DryRun) => Status::Planned,
            Some(Kind::Restore) => Status::Restored,
            Some(Kind::RestoreDryRun) => Status::Restorable,
            Some(Kind::Delete | Kind::Rehearsal) | None => Status::Deleted,
        };
        let shown: Vec<_> = self.states().filter(|&(name, number)| name == main.as_str() || number > 0).collect();
        let mut lines = states_to_text(&shown, None);

        if self.resumed > 0 {
            lines.push(format!("resumed: {} finished by an earlier run", pluralized(self.resumed, "record")));
        }
        lines.push(self.work());
        lines
    }

    /// `482 records in 0.1s: 1 invalid, 1 duplicate`, for what says itself how many keys are planned.
    pub(crate) fn others_to_text(&self) -> String {
        let others = self.states().filter(|(status, number)| *number > 0 && *status != Status::Planned.as_str());
        let others: Vec<_> = others.map(|(status, number)| format!("{} {status}", count(number))).collect();
        if others.is_empty() { self.work() } else { format!("{}: {}", self.work(), others.join(", ")) }
    }

    fn states(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.tally.by_name().chain([("not attempted", self.not_attempted())])
    }

    /// The most frequent causes of failure, each after its status.
    pub(crate) fn causes_to_text(&self) -> Vec<(&'static str, String)> {
        self.causes.iter().take(Self::SHOWN_CAUSES).map(|cause| (cause.status.as_str(), cause.to_string())).collect()
    }

    /// Why the job ended early, for what is read without its messages.
    pub(crate) fn stopped_to_text(&self) -> Option<String> {
        self.stopped.map(|reason| format!("stopped early: {}", in_words(reason)))
    }

    /// `1,234 records in 4.0s, 308.5 keys/s; 1,240 requests, 6 retries, throttled 1 time`.
    fn work(&self) -> String {
        let time = format!("{} in {}", pluralized(self.records, "record"), duration(self.elapsed));
        if self.requests == 0 {
            return time;
        }
        let retries = match self.retries {
            0 => String::new(),
            1 => ", 1 retry".to_owned(),
            many => format!(", {} retries", count(many)),
        };
        let throttled = match self.throttled {
            0 => String::new(),
            times => format!(", throttled {}", pluralized(times, "time")),
        };
        let requests = pluralized(self.requests, "request");
        let rate = if self.sent == 0 { String::new() } else { format!(", {:.1} keys/s", self.rate()) };
        format!("{time}{rate}; {requests}{retries}{throttled}")
    }
}

/// A line for each state, with its share of the whole, if that is known.
pub(crate) fn states_to_text(states: &[(&str, u64)], whole: Option<u64>) -> Vec<String> {
    let name_width = states.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let number_width = states.iter().map(|(_, number)| count(*number).len()).max().unwrap_or_default();
    let line = |(name, number): &(&str, u64)| {
        let share = whole.map(|whole| format!("  {:>5}", percent(*number, whole))).unwrap_or_default();
        format!("{name:name_width$}  {:>number_width$}{share}", count(*number))
    };
    states.iter().map(line).collect()
}

fn in_words(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Unauthorized => "the credentials were refused",
        StopReason::NamespaceNotFound => "the account has no such namespace, or it cannot be read",
        StopReason::AccountNotFound => "the account does not exist or cannot be read",
        StopReason::DailyLimit => "the daily limit is reached (reset at 00:00 UTC)",
        StopReason::MaxFailures => "--max-failures was reached",
        StopReason::MaxKeys => "more keys than --max-keys",
        StopReason::MinKeys => "fewer keys than --min-keys",
        StopReason::Expect => "not as many keys as --expect",
        StopReason::Canary => "one of the first keys was not deleted (--canary)",
        StopReason::Outage => "no successful request for longer than --max-wait",
        StopReason::Deadline => "the --deadline passed",
        StopReason::Interrupted => "interrupted by a signal",
        StopReason::InputError => "an input could not be read to its end",
        StopReason::IoError => "the report or another output could not be written",
        StopReason::UnexpectedResponse => "the certificate is not trusted, or the response is not the API's",
    }
}

impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let thousandths = |number: f64| (number * 1000.0).round() / 1000.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("records", &self.records)?;
        // In the order of the first versions; `kept` came later.
        for status in Status::ALL.into_iter().filter(|status| !is_later(*status)) {
            map.serialize_entry(status.as_str(), &self.tally.get(status))?;
        }
        map.serialize_entry("resumed", &self.resumed)?;
        map.serialize_entry("requests", &self.requests)?;
        map.serialize_entry("retries", &self.retries)?;
        map.serialize_entry("throttled", &self.throttled)?;
        map.serialize_entry("elapsed_s", &thousandths(self.elapsed.as_secs_f64()))?;
        map.serialize_entry("rate_per_s", &thousandths(self.rate()))?;
        map.serialize_entry("stopped", &self.stopped)?;
        map.serialize_entry("exit_code", &self.exit_code)?;
        for status in Status::ALL.into_iter().filter(|status| is_later(*status)) {
            map.serialize_entry(status.as_str(), &self.tally.get(status))?;
        }
        map.serialize_entry("not_attempted", &self.not_attempted())?;
        map.serialize_entry("schema_version", &SCHEMA_VERSION)?;
        map.serialize_entry("version", env!("CARGO_PKG_VERSION"))?;
        let facts = self.facts.as_ref();
        map.serialize_entry("kind", &facts.map(|facts| facts.kind))?;
        map.serialize_entry("account_id", &facts.and_then(|facts| facts.account_id.as_deref()))?;
        map.serialize_entry("namespace_id", &facts.and_then(|facts| facts.namespace_id.as_deref()))?;
        map.serialize_entry("namespace_title", &facts.and_then(|facts| facts.namespace_title.as_deref()))?;
        let started_at = facts.map(|facts| rfc3339_millis(facts.started_at).to_string());
        map.serialize_entry("started_at", &started_at)?;
        map.serialize_entry("report", &self.report)?;
        map.serialize_entry("causes", &self.causes.iter().map(cause).collect::<Vec<_>>())?;
        map.end()
    }
}

fn is_later(status: Status) -> bool {
    matches!(status, Status::Kept | Status::Restored | Status::Restorable)
}

fn cause(cause: &Cause) -> Value {
    json!({
        "status": cause.status.as_str(), "http_status": cause.http_status, "code": cause.error_code, "message": cause.error,
        "count": cause.count, "sample_key": cause.keys.first(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(counts: &[(Status, u64)]) -> Summary {
        let mut tally = Tally::default();
        for &(status, number) in counts {
            (0..number).for_each(|_| tally.add(status));
        }
        Summary {
            records: tally.total(),
            sent: tally.sent(),
            tally,
            resumed: 0,
            requests: 0,
            retries: 0,
            throttled: 0,
            elapsed: Duration::ZERO,
            stopped: None,
            exit_code: 0,
            facts: None,
            report: None,
            causes: Vec::new(),
        }
    }

    #[test]
    fn the_most_frequent_causes_are_named_after_their_status() {
        let cause = |error: &str| Cause {
            status: Status::Failed,
            http_status: Some(400),
            error_code: None,
            error: error.to_owned(),
            count: 2,
            keys: Vec::new(),
        };
        let summary = Summary { causes: ["a", "b", "c", "d"].map(cause).into(), ..summary(&[]) };
        let shown = ["a", "b", "c"].map(|error| ("failed", format!("HTTP 400: {error} (2 records)")));
        assert_eq!(summary.causes_to_text(), shown);
    }

    #[test]
    fn the_json_has_the_members_of_the_contract_in_order() {
        // The last ones are of another command.
        let counts: Vec<(Status, u64)> = Status::ALL.into_iter().take(8).zip([1, 2, 11, 3, 4, 5, 6, 7]).collect();
        let summary = Summary {
            records: 50,
            resumed: 8,
            requests: 20,
            retries: 9,
            throttled: 10,
            elapsed: Duration::from_micros(3_000_400),
            stopped: Some(StopReason::DailyLimit),
            exit_code: 5,
            ..summary(&counts)
        };
        assert_eq!(
            serde_json::to_string(&summary).unwrap().replace(env!("CARGO_PKG_VERSION"), "VERSION"),
            "{\"records\":50,\"deleted\":1,\"absent\":2,\"failed\":3,\"unknown\":4,\"invalid\":5,\"duplicate\":6,\
             \"planned\":7,\"resumed\":8,\"requests\":20,\"retries\":9,\"throttled\":10,\"elapsed_s\":3.0,\
             \"rate_per_s\":3.333,\"stopped\":\"daily_limit\",\"exit_code\":5,\"kept\":11,\"restored\":0,\"restorable\":0,\
             \"not_attempted\":11,\"schema_version\":1,\"version\":\"VERSION\",\"kind\":null,\"account_id\":null,\
             \"namespace_id\":null,\"namespace_title\":null,\"started_at\":null,\"report\":null,\"causes\":[]}"
        );
        assert_eq!(summary.not_attempted(), 50 - 39);
    }

    #[test]
    fn no_time_is_no_rate() {
        let json = serde_json::to_value(summary(&[(Status::Deleted, 3)])).unwrap();
        assert_eq!((&json["rate_per_s"], &json["stopped"]), (&0.0.into(), &serde_json::Value::Null));
    }

    #[test]
    fn a_person_reads_only_what_occurred() {
        let all_well =
            Summary { requests: 1234, elapsed: Duration::from_secs(4), ..summary(&[(Status::Deleted, 1234)]) };
        assert_eq!(
            all_well.to_text().join("\n"),
            "deleted  1,234\n1,234 records in 4.0s, 308.5 keys/s; 1,234 requests"
        );

        let mixed = Summary {
            records: 2000,
            resumed: 700,
            requests: 1240,
            retries: 1,
            throttled: 2,
            elapsed: Duration::from_secs(100),
            stopped: Some(StopReason::Deadline),
            sent: 1203,
            ..summary(&[(Status::Deleted, 700), (Status::Absent, 3), (Status::Failed, 1200)])
        };
        assert_eq!(
            mixed.to_text(),
            [
                "deleted          700",
                "absent             3",
                "failed         1,200",
                "not attempted     97",
                "resumed: 700 records finished by an earlier run",
                "2,000 records in 1m 40s, 12.0 keys/s; 1,240 requests, 1 retry, throttled 2 times",
            ]
        );
    }

    #[test]
    fn the_main_state_is_that_of_the_kind_of_job() {
        let facts = |kind| {
            let (account_id, namespace_id, namespace_title) = (None, None, None);
            let started_at = SystemTime::UNIX_EPOCH;
            Some(Facts { kind, account_id, namespace_id, namespace_title, started_at })
        };
        let planned = summary(&[(Status::Planned, 5), (Status::Duplicate, 1)]);
        let dry = Summary { facts: facts(Kind::DryRun), ..planned };
        assert_eq!(dry.to_text(), ["duplicate  1", "planned    5", "6 records in 0.0s"]);
        let empty = Summary { facts: facts(Kind::DryRun), ..summary(&[]) };
        assert_eq!(empty.to_text(), ["planned  0", "0 records in 0.0s"]);
        for (kind, main) in [(Kind::Restore, "restored  0"), (Kind::RestoreDryRun, "restorable  0")] {
            let restore = Summary { facts: facts(kind), ..summary(&[]) };
            assert_eq!(restore.to_text()[0], main);
        }
    }
}
