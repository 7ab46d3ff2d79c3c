//! The failures file: the failed and unknown keys, as an input for another run.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::error::ReportError;
use super::row::Format;
use super::sink::Sink;
use crate::files::{IfExists, OutputFile};

/// A failures file that is opened and locked. What it holds stays untouched until [`start`](super::start); dropped
/// before that, a file that was made for it is removed.
#[derive(Debug)]
pub struct FailuresFile {
    output: OutputFile,
    format: Format,
}

impl FailuresFile {
    /// Opens `path`, or makes it with mode 0600. The extension tells the format: `.csv` (one column, headed `key`), or
    /// `.ndjson` or `.jsonl` (a JSON string per line); plain lines cannot carry a key with a line end in it.
    ///
    /// A resumed run replaces an earlier failures file at its end: it then holds the failures of the whole job.
    ///
    /// # Errors
    /// As [`ReportFile::open`](super::ReportFile::open); [`ReportError::Extension`]; [`ReportError::Damaged`] where
    /// a resumed run would replace a file that does not look like a failures file.
    pub fn open(path: PathBuf, if_exists: IfExists) -> Result<Self, ReportError> {
        let format = Format::of(&path)?;
        let output = OutputFile::open(path, if_exists)?;
        if if_exists == IfExists::Resume {
            check(&output, format)?;
        }
        Ok(Self { output, format })
    }

    pub fn path(&self) -> &Path {
        self.output.path()
    }

    pub(super) fn begin(mut self) -> Result<Sink, ReportError> {
        self.output.begin(0)?;
        Ok(Sink::file(self.output, self.format).with_header(&["key"]))
    }
}

/// `--resume` must not replace a file that is not a failures file.
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

    use super::*;
    use crate::files::FileError;
    use crate::platform::testing::assert_mode;

    #[test]
    fn only_formats_that_carry_every_key_are_taken() {
        for name in ["f.txt", "f", "f.lines"] {
            assert!(matches!(FailuresFile::open(name.into(), IfExists::Refuse), Err(ReportError::Extension { .. })));
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
            let opened = FailuresFile::open(path.clone(), IfExists::Resume);
            assert_eq!(opened.is_ok(), taken, "{name}");
            assert_eq!(fs::read_to_string(&path).unwrap(), held, "{name}: untouched before the start");
            if let Ok(failures) = opened {
                failures.begin().unwrap();
                assert_eq!(fs::read_to_string(&path).unwrap(), "");
            }
            let refused = FailuresFile::open(path, IfExists::Refuse).unwrap_err();
            assert!(matches!(refused, ReportError::File(FileError::Exists { .. })));
        }
    }

    #[test]
    fn a_new_file_is_private_and_goes_when_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.csv");
        let failures = FailuresFile::open(path.clone(), IfExists::Resume).unwrap();
        assert_mode(&path, 0o600);
        drop(failures);
        assert!(!path.exists());
    }
}
