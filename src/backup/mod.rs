//! Backups: values are on the disk before their keys are deleted, and can be restored.
//!
//! A backup is NDJSON, compressed or not, a record per line, whose records `wrangler kv bulk put` takes once they are
//! gathered into an array: `{"key","value","base64"?,"expiration"?,"metadata"?}`.
//!
//! - [`BackupRecord`]: one key with value, expiration and metadata, as a line.
//! - [`BackupFile`]: opened and locked; nothing in it is touched before [`start`].
//! - [`start`], [`Backup`], [`Writer`]: one thread writes; many keys wait for one `fdatasync`.
//! - [`BackupReader`]: what a backup holds, record by record.
//!
//! A file is made of groups, each complete in itself: lines, a gzip member or a zstd frame. What a power cut leaves of the
//! last one held no key that was deleted, and is cut off before more is written.

mod file;
mod record;
mod writer;

pub use file::BackupError;
pub(crate) use file::{BackupFile, compression_of};
pub(crate) use record::{BackupLine, BackupReader, BackupRecord};
pub(crate) use writer::{Backup, start};
