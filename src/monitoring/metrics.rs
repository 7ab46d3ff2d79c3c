//! A job in Prometheus' text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).
//!
//! All are gauges, as usual for batch jobs: they describe the last run, and each run starts from scratch. Names are stable;
//! metrics may be added.
//!
//! The file of the textfile collector is read by somebody else at any moment, so it is replaced and never written into.

use std::fmt::{self, Write as _};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::files::{Access, replace};
use crate::outcome::Status;
use crate::report::Summary;

const LAST_SUCCESS: &str = "kvsweep_last_success_timestamp_seconds";

/// Which job the metrics are about. They have to be the same in every run, or alerts lose sight of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Labels {
    pub namespace_id: Option<String>,
    pub namespace: Option<String>,
    pub job_name: Option<String>,
    pub shard: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    /// The counts so far. Its exit code and its stop count only at the end.
    pub summary: Summary,
    pub started: SystemTime,
    /// When it ended; `None` while it runs.
    pub ended: Option<SystemTime>,
    pub elapsed: Duration,
}

/// The text of a metrics file. `last_success` is when a run before this one succeeded, as an earlier file had it.
fn render(labels: &Labels, snapshot: &Snapshot, last_success: Option<&str>) -> String {
    let mut page = Page { text: String::with_capacity(4096), labels };
    let Snapshot { summary, started, ended, elapsed } = snapshot;
    let success = ended.filter(|_| summary.exit_code == 0).map(|at| seconds(at).to_string());
    if let Some(success) = success.as_deref().or(last_success) {
        page.one(LAST_SUCCESS, "When a run last ended with exit code 0.", success);
    }
    page.one(
        "kvsweep_last_run_start_timestamp_seconds",
        "When the last run, or the one in progress, started.",
        seconds(*started),
    );
    page.one("kvsweep_last_run_in_progress", "1 while a run is in progress, otherwise 0.", u8::from(ended.is_none()));
    if let Some(ended) = ended {
        page.one("kvsweep_last_run_end_timestamp_seconds", "When the last run ended.", seconds(*ended));
        page.one(
            "kvsweep_last_run_exit_code",
            "Exit code of the last run; kvsweep --help lists the codes.",
            summary.exit_code,
        );
    }
    page.one(
        "kvsweep_last_run_duration_seconds",
        "Duration of the last run, or of the one in progress.",
        elapsed.as_secs_f64(),
    );
    page.head("kvsweep_last_run_records", "Records of the input by status.");
    // A dry run has no metrics.
    for status in Status::ALL.into_iter().filter(|status| !matches!(status, Status::Planned | Status::Restorable)) {
        page.sample("kvsweep_last_run_records", Some(("status", status.as_str())), summary.tally.get(status));
    }
    page.sample("kvsweep_last_run_records", Some(("status", "not_attempted")), summary.not_attempted());
    page.one("kvsweep_last_run_input_records", "Records of the input, as far as they are known.", summary.records);
    page.one(
        "kvsweep_last_run_keys_per_second",
        "Keys that the run finished per second, without those of earlier runs.",
        (summary.rate() * 1000.0).round() / 1000.0,
    );
    page.one("kvsweep_last_run_resumed_records", "Records finished by earlier runs.", summary.resumed);
    page.one("kvsweep_last_run_requests", "Requests that the run sent, retries included.", summary.requests);
    page.one("kvsweep_last_run_retries", "Requests that repeated an earlier one.", summary.retries);
    page.one("kvsweep_last_run_throttled", "Responses with status 429, which ask for a pause.", summary.throttled);
    if let (Some(reason), Some(_)) = (summary.stopped, ended) {
        page.head("kvsweep_last_run_stopped", "Why the run stopped early; absent if it did not.");
        page.sample("kvsweep_last_run_stopped", Some(("reason", reason.as_str())), 1);
    }
    page.head("kvsweep_build_info", "Version of kvsweep.");
    page.sample("kvsweep_build_info", Some(("version", env!("CARGO_PKG_VERSION"))), 1);
    page.text
}

