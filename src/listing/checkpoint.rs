//! The position of a listing, in a small file beside its output: replaced atomically after every page, once the page's rows
//! are on the disk, so that it never promises more than is there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{MetadataTest, Moment, Position, Prefixes};
use crate::files::{Access, FileError, beside, replace};
use crate::text::json_error;

/// What is listed: a listing is resumed only as the same one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listing {
    pub base_url: String,
    pub account: String,
    pub namespace: String,
    pub format: String,
    pub prefixes: Prefixes,
    pub only: Vec<String>,
    pub protect: Vec<String>,
    pub expiring_before: Option<Moment>,
    pub without_expiration: bool,
    pub metadata: Vec<MetadataTest>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    pub listing: Listing,
    pub position: Position,
    /// How many bytes of the output belong to the pages before.
    pub bytes: u64,
    pub keys: u64,
    /// How many names were skipped because a line cannot hold them.
    pub skipped: u64,
    /// When the latest requests were made, in milliseconds since 1970: they count towards the rates of the next run.
    pub requests: Vec<u64>,
    /// Whether those are all that were made: a run that was killed may have made more.
    pub ended: bool,
}

#[derive(Debug, Error)]
pub enum CheckpointError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{} is not the checkpoint of a listing ({why})\nhint: pass --overwrite to start from scratch", path.display())]
    Damaged { path: PathBuf, why: String },
}

impl Listing {
    /// Whether `other` is the same one: times are compared as they were given, because `7d` moves.
    pub(crate) fn is_the_same(&self, other: &Self) -> bool {
        let given = |listing: &Self| listing.expiring_before.as_ref().map(|moment| moment.input.clone());
        given(self) == given(other) && *self == Self { expiring_before: self.expiring_before.clone(), ..other.clone() }
    }
}

impl Checkpoint {
    /// Beside the output: its name with `.cursor`.
    pub(crate) fn path(output: &Path) -> PathBuf {
        beside(output, ".cursor")
    }

    /// The checkpoint beside `output`, where there is one.
    pub(crate) fn read(output: &Path) -> Result<Option<Self>, CheckpointError> {
        let path = Self::path(output);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(FileError::io(&path, "read"))?,
        };
        let parsed = serde_json::from_str(&text);
        parsed.map(Some).map_err(|error| CheckpointError::Damaged { path, why: json_error(&error) })
    }

    /// Replaces it, and waits until that is on the disk.
    ///
    /// # Errors
    /// [`CheckpointError::File`]; then the one before is still there.
    pub(crate) fn write(&self, output: &Path) -> Result<(), CheckpointError> {
        let path = Self::path(output);
        let text = serde_json::to_vec(self).map_err(io::Error::from);
        let written = text.and_then(|text| replace(&path, &text, Access::Owner));
        Ok(written.map_err(FileError::io(&path, "write"))?)
    }

    /// Removes it, once the listing is complete.
    pub(crate) fn remove(output: &Path) -> Result<(), CheckpointError> {
        let path = Self::path(output);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::io(&path, "remove")(error).into()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(input: &str, at: u64) -> Checkpoint {
        let listing = Listing {
            base_url: "https://h".to_owned(),
            account: "a".to_owned(),
            namespace: "n".to_owned(),
            format: "csv".to_owned(),
            prefixes: Prefixes::new(vec!["p".to_owned()]),
            only: Vec::new(),
            protect: Vec::new(),
            expiring_before: Some(Moment { input: input.to_owned(), at }),
            without_expiration: false,
            metadata: vec!["a=b".parse().unwrap()],
        };
        Checkpoint {
            listing,
            position: Position::default(),
            bytes: 7,
            keys: 1,
            skipped: 0,
            requests: vec![8],
            ended: true,
        }
    }

    #[test]
    fn a_checkpoint_is_replaced_read_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("keys.csv");
        assert_eq!(Checkpoint::read(&output).unwrap(), None);
        for at in [1, 2] {
            checkpoint("7d", at).write(&output).unwrap();
            assert_eq!(Checkpoint::read(&output).unwrap(), Some(checkpoint("7d", at)));
        }
        Checkpoint::remove(&output).unwrap();
        Checkpoint::remove(&output).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        fs::write(Checkpoint::path(&output), "{").unwrap();
        assert!(matches!(Checkpoint::read(&output), Err(CheckpointError::Damaged { .. })));
    }

    #[test]
    fn a_moving_moment_is_the_same_and_another_flag_is_not() {
        let first = checkpoint("7d", 1).listing;
        assert!(first.is_the_same(&checkpoint("7d", 2).listing));
        assert!(!first.is_the_same(&checkpoint("8d", 1).listing));
        assert!(!first.is_the_same(&Listing { without_expiration: true, ..first.clone() }));
    }
}
