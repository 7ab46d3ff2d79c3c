//! The file of the textfile collector: read by somebody else at any moment, so it is replaced and never written into.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::metrics::{Labels, Snapshot, last_success, render};
use crate::files::{Access, replace};

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
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::metrics::tests::{labels, snapshot};
    use super::*;

    #[test]
    fn it_is_replaced_whole_and_everybody_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kvsweep.prom");
        fs::write(&path, "something else").unwrap();
        let before = fs::File::open(&path).unwrap();
        let file = Textfile::new(path.clone(), labels());
        file.write(&snapshot(0, Some(1_700_000_010))).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
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
