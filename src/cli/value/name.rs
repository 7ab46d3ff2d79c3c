//! Names that end up in metrics, and the file of those; patterns of names.

use std::path::PathBuf;

use thiserror::Error;

use crate::plan::glob::{GlobError, check};

/// The longest label, in bytes.
const MOST: usize = 200;

/// A text that no label should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected 1 to {MOST} bytes without control characters")]
pub(crate) struct JobNameError;

/// `--job-name`.
pub(crate) fn job_name(text: &str) -> Result<String, JobNameError> {
    let fits = (1..=MOST).contains(&text.len()) && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(JobNameError) }
}

/// A file that the textfile collector would not read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the name must end in .prom: the textfile collector reads no other")]
pub(crate) struct MetricsFileError;

/// `--metrics-file`.
pub(crate) fn metrics_file(text: &str) -> Result<PathBuf, MetricsFileError> {
    let path = PathBuf::from(text);
    if path.extension().is_some_and(|extension| extension == "prom") { Ok(path) } else { Err(MetricsFileError) }
}

/// A text that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("invalid pattern: {0}")]
pub(crate) struct GlobArgError(#[from] GlobError);

/// `--protect` and `--only`.
pub(crate) fn glob(text: &str) -> Result<String, GlobArgError> {
    check(text)?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_name_is_one_line() {
        assert_eq!(job_name("nightly \"ключ\""), Ok("nightly \"ключ\"".to_owned()));
        for text in ["", "a\nb", "\u{1b}", &"x".repeat(201)] {
            assert_eq!(job_name(text), Err(JobNameError), "{text:?}");
        }
    }

    #[test]
    fn only_files_that_are_read_are_written() {
        assert_eq!(metrics_file("/var/lib/x/kvsweep.prom"), Ok("/var/lib/x/kvsweep.prom".into()));
        for text in ["", ".prom", "kvsweep.txt", "kvsweep.prom.tmp", "kvsweep.PROM", "prom"] {
            assert_eq!(metrics_file(text), Err(MetricsFileError), "{text:?}");
        }
    }
}
