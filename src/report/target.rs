//! The options of a report: where it goes, and how often it is synced.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::ValueEnum;

use super::error::ReportError;
use super::file::ReportFile;
use crate::clock::rfc3339_seconds;
use crate::files::{FileError, IfExists};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Nowhere,
    Stdout,
    /// A new file in the current folder, named after the moment.
    Default,
    File(PathBuf),
}

impl From<PathBuf> for Target {
    /// `-` is stdout, `none` is no report.
    fn from(path: PathBuf) -> Self {
        match path.to_str() {
            Some("-") => Self::Stdout,
            Some("none") => Self::Nowhere,
            _ => Self::File(path),
        }
    }
}

/// How often written rows are forced onto the disk (`fdatasync`), so that a power cut leaves them there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Sync {
    /// Left to the operating system.
    Never,
    /// Once per second, and at the end.
    #[default]
    #[value(name = "1s")]
    EverySecond,
    /// After every batch of rows, before the next is taken.
    Always,
}

/// Creates a report with a default name: at `path`, or, if that exists because another job began in the same second, with `-2`, `-3`
/// and so on before the extension.
pub(crate) fn create_unique(path: &Path) -> Result<ReportFile, ReportError> {
    let mut number = 1_u64;
    loop {
        let mut candidate = path.to_owned();
        if let (2.., Some(stem), Some(extension)) = (number, path.file_stem(), path.extension()) {
            let (stem, extension) = (stem.to_string_lossy(), extension.to_string_lossy());
            candidate.set_file_name(format!("{stem}-{number}.{extension}"));
        }
        match ReportFile::open(candidate, IfExists::Refuse) {
            Err(ReportError::File(FileError::Exists { .. })) => number += 1,
            opened => return opened,
        }
    }
}

/// The report of a job that named none: `kvsweep-report-YYYYMMDDTHHMMSSZ.csv` in the current folder, `now` in UTC.
pub(crate) fn default_path(now: SystemTime) -> PathBuf {
    let stamp = rfc3339_seconds(now).to_string();
    format!("kvsweep-report-{}.csv", stamp.replace(['-', ':'], "")).into()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::super::row::Format;
    use super::*;

    #[test]
    fn the_extension_tells_the_format() {
        for (name, format) in [
            ("r.csv", Format::Csv),
            ("a.b/R.CSV", Format::Csv),
            ("r.ndjson", Format::Ndjson),
            ("r.x.jsonl", Format::Ndjson),
        ] {
            assert_eq!(Format::of(Path::new(name)).unwrap(), format, "{name}");
        }
        for name in ["r", "r.txt", ".csv", "csv", "r.csv.gz", ""] {
            let error = Format::of(Path::new(name)).unwrap_err();
            assert!(matches!(error, ReportError::Extension { .. }), "{name}");
            assert!(error.is_usage());
            assert!(error.to_string().contains(".csv, .ndjson or .jsonl"));
        }
    }

    #[test]
    fn a_dash_is_stdout_and_none_is_no_report() {
        for (path, target) in [
            ("-", Target::Stdout),
            ("none", Target::Nowhere),
            ("./-", Target::File("./-".into())),
            ("./none", Target::File("./none".into())),
        ] {
            assert_eq!(Target::from(PathBuf::from(path)), target, "{path}");
        }
    }

    #[test]
    fn reports_that_nobody_named_never_meet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kvsweep-report-1.csv");
        let made: Vec<_> = (0..3).map(|_| create_unique(&path).unwrap()).collect();
        let names = made.iter().map(|file| file.path().file_name().unwrap().to_str().unwrap().to_owned());
        let expected = ["kvsweep-report-1.csv", "kvsweep-report-1-2.csv", "kvsweep-report-1-3.csv"];
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_default_name_holds_the_time() {
        let now = UNIX_EPOCH + Duration::from_millis(1_700_000_000_999);
        assert_eq!(default_path(now), Path::new("kvsweep-report-20231114T221320Z.csv"));
        assert_eq!(
            default_path(UNIX_EPOCH - Duration::from_secs(1)),
            Path::new("kvsweep-report-19700101T000000Z.csv"),
            "a machine without a clock still gets its report"
        );
    }
}
