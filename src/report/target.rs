//! What may be asked of a report: where, in which format, over what, and how surely on the disk.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::SystemTime;

use thiserror::Error;

use super::error::ReportError;
use super::file::{Destination, ReportFile};
use crate::clock::clamp_rfc3339;
use crate::files::{FileError, IfExists};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated, with a header (RFC 4180 with `\n` as the line end).
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl Format {
    /// The format that the extension of `path` names: `.csv`, or `.ndjson` or `.jsonl`, in any case.
    ///
    /// # Errors
    /// [`ReportError::Extension`] for any other.
    pub fn of(path: &Path) -> Result<Self, ReportError> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        match extension.as_str() {
            "csv" => Ok(Self::Csv),
            "ndjson" | "jsonl" => Ok(Self::Ndjson),
            _ => Err(ReportError::Extension { path: path.to_owned() }),
        }
    }
}

/// Where a report goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The standard output, as CSV.
    Stdout,
    /// A file, in the format of its extension.
    File(PathBuf),
}

impl From<PathBuf> for Target {
    /// `-` is stdout.
    fn from(path: PathBuf) -> Self {
        if path.as_os_str() == "-" { Self::Stdout } else { Self::File(path) }
    }
}

impl Target {
    /// Opens and locks it; nothing in an existing file is changed yet.
    ///
    /// # Errors
    /// As [`ReportFile::open`], and [`ReportError::StdoutResume`].
    pub fn open(self, if_exists: IfExists) -> Result<Destination, ReportError> {
        match (self, if_exists) {
            (Self::Stdout, IfExists::Resume) => Err(ReportError::StdoutResume),
            (Self::Stdout, _) => Ok(Destination::Stdout),
            (Self::File(path), _) => {
                let format = Format::of(&path)?;
                ReportFile::open(path, format, if_exists).map(Destination::File)
            }
        }
    }
}

/// How often written rows are forced onto the disk (`fdatasync`), so that a power cut leaves them there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sync {
    /// Left to the operating system.
    Never,
    /// Once a second, and at the end.
    #[default]
    EverySecond,
    /// After every batch of rows, before the next is taken.
    Always,
}

/// Not a policy that [`Sync`] knows.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is none of never, 1s, always")]
pub struct SyncError(String);

impl FromStr for Sync {
    type Err = SyncError;

    fn from_str(word: &str) -> Result<Self, SyncError> {
        match word {
            "never" => Ok(Self::Never),
            "1s" => Ok(Self::EverySecond),
            "always" => Ok(Self::Always),
            _ => Err(SyncError(word.to_owned())),
        }
    }
}

/// Makes a report that nobody named: at `path`, or, if that exists because another job began in the same second, with `-2`, `-3`
/// and so on before the extension.
///
/// # Errors
/// As [`ReportFile::open`], but not [`FileError::Exists`].
pub fn create_unique(path: &Path) -> Result<ReportFile, ReportError> {
    let format = Format::of(path)?;
    let mut number = 1_u64;
    loop {
        let mut candidate = path.to_owned();
        if let (2.., Some(stem), Some(extension)) = (number, path.file_stem(), path.extension()) {
            let (stem, extension) = (stem.to_string_lossy(), extension.to_string_lossy());
            candidate.set_file_name(format!("{stem}-{number}.{extension}"));
        }
        match ReportFile::open(candidate, format, IfExists::Refuse) {
            Err(ReportError::File(FileError::Exists { .. })) => number += 1,
            opened => return opened,
        }
    }
}

/// The report of a job that named none: `kvsweep-report-YYYYMMDDTHHMMSSZ.csv` in the current folder, `now` in UTC.
pub fn default_path(now: SystemTime) -> PathBuf {
    let stamp = humantime::format_rfc3339_seconds(clamp_rfc3339(now)).to_string();
    format!("kvsweep-report-{}.csv", stamp.replace(['-', ':'], "")).into()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

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
    fn a_dash_is_stdout_and_cannot_be_resumed() {
        assert_eq!(Target::from(PathBuf::from("-")), Target::Stdout);
        assert_eq!(Target::from(PathBuf::from("./-")), Target::File("./-".into()));
        assert!(matches!(Target::Stdout.open(IfExists::Refuse), Ok(Destination::Stdout)));
        assert!(matches!(Target::Stdout.open(IfExists::Resume), Err(ReportError::StdoutResume)));
    }

    #[test]
    fn policies_are_read_from_their_words() {
        assert_eq!("never".parse(), Ok(Sync::Never));
        assert_eq!("1s".parse(), Ok(Sync::EverySecond));
        assert_eq!("always".parse(), Ok(Sync::Always));
        assert_eq!("2s".parse::<Sync>().unwrap_err().to_string(), "`2s` is none of never, 1s, always");
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
