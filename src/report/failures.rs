//! The failures file: the keys that were not, or not surely, deleted, ready to be an input again.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::encode::Encoder;
use super::error::ReportError;
use super::file;
use super::output::OutputFile;
use super::sink::Sink;
use super::target::{Existing, Format};
use crate::outcome::Status;

/// A failures file that is opened and locked. What it holds stays untouched until [`start`](super::start); dropped
/// before that, a file that was made for it is removed.
#[derive(Debug)]
pub struct FailuresFile {
    output: OutputFile,
    format: Format,
}

impl FailuresFile {
    /// Opens `path`, or makes it with mode 0600. The extension tells the format: `.csv` (one column, headed `key`), or
    /// `.ndjson` or `.jsonl` (a JSON string a line); plain lines cannot carry a key with a line end in it.
    ///
    /// A resumed run replaces an earlier failures file at its end: it then holds the failures of the whole job.
    ///
    /// # Errors
    /// As [`ReportFile::open`](super::ReportFile::open); [`ReportError::Extension`]; [`ReportError::Damaged`] where
    /// a resumed run would replace a file that does not look like a failures file.
    pub fn open(path: PathBuf, existing: Existing) -> Result<Self, ReportError> {
        let format = Format::of(&path)?;
        let output = OutputFile::open(path, existing)?;
        if existing == Existing::Resume {
            check(&output, format)?;
        }
        Ok(Self { output, format })
    }

    /// The path that it was opened by.
    pub fn path(&self) -> &Path {
        self.output.path()
    }

    /// Whether `path` names this very file, by whatever name (an input that is also the failures file, say).
    pub fn is_same_file(&self, path: &Path) -> bool {
        self.output.is_same_file(path)
    }

    /// Replaces what it holds by the keys whose last row in `report` says that they failed.
    pub(super) fn fill_from(self, report: &OutputFile, format: Format) -> Result<Sink, ReportError> {
        let (mut last, _) = file::journal(report, format)?;
        let (output, own_format) = self.begin()?;
        let (mut sink, mut encoder) = (Sink::file(output), Encoder::new(own_format));
        encoder.keys_header(sink.buffer());
        let mut written = Ok(());
        file::each_row(report, format, |row| {
            let counts = last.status(row.number) == Some(row.status);
            if counts && matches!(row.status, Status::Failed | Status::Unknown) {
                // An earlier row may say the same of it.
                last.forget(row.number);
                encoder.key(&row.key, sink.buffer());
                if written.is_ok() {
                    written = sink.relieve();
                }
            }
        })?;
        written.and_then(|()| sink.flush())?;
        Ok(sink)
    }

    /// Empties the file.
    pub(super) fn begin(mut self) -> Result<(OutputFile, Format), ReportError> {
        self.output.begin(0)?;
        Ok((self.output, self.format))
    }
}

/// `--resume` is not leave to replace just any file.
fn check(output: &OutputFile, format: Format) -> Result<(), ReportError> {
    let beginning: &[u8] = match format {
        Format::Csv => b"key\n",
        Format::Ndjson => b"\"",
    };
    let mut found = Vec::new();
    output
        .file()
        .take(beginning.len() as u64)
        .read_to_end(&mut found)
        .map_err(ReportError::io(output.path(), "read"))?;
    if beginning.starts_with(&found) {
        return Ok(());
    }
    Err(ReportError::Damaged {
        path: output.path().to_owned(),
        line: 1,
        why: "this is not a failures file of an earlier run".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_formats_that_carry_every_key_are_taken() {
        for name in ["f.txt", "f", "f.lines"] {
            assert!(matches!(FailuresFile::open(name.into(), Existing::Refuse), Err(ReportError::Extension { .. })));
        }
    }

    #[test]
    fn a_resumed_run_replaces_failures_but_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for (name, held, taken) in [
            ("a.csv", "key\nold\n", true),
            ("b.csv", "", true),
            ("c.csv", "ke", true),
            ("d.csv", "id,key\n1,a\n", false),
            ("e.jsonl", "\"old\"\n", true),
            ("f.jsonl", "{\"key\":\"a\"}\n", false),
        ] {
            let path = folder.path().join(name);
            fs::write(&path, held).unwrap();
            let opened = FailuresFile::open(path.clone(), Existing::Resume);
            assert_eq!(opened.is_ok(), taken, "{name}");
            assert_eq!(fs::read_to_string(&path).unwrap(), held, "{name}: untouched before the start");
            if let Ok(failures) = opened {
                assert!(failures.is_same_file(&path));
                failures.begin().unwrap();
                assert_eq!(fs::read_to_string(&path).unwrap(), "");
            }
            let refused = FailuresFile::open(path, Existing::Refuse).unwrap_err();
            assert!(matches!(refused, ReportError::Exists { .. }));
        }
    }

    #[test]
    fn a_new_file_is_private_and_goes_when_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.csv");
        let failures = FailuresFile::open(path.clone(), Existing::Resume).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(failures);
        assert!(!path.exists());
    }
}
