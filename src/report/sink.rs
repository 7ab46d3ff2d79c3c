//! A buffered writer to a file or stdout.
//!
//! Not a `BufWriter`: that retries a failed write when it is dropped, and after a failed write the same bytes would be
//! there twice, with a torn row between them.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use super::error::ReportError;
use super::row::{Format, StoredRow};
use crate::files::OutputFile;
use crate::platform;

/// The buffer is flushed at this size: some hundred rows, so that a full disk is noticed soon.
const FLUSH_BYTES: usize = 16 << 10;

#[derive(Debug)]
enum Medium {
    File(OutputFile),
    /// A duplicate of stdout, without the line buffer that std has in front of it; `None` if the process has no stdout.
    Stdout(Option<File>),
}

/// Where bytes go. After an error it must not be used again.
#[derive(Debug)]
pub(super) struct Sink {
    medium: Medium,
    format: Format,
    buffer: Vec<u8>,
}

impl Sink {
    pub(super) fn file(output: OutputFile, format: Format) -> Self {
        Self { medium: Medium::File(output), format, buffer: Vec::with_capacity(2 * FLUSH_BYTES) }
    }

    pub(super) fn stdout() -> Self {
        // It fails where the process was started without a stdout.
        Self::stream(platform::duplicate(io::stdout()).ok())
    }

    pub(super) fn stream(stream: Option<File>) -> Self {
        let (medium, format) = (Medium::Stdout(stream), Format::Csv);
        Self { medium, format, buffer: Vec::with_capacity(2 * FLUSH_BYTES) }
    }

    pub(super) fn with_header(mut self, columns: &[&str]) -> Self {
        self.format.append_header(columns, &mut self.buffer);
        self
    }

    pub(super) fn row(&mut self, row: &StoredRow<'_>) -> Result<(), ReportError> {
        self.format.append_row(row, &mut self.buffer);
        self.flush_if_full()
    }

    pub(super) fn key(&mut self, key: &str) -> Result<(), ReportError> {
        self.format.append_key(key, &mut self.buffer);
        self.flush_if_full()
    }

    /// The file and its format, unless it is stdout.
    pub(super) fn output(&self) -> Option<(&OutputFile, Format)> {
        match &self.medium {
            Medium::File(output) => Some((output, self.format)),
            Medium::Stdout(_) => None,
        }
    }

    fn flush_if_full(&mut self) -> Result<(), ReportError> {
        if self.buffer.len() >= FLUSH_BYTES { self.flush() } else { Ok(()) }
    }

    pub(super) fn flush(&mut self) -> Result<(), ReportError> {
        let written = match &self.medium {
            Medium::File(output) => {
                let mut file = output;
                file.write_all(&self.buffer).map_err(ReportError::io(output.path(), "write"))
            }
            Medium::Stdout(stream) => {
                let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
                let written = stream.as_ref().ok_or_else(closed).and_then(|mut stream| stream.write_all(&self.buffer));
                written.map_err(|error| match error.kind() {
                    io::ErrorKind::BrokenPipe => ReportError::StdoutClosed,
                    _ => ReportError::io(Path::new("stdout"), "write")(error),
                })
            }
        };
        self.buffer.clear();
        written
    }

    /// Waits until what was flushed is on the disk.
    pub(super) fn sync(&mut self) -> Result<(), ReportError> {
        match &self.medium {
            Medium::File(output) => {
                output.file().sync_data().map_err(ReportError::io(output.path(), "sync"))?;
                Ok(output.check_in_place()?)
            }
            Medium::Stdout(_) => Ok(()),
        }
    }

    /// Checks that what was written can be found under its name.
    pub(super) fn check_in_place(&self) -> Result<(), ReportError> {
        self.output().map_or(Ok(()), |(output, _)| output.check_in_place()).map_err(Into::into)
    }

    pub(super) fn sync_name(&self) {
        if let Some((output, _)) = self.output() {
            output.sync_name();
        }
    }
}
