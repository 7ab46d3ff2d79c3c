//! What a job reads is never what it writes, by whatever name, and no two of its outputs are one file.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::files::{beside, folder_of};
use crate::input::Source;
use crate::platform::{self, AsStream, FileId};
use crate::report::JobFile;
use crate::terminal::Escaped;

use super::usage::UsageError;

/// The most symbolic links that are followed, as in Linux.
const MOST_LINKS: usize = 40;

/// The files of a job, before any of them is opened for writing.
#[derive(Debug, Default)]
pub(super) struct Files {
    inputs: Vec<Named>,
    outputs: Vec<Named>,
    /// Keys and settings that can be read only once.
    streams: Vec<Stream>,
}

/// A file, and what it is called in a message.
#[derive(Debug)]
struct Named {
    what: String,
    identity: Identity,
}

#[derive(Debug, PartialEq, Eq)]
enum Identity {
    /// A regular file or a named or unnamed pipe that exists.
    File(FileId),
    /// A file that would be made there.
    Place { folder: PathBuf, name: OsString },
}

/// What can be read only once.
#[derive(Debug)]
struct Stream {
    what: String,
    id: FileId,
    is_of_keys: bool,
}

impl Files {
    /// Adds an input, and what belongs to it if it is a report.
    pub(super) fn reads(&mut self, source: &Source) {
        match source {
            Source::Stdin => {
                let identity = of_stream(io::stdin());
                self.inputs.extend(identity.map(|identity| Named { what: "stdin".to_owned(), identity }));
                self.add_stream("stdin", source, true);
            }
            Source::File(path) => {
                let what = format!("the input {}", shown(path));
                self.add_stream(&what, source, true);
                self.inputs.extend(of_path(path).map(|identity| Named { what, identity }));
                for report in [Some(path.clone()), path.canonicalize().ok()].iter().flatten() {
                    for path in [JobFile::path(report), beside(report, ".lock")] {
                        let what = format!("{}, which may be beside it", shown(&path));
                        self.inputs.extend(of_path(&path).map(|identity| Named { what, identity }));
                    }
                }
            }
        }
    }

    /// Adds a file that flags or settings were read from.
    pub(super) fn reads_settings(&mut self, path: &Path) {
        let what = format!("{}, which settings are read from", shown(path));
        self.add_stream(&shown(path), &Source::File(path.to_owned()), false);
        self.inputs.extend(of_path(path).map(|identity| Named { what, identity }));
    }

    fn add_stream(&mut self, what: &str, source: &Source, is_of_keys: bool) {
        // It can be read any number of times.
        let is_null = |id: FileId| platform::path_id(Path::new("/dev/null")).is_ok_and(|null| null == id);
        if let (Ok(false), Ok(fingerprint)) = (source.is_regular(), source.fingerprint())
            && !is_null(fingerprint.id)
        {
            self.streams.push(Stream { what: what.to_owned(), id: fingerprint.id, is_of_keys });
        }
    }

    /// Adds the file that `flag` names, and those that are made beside it, by what is added to its name.
    pub(super) fn writes(&mut self, flag: &str, path: &Path, beside: &[&str]) {
        let what = format!("{flag} {}", shown(path));
        self.outputs.extend(of_path(path).map(|identity| Named { what: what.clone(), identity }));
        for suffix in beside {
            let mut other = path.as_os_str().to_owned();
            other.push(suffix);
            let other = PathBuf::from(other);
            let what = format!("{} (of {what})", shown(&other));
            self.outputs.extend(of_path(&other).map(|identity| Named { what, identity }));
        }
    }

