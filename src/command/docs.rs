//! Texts that the program makes of itself, its manual and shell completions, on stdout or into a folder.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::exit::ExitCode;

use super::error::Error;

/// A text with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The name of its file.
    pub name: String,
    /// What is in it.
    pub text: Vec<u8>,
}

/// Which texts go where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocsJob {
    /// The texts.
    pub documents: Vec<Document>,
    /// The folder that each gets a file in; stdout where there is none.
    pub folder: Option<PathBuf>,
}

pub(super) fn run(job: &DocsJob) -> Result<ExitCode, Error> {
    match &job.folder {
        None => print_documents(&job.documents)?,
        Some(folder) => write(&job.documents, folder)?,
    }
    Ok(ExitCode::Success)
}

/// A reader that went away has what it wanted.
fn print_documents(documents: &[Document]) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    let written = documents.iter().try_for_each(|document| out.write_all(&document.text)).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::system("write to stdout")(error)),
        _ => Ok(()),
    }
}

fn write(documents: &[Document], folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(Error::path("write", folder))?;
    for document in documents {
        let path = folder.join(&document.name);
        std::fs::write(&path, &document.text).map_err(Error::path("write", &path))?;
    }
    Ok(())
}
