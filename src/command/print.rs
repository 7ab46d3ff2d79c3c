//! What a command prints at its end: for people, wrapped between words on a terminal; for programs, as it is.

use std::io::{self, Write};

use serde::Serialize;

use crate::stderr;
use crate::terminal::{columns, fitted};

use super::signals;

/// Where a summary goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    /// How wide a line may be; `None` if nothing is wrapped.
    pub(super) fn columns(self) -> Option<usize> {
        match self {
            Self::Stdout => columns(io::stdout()),
            Self::Stderr => columns(io::stderr()),
        }
    }

    fn wrap(self, lines: Vec<String>) -> Vec<String> {
        let Some(columns) = self.columns() else { return lines };
        lines.iter().flat_map(|line| fitted(line, columns)).collect()
    }
}

/// Prints the summary of a job that has ended: whatever comes of that, its exit code stays.
pub(super) fn print_summary(stream: Stream, lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    match stream {
        Stream::Stdout => warn_of(print_prose(lines)),
        Stream::Stderr => {
            stderr::flush();
            // It never fails.
            let _ = stderr::lines().write_all(text(&stream.wrap(lines)).as_bytes());
        }
    }
}

/// Prints what a program reads, as one line; see [`print_lines`].
pub(super) fn print_json(value: &impl Serialize) -> io::Result<()> {
    print_lines(vec![serde_json::to_string(value)?])
}

/// A summary that cannot be printed does not change how the job ended.
pub(super) fn warn_of(printed: io::Result<()>) {
    if let Err(error) = printed {
        tracing::warn!("the summary cannot be printed: {error}");
    }
}

/// Prints text for people on stdout; see [`print_lines`].
pub(super) fn print_prose(lines: Vec<String>) -> io::Result<()> {
    print_lines(Stream::Stdout.wrap(lines))
}

/// Prints lines on stdout; a reader that went away does not matter any more, and one that takes nothing is waited for until
/// the second signal.
pub(super) fn print_lines(lines: Vec<String>) -> io::Result<()> {
    let write = move || {
        let mut out = io::stdout().lock();
        out.write_all(text(&lines).as_bytes()).and_then(|()| out.flush())
    };
    // Both may be one terminal, and the bar has to be gone.
    stderr::flush();
    match signals::to_the_end(write) {
        Some(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        Some(_) => Ok(()),
        None => Err(io::Error::new(io::ErrorKind::TimedOut, "stdout is not read")),
    }
}

fn text(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}