/// The value of [`LAST_SUCCESS`] for these labels in the text of an earlier file.
fn last_success<'a>(labels: &Labels, text: &'a str) -> Option<&'a str> {
    let mut wanted = Page { text: String::new(), labels };
    wanted.series(LAST_SUCCESS, None);
    let value = text.lines().find_map(|line| line.strip_prefix(&wanted.text)?.strip_prefix(' '))?;
    value.parse::<f64>().is_ok_and(f64::is_finite).then_some(value)
}

fn seconds(at: SystemTime) -> f64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    // Milliseconds, so that no digit is noise.
    since.as_millis() as f64 / 1000.0
}

struct Page<'a> {
    text: String,
    labels: &'a Labels,
}

impl Page<'_> {
    fn one(&mut self, name: &str, help: &str, value: impl fmt::Display) {
        self.head(name, help);
        self.sample(name, None, value);
    }

    fn head(&mut self, name: &str, help: &str) {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} gauge");
    }

    fn sample(&mut self, name: &str, extra: Option<(&str, &str)>, value: impl fmt::Display) {
        self.series(name, extra);
        let _ = writeln!(self.text, " {value}");
    }

    fn series(&mut self, name: &str, extra: Option<(&str, &str)>) {
        let Labels { namespace_id, namespace, job_name, shard } = self.labels;
        let own = [("namespace_id", namespace_id), ("namespace", namespace), ("job_name", job_name), ("shard", shard)];
        let labels = own.into_iter().filter_map(|(label, value)| Some((label, value.as_deref()?)));
        self.text.push_str(name);
        let mut before = '{';
        for (label, value) in labels.chain(extra) {
            let value = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            let _ = write!(self.text, "{before}{label}=\"{value}\"");
            before = ',';
        }
        if before == ',' {
            self.text.push('}');
        }
    }
}

/// A longer file is none of ours.
const LONGEST: u64 = 1 << 20;

#[derive(Debug)]
pub(crate) struct Textfile {
    path: PathBuf,
    labels: Labels,
    last_success: Option<String>,
}

impl Textfile {
    /// The file at `path`; when a run last succeeded is taken from what it holds, if anything. Nothing is written.
    pub(crate) fn new(path: PathBuf, labels: Labels) -> Self {
        let known = fs::metadata(&path).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= LONGEST);
        let before = known.then(|| fs::read_to_string(&path).ok()).flatten().unwrap_or_default();
        let last_success = last_success(&labels, &before).map(str::to_owned);
        Self { path, labels, last_success }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts a new file in its place, with mode 0644.
    ///
    /// # Errors
    /// What the system says; the file is then what it was.
    pub(crate) fn write(&self, snapshot: &Snapshot) -> io::Result<()> {
        let text = render(&self.labels, snapshot, self.last_success.as_deref());
        replace(&self.path, text.as_bytes(), Access::Everyone)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::outcome::{StopReason, Tally};

    fn labels() -> Labels {
        Labels {
            namespace_id: Some("0f2a".to_owned()),
            namespace: None,
            job_name: Some("nightly \"a\\b\"\nx".to_owned()),
            shard: Some("2/4".to_owned()),
        }
    }

    fn snapshot(exit_code: u8, ended: Option<u64>) -> Snapshot {
        let mut tally = Tally::default();
        (0..3).for_each(|_| tally.add(Status::Deleted));
        tally.add(Status::Failed);
        Snapshot {
            summary: Summary {
                records: 10,
                sent: tally.sent(),
                tally,
                resumed: 2,
                requests: 6,
                retries: 1,
                throttled: 1,
                elapsed: Duration::from_millis(2_500),
                stopped: (exit_code == 5).then_some(StopReason::Outage),
                exit_code,
                facts: None,
                report: None,
                causes: Vec::new(),
            },
            started: UNIX_EPOCH + Duration::from_millis(1_700_000_000_250),
            ended: ended.map(|second| UNIX_EPOCH + Duration::from_secs(second)),
            elapsed: Duration::from_millis(2_500),
        }
    }

    /// What `promtool check metrics` looks at: a HELP and a TYPE before the samples of a name, once each; names of the
    /// charset; no gauge that is called like a counter; each series once; a number; a line end at the end.
    fn assert_well_formed(text: &str) {
        assert!(text.ends_with('\n'));
        let (mut helped, mut typed, mut series) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut current = "";
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(helped.insert(name) && help.ends_with('.'), "{line}");
                current = name;
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                assert_eq!(rest, format!("{current} gauge"));
                assert!(typed.insert(current), "{line}");
                assert!(current.starts_with("kvsweep_") && !current.ends_with("_total"), "{line}");
                assert!(current.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
            } else {
                let (name, value) = line.rsplit_once(' ').unwrap();
                assert!(value.parse::<f64>().unwrap().is_finite(), "{line}");
                assert!(name.strip_prefix(current).is_some_and(|rest| rest.is_empty() || rest.starts_with('{')));
                assert!(typed.contains(current) && series.insert(name.to_owned()), "{line}");
            }
        }
        assert_eq!(helped, typed);
    }

