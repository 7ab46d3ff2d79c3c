//! Texts that the program makes of itself, its manual and shell completions, on stdout or into a folder.

use std::io::{self, Write as _};
use std::path::PathBuf;

use crate::exit::ExitCode;

use super::error::Error;

/// A text, and the name of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub name: String,
    pub text: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocsJob {
    pub documents: Vec<Document>,
    /// The folder that each gets a file in; stdout where there is none.
    pub folder: Option<PathBuf>,
}

pub(super) fn run(job: &DocsJob) -> Result<ExitCode, Error> {
    if let Some(folder) = &job.folder {
        std::fs::create_dir_all(folder).map_err(Error::path("write", folder))?;
        for document in &job.documents {
            let path = folder.join(&document.name);
            std::fs::write(&path, &document.text).map_err(Error::path("write", &path))?;
        }
        return Ok(ExitCode::Success);
    }
    let mut out = io::stdout().lock();
    let written = job.documents.iter().try_for_each(|document| out.write_all(&document.text));
    match written.and_then(|()| out.flush()) {
        // A reader that went away has what it wanted.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::system("write to stdout")(error)),
        _ => Ok(ExitCode::Success),
    }
}