    /// Compares them, stdout and stderr included, where every job writes.
    ///
    /// # Errors
    /// [`UsageError::SameFile`] names two that are one file, [`UsageError::ReadTwice`] two that are one stream.
    pub(super) fn check(&self) -> Result<(), UsageError> {
        for (index, stream) in self.streams.iter().enumerate() {
            let is_same = |other: &&Stream| other.id == stream.id && (other.is_of_keys || stream.is_of_keys);
            if let Some(other) = self.streams[..index].iter().find(is_same) {
                return Err(UsageError::ReadTwice(other.what.clone(), stream.what.clone()));
            }
        }
        let stream =
            |what: &str, identity: Option<Identity>| Some(Named { what: what.to_owned(), identity: identity? });
        let streams = [stream("stdout", of_stream(io::stdout())), stream("stderr", of_stream(io::stderr()))];
        let streams: Vec<Named> = streams.into_iter().flatten().collect();
        for (index, output) in self.outputs.iter().enumerate() {
            // Both streams may go to one log.
            if let Some(other) = self.outputs[..index].iter().chain(&streams).find(|other| other.is(output)) {
                return Err(UsageError::SameFile(output.what.clone(), other.what.clone()));
            }
        }
        for input in &self.inputs {
            if let Some(output) = self.outputs.iter().chain(&streams).find(|output| output.is(input)) {
                return Err(UsageError::SameFile(output.what.clone(), input.what.clone()));
            }
        }
        Ok(())
    }
}

impl Named {
    fn is(&self, other: &Self) -> bool {
        self.identity == other.identity
    }
}

fn shown(path: &Path) -> String {
    Escaped(&path.to_string_lossy()).to_string()
}

/// What is written to a file or a pipe can be read there; terminals, sockets and devices keep nothing.
fn of_stream(stream: impl AsStream) -> Option<Identity> {
    let file = platform::duplicate(stream).ok()?;
    let id = platform::file_id(&file).ok()?;
    keeps(&file.metadata().ok()?).then_some(Identity::File(id))
}

fn keeps(metadata: &Metadata) -> bool {
    metadata.is_file() || platform::is_pipe(metadata)
}

fn of_path(path: &Path) -> Option<Identity> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        if let Ok(metadata) = fs::metadata(&path) {
            let id = platform::path_id(&path).ok()?;
            return keeps(&metadata).then_some(Identity::File(id));
        }
        let folder = folder_of(&path);
        // A link that leads nowhere: what is written would be made where it leads.
        let Ok(target) = fs::read_link(&path) else {
            let name = path.file_name()?.to_owned();
            let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
            return Some(Identity::Place { folder, name });
        };
        path = folder.join(target);
    }
    None
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn one_file_is_known_by_every_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        fs::write(at("there"), "a\n").unwrap();
        fs::write(at("other"), "a\n").unwrap();
        fs::hard_link(at("there"), at("hard")).unwrap();
        symlink("there", at("link")).unwrap();
        symlink("../link", at("sub/far")).unwrap();
        symlink("missing", at("nowhere")).unwrap();
        symlink("loop", at("loop")).unwrap();
        for (input, output, is_same) in [
            ("there", "there", true),
            ("there", "sub/../there", true),
            ("there", "hard", true),
            ("there", "link", true),
            ("there", "sub/far", true),
            ("missing", "nowhere", true),
            ("sub/missing", "sub/../sub/missing", true),
            ("there", "other", false),
            ("there", "missing", false),
            ("missing", "sub/missing", false),
            ("loop", "missing", false),
        ] {
            for (input, output) in [(input, output), (output, input)] {
                let mut files = Files::default();
                files.reads(&Source::File(at(input)));
                files.writes("--report", &at(output), &[]);
                let found = files.check();
                assert_eq!(found.is_err(), is_same, "{input} {output}: {found:?}");
                let mut files = Files::default();
                files.writes("--report", &at(input), &[]);
                files.writes("--failures", &at(output), &[]);
                assert_eq!(files.check().is_err(), is_same, "{input} {output}");
            }
        }
        let mut files = Files::default();
        files.reads(&Source::File(at("r.csv.lock")));
        files.writes("--report", &at("r.csv"), &[".lock"]);
        assert!(files.check().unwrap_err().to_string().contains("r.csv.lock"));
    }

    #[test]
    fn what_keeps_nothing_may_be_read_and_written() {
        let mut files = Files::default();
        files.reads(&Source::File("/dev/null".into()));
        files.writes("--report", Path::new("/dev/null"), &[]);
        assert!(files.check().is_ok());
    }
}
