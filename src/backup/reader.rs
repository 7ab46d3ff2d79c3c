//! What a backup holds, record by record, with memory for one line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::entry::Entry;
use super::error::BackupError;
use super::packing::Unpacker;

/// The longest line: a value of 25 MiB, each byte of it escaped in six, with the rest of its record.
const MAX_LINE_BYTES: u64 = (6 * 25 + 1) << 20;

/// A line of a backup.
#[derive(Debug)]
pub enum Line {
    /// A record.
    Entry(Entry),
    /// No record; with what can be told of its key, and why.
    Invalid {
        /// The key, or nothing.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// What a power cut left of the last record: its key was not deleted.
    Torn,
}

/// The lines of a file. Empty ones are skipped.
pub struct Entries {
    lines: BufReader<Box<dyn Read + Send>>,
    line: Vec<u8>,
    done: bool,
}

impl Entries {
    /// Opens `path`, packed or not, as its first bytes say.
    ///
    /// # Errors
    /// [`BackupError::Io`].
    pub fn open(path: &Path) -> Result<Self, BackupError> {
        let unpacked = File::open(path).and_then(|file| Unpacker::new(BufReader::with_capacity(256 << 10, file)));
        let unpacked = unpacked.map_err(BackupError::io(path, "read"))?;
        Ok(Self::new(unpacked))
    }

    fn new(unpacked: impl Read + Send + 'static) -> Self {
        Self { lines: BufReader::with_capacity(256 << 10, Box::new(unpacked)), line: Vec::new(), done: false }
    }

    fn read(&mut self) -> io::Result<Option<Line>> {
        loop {
            self.line.clear();
            let read = (&mut self.lines).take(MAX_LINE_BYTES).read_until(b'\n', &mut self.line);
            match read {
                // A group that breaks off: what came before its end was on its way to the disk.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Some(self.torn())),
                Err(error) => return Err(error),
                Ok(0) => return Ok(None),
                Ok(read) if read as u64 == MAX_LINE_BYTES && !self.line.ends_with(b"\n") => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is longer than any record"));
                }
                Ok(_) if !self.line.ends_with(b"\n") => {
                    // Whole all the same where only the line end is missing, as editors leave it.
                    return Ok(Some(Entry::read(&self.line).map_or_else(|_| self.torn(), Line::Entry)));
                }
                Ok(_) => {
                    let line = self.line.trim_ascii();
                    if !line.is_empty() {
                        let entry = Entry::read(line);
                        return Ok(Some(entry.map_or_else(|(key, why)| Line::Invalid { key, why }, Line::Entry)));
                    }
                }
            }
        }
    }

    fn torn(&mut self) -> Line {
        self.done = true;
        Line::Torn
    }
}

impl Iterator for Entries {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let line = self.read().transpose();
        self.done |= !matches!(line, Some(Ok(_)));
        line
    }
}
