//! The one writer of a backup: a thread that takes records from a channel, writes as many as there are as one group,
//! and syncs them to disk together. Only then do the senders get an answer.

use std::io::{self, BufWriter};
use std::path::Path;

use tokio::sync::{mpsc, oneshot};

use super::file::{BackupError, BackupFile};
use super::record::BackupRecord;
use crate::files::{FileError, OutputFile};
use crate::format::compression::Compression;

const WAITING: usize = 64;

/// A group is ended when so many bytes of values are in it; as long as it takes no key of it is deleted.
const GROUP_BYTES: usize = 32 << 20;

const BUFFER: usize = 256 << 10;

struct WriteRequest {
    entry: BackupRecord,
    kept: oneshot::Sender<Result<(), String>>,
}

/// Sends records to the writer. Cheap to clone; the writer ends when all clones are gone.
#[derive(Debug, Clone)]
pub(crate) struct Backup {
    requests: mpsc::Sender<WriteRequest>,
}

#[derive(Debug)]
pub(crate) struct Writer {
    done: oneshot::Receiver<Result<u64, BackupError>>,
}

/// Makes the file ready and starts to write.
pub(crate) fn start(file: BackupFile) -> Result<(Backup, Writer), BackupError> {
    let BackupFile { mut output, compression, keep } = file;
    output.begin(keep)?;
    output.sync_name();
    let thread_failed = FileError::io(Path::new("the backup"), "start a thread for");
    let (requests, received) = mpsc::channel(WAITING);
    let (tell, done) = oneshot::channel();
    let writing = Writing { output, compression, end: keep };
    std::thread::Builder::new()
        .name("backup".to_owned())
        .spawn(move || {
            // The file is closed, and so unlocked, when `run` returns. The receiver may be gone.
            let _ = tell.send(writing.run(received));
        })
        .map_err(thread_failed)?;
    Ok((Backup { requests }, Writer { done }))
}

impl Backup {
    /// Returns once `entry` is on the disk.
    pub(crate) async fn store(&self, entry: BackupRecord) -> Result<(), String> {
        let (kept, result) = oneshot::channel();
        let ended = || "the backup's writer has ended".to_owned();
        self.requests.send(WriteRequest { entry, kept }).await.map_err(|_| ended())?;
        result.await.unwrap_or_else(|_| Err(ended()))
    }
}

impl Writer {
    /// Waits until all is written, once every [`Backup`] is gone; then the file is unlocked. Returns how many records are
    /// kept.
    pub(crate) async fn finish(self) -> Result<u64, BackupError> {
        self.done.await.unwrap_or(Err(BackupError::WriterDied))
    }
}

struct Writing {
    output: OutputFile,
    compression: Compression,
    /// Where the last group that is on the disk ends, in bytes.
    end: u64,
}

impl Writing {
    /// Writes until every sender is gone. After an error nothing more is written, and every sender gets it.
    fn run(mut self, mut received: mpsc::Receiver<WriteRequest>) -> Result<u64, BackupError> {
        let (mut kept, mut broken) = (0, None);
        while let Some(first) = received.blocking_recv() {
            let mut waiting = Vec::new();
            let result = match &broken {
                None => self.group(first, &mut received, &mut waiting),
                Some(why) => {
                    waiting.push(first.kept);
                    Err(String::clone(why))
                }
            };
            if result.is_ok() {
                kept += waiting.len() as u64;
            }
            broken = result.clone().err();
            for one in waiting {
                // The sender may have given up.
                let _ = one.send(result.clone());
            }
        }
        self.output.check_in_place()?;
        Ok(kept)
    }

    /// Writes a record and those that wait after it, and syncs them to disk.
    fn group(
        &mut self,
        first: WriteRequest,
        received: &mut mpsc::Receiver<WriteRequest>,
        waiting: &mut Vec<oneshot::Sender<Result<(), String>>>,
    ) -> Result<(), String> {
        let requests = std::iter::once(first).chain(std::iter::from_fn(|| received.try_recv().ok()));
        let written = write(&self.output, self.compression, requests, waiting);
        let synced = written
            .and_then(|()| self.output.file().sync_data())
            .map_err(|error| format!("{}: {error}", self.output.path().display()))
            .and_then(|()| self.output.check_in_place().map_err(|error| error.to_string()));
        match synced {
            Ok(()) => self.end = self.output.length(),
            Err(error) => {
                // A part of a group is better not there; where it cannot be cut off now, a later run does it.
                let cut = self.output.begin(self.end);
                tracing::debug!(path = ?self.output.path(), ?cut, "the part of a group is cut off");
                return Err(error);
            }
        }
        Ok(())
    }
}

fn write(
    file: &OutputFile,
    compression: Compression,
    requests: impl Iterator<Item = WriteRequest>,
    waiting: &mut Vec<oneshot::Sender<Result<(), String>>>,
) -> io::Result<()> {
    compression.write_group(BufWriter::with_capacity(BUFFER, file), |group| {
        let mut bytes = 0;
        for WriteRequest { entry, kept } in requests {
            waiting.push(kept);
            bytes += entry.value.bytes.len();
            entry.write(group)?;
            if bytes >= GROUP_BYTES {
                break;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests;
