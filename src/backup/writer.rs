//! The one writer of a backup: a thread that takes records from a channel, writes as many as there are as one group,
//! and forces them onto the disk together. Only then are those who wait for them told.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use tokio::sync::{mpsc, oneshot};

use super::entry::Entry;
use super::error::BackupError;
use super::file::BackupFile;
use super::packing::{Packer, Packing};
use crate::report::OutputFile;

/// Records that wait for the writer.
const WAITING: usize = 64;

/// A group is ended when so many bytes of values are in it; as long as it takes no key of it is deleted.
const GROUP_BYTES: usize = 32 << 20;

/// Bytes that are handed to the system at once.
const BUFFER: usize = 256 << 10;

/// A record, and who waits for it.
struct Order {
    entry: Entry,
    kept: oneshot::Sender<Result<(), String>>,
}

/// Where records are given to be kept. Cheap to clone; the writer ends when all clones are gone.
#[derive(Debug, Clone)]
pub struct Backup {
    orders: mpsc::Sender<Order>,
}

/// The thread that writes.
#[derive(Debug)]
pub struct Writer {
    done: oneshot::Receiver<Result<u64, BackupError>>,
}

/// Makes the file ready and starts to write.
///
/// # Errors
/// [`BackupError::Io`] where the file cannot be written at all or no thread can be had.
pub fn start(file: BackupFile) -> Result<(Backup, Writer), BackupError> {
    let BackupFile { mut output, packing, keep } = file;
    output.begin(keep)?;
    output.sync_name();
    let thread_failed = BackupError::io(Path::new("the backup"), "start a thread for");
    let (orders, received) = mpsc::channel(WAITING);
    let (tell, done) = oneshot::channel();
    let writing = Writing { output, packing, end: keep };
    std::thread::Builder::new()
        .name("backup".to_owned())
        .spawn(move || {
            // The file is closed, and so unlocked, when `run` returns. Nobody has to be there to be told.
            let _ = tell.send(writing.run(received));
        })
        .map_err(thread_failed)?;
    Ok((Backup { orders }, Writer { done }))
}

impl Backup {
    /// Returns once `entry` is on the disk.
    ///
    /// # Errors
    /// Why nothing can be written any more.
    pub async fn keep(&self, entry: Entry) -> Result<(), String> {
        let (kept, told) = oneshot::channel();
        let ended = || "the backup's writer has ended".to_owned();
        self.orders.send(Order { entry, kept }).await.map_err(|_| ended())?;
        told.await.unwrap_or_else(|_| Err(ended()))
    }
}

impl Writer {
    /// Waits until all is written, once every [`Backup`] is gone; then the file is unlocked. Returns how many records are
    /// kept.
    ///
    /// # Errors
    /// [`BackupError::File`] if the file was removed or replaced, [`BackupError::WriterDied`].
    pub async fn finish(self) -> Result<u64, BackupError> {
        self.done.await.unwrap_or(Err(BackupError::WriterDied))
    }
}

/// What the thread owns.
struct Writing {
    output: OutputFile,
    packing: Packing,
    /// Where the last group that is on the disk ends, in bytes.
    end: u64,
}

impl Writing {
    /// Writes until every sender is gone. After an error nothing more is written, and everybody is told.
    fn run(mut self, mut received: mpsc::Receiver<Order>) -> Result<u64, BackupError> {
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
                // A request that was given up waits no more.
                let _ = one.send(result.clone());
            }
        }
        self.output.check_in_place()?;
        Ok(kept)
    }

    /// Writes a record and those that wait behind it, and forces them onto the disk.
    fn group(
        &mut self,
        first: Order,
        received: &mut mpsc::Receiver<Order>,
        waiting: &mut Vec<oneshot::Sender<Result<(), String>>>,
    ) -> Result<(), String> {
        let orders = std::iter::once(first).chain(std::iter::from_fn(|| received.try_recv().ok()));
        let written = write(self.output.file(), self.packing, orders, waiting);
        let synced = written.and_then(|()| {
            self.output.file().sync_data()?;
            self.output.check_in_place().map_err(io::Error::other)?;
            let mut file = self.output.file();
            io::Seek::stream_position(&mut file)
        });
        match synced {
            Ok(end) => self.end = end,
            Err(error) => {
                // A part of a group is better not there; where it cannot be cut off now, a later run does it.
                let cut = self.output.begin(self.end);
                tracing::debug!(path = ?self.output.path(), ?cut, "the part of a group is cut off");
                return Err(format!("{}: {error}", self.output.path().display()));
            }
        }
        Ok(())
    }
}

fn write(
    file: &File,
    packing: Packing,
    orders: impl Iterator<Item = Order>,
    waiting: &mut Vec<oneshot::Sender<Result<(), String>>>,
) -> io::Result<()> {
    let mut packer = Packer::new(packing, BufWriter::with_capacity(BUFFER, file))?;
    let mut bytes = 0;
    for Order { entry, kept } in orders {
        waiting.push(kept);
        bytes += entry.value.bytes.len();
        entry.write(&mut packer)?;
        if bytes >= GROUP_BYTES {
            break;
        }
    }
    packer.finish()?.flush()
}

#[cfg(test)]
mod tests;