    #[test]
    fn a_run_reads_like_this() {
        let labels = Labels { job_name: Some("nightly".to_owned()), ..labels() };
        insta::assert_snapshot!("stopped", render(&labels, &snapshot(5, Some(1_700_000_010)), Some("1699999999.5")));
    }

    #[test]
    fn every_text_is_well_formed() {
        for labels in [labels(), Labels::default()] {
            for snapshot in [snapshot(0, None), snapshot(0, Some(1_700_000_010)), snapshot(5, Some(1_700_000_010))] {
                for success in [None, Some("12.5")] {
                    assert_well_formed(&render(&labels, &snapshot, success));
                }
            }
        }
        let text = render(&labels(), &snapshot(0, None), None);
        assert!(text.contains(r#"job_name="nightly \"a\\b\"\nx""#), "{text}");
    }

    #[test]
    fn records_add_up() {
        let text = render(&Labels::default(), &snapshot(3, Some(1_700_000_010)), None);
        let counts = text.lines().filter(|line| line.starts_with("kvsweep_last_run_records{"));
        assert_eq!(counts.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum::<u64>(), 10);
    }

    #[test]
    fn the_last_success_is_handed_on_until_there_is_a_new_one() {
        let first = render(&labels(), &snapshot(0, Some(1_700_000_010)), None);
        let known = last_success(&labels(), &first);
        assert_eq!(known, Some("1700000010"));
        let failed = render(&labels(), &snapshot(3, Some(1_700_086_410)), known);
        assert_eq!(last_success(&labels(), &failed), known);
        let running = render(&labels(), &snapshot(0, None), known);
        assert_eq!(last_success(&labels(), &running), known);
        let second = render(&labels(), &snapshot(0, Some(1_700_172_810)), known);
        assert_eq!(last_success(&labels(), &second), Some("1700172810"));
        for other in [Labels::default(), Labels { shard: Some("2/40".to_owned()), ..labels() }] {
            assert_eq!(last_success(&other, &first), None, "of another job");
        }
        assert_eq!(last_success(&Labels::default(), "kvsweep_last_success_timestamp_seconds NaN\n"), None);
        assert_eq!(last_success(&Labels::default(), "kvsweep_last_success_timestamp_seconds{a=\"b\"} 1\n"), None);
    }

    #[cfg(unix)]
    #[test]
    fn it_is_replaced_whole_and_everybody_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kvsweep.prom");
        fs::write(&path, "something else").unwrap();
        let before = fs::File::open(&path).unwrap();
        let file = Textfile::new(path.clone(), labels());
        file.write(&snapshot(0, Some(1_700_000_010))).unwrap();
        crate::platform::testing::assert_mode(&path, 0o644);
        assert_eq!(io::read_to_string(before).unwrap(), "something else", "who reads it keeps what was there");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");

        let next = Textfile::new(path.clone(), labels());
        next.write(&snapshot(3, Some(1_700_086_410))).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(last_success(&labels(), &text), Some("1700000010"));
        assert!(text.contains("kvsweep_last_run_exit_code{"), "{text}");
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (missing, taken) = (folder.path().join("none/k.prom"), folder.path().join("k.prom"));
        assert!(Textfile::new(missing, labels()).write(&snapshot(0, None)).is_err());
        fs::create_dir(&taken).unwrap();
        assert!(Textfile::new(taken, labels()).write(&snapshot(0, None)).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
