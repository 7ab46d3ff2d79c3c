//! What must hold of any bytes that are read as `kvsweep.toml`.

use std::path::Path;
use std::time::UNIX_EPOCH;

use super::file::parse;
use super::{Origin, ProfileError};

/// A file is refused at a place that it has, or read; one that was merely found is trusted with no more
/// than one's own.
///
/// # Panics
/// Where that is not so.
pub fn profile(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = |origin| parse(Path::new("/etc/kvsweep.toml"), text, origin, Some(Path::new("/home/me")), UNIX_EPOCH);
    let (own, found) = (read(Origin::Own), read(Origin::Found));
    match &own {
        Ok(_) => {}
        Err(ProfileError::At { at, .. }) => assert!(at.line <= text.split('\n').count(), "{at}"),
        Err(error) => panic!("an error of no place: {error}"),
    }
    if let Ok(found) = found {
        assert_eq!(Some(found), own.ok());
    }
}
