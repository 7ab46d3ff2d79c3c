//! Files as they are after good and bad ends, read back.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::api::Value;
use crate::backup::{BackupLine, BackupReader};
use crate::files::{FileError, IfExists};
use crate::input::Source;
use crate::key::KeyName;
use crate::platform::testing::assert_mode;

const NAMES: [&str; 3] = ["b.ndjson", "b.ndjson.gz", "b.ndjson.zst"];

fn entry(key: &str, value: &[u8]) -> BackupRecord {
    BackupRecord {
        key: KeyName::new(key).unwrap(),
        value: Value::new(value.to_vec(), None),
        metadata: None,
        expiration_ttl: None,
    }
}

fn open(path: &Path, if_exists: IfExists) -> Result<BackupFile, BackupError> {
    loop {
        match BackupFile::open(path.to_owned(), if_exists) {
            // A process that another test starts has our files, and so our locks, until it becomes what it is to be.
            Err(BackupError::File(FileError::Locked { .. })) => std::thread::yield_now(),
            opened => return opened,
        }
    }
}

/// Keeps these keys, each in a group of its own.
fn keep(path: &Path, if_exists: IfExists, keys: &[&str]) -> u64 {
    let (backup, writer) = start(open(path, if_exists).unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for key in keys {
            backup.store(entry(key, key.as_bytes())).await.unwrap();
        }
        drop(backup);
        writer.finish().await.unwrap()
    })
}

/// The keys that can be read back, and whether something after them was torn.
fn keys(path: &Path) -> (Vec<String>, bool) {
    let (mut keys, mut torn) = (Vec::new(), false);
    let source = Source::File(path.to_owned());
    for line in BackupReader::open(&source, source.fingerprint().unwrap()).unwrap() {
        match line {
            Ok(BackupLine::Record(entry)) => {
                assert_eq!(entry.value.bytes, entry.key.as_str().as_bytes());
                keys.push(entry.key.as_str().to_owned());
            }
            Ok(BackupLine::Invalid { key, why }) => panic!("{key}: {why}"),
            Err(_) => torn = true,
        }
    }
    (keys, torn)
}

fn folder() -> (tempfile::TempDir, [PathBuf; 3]) {
    let folder = tempfile::tempdir().unwrap();
    let paths = NAMES.map(|name| folder.path().join(name));
    (folder, paths)
}

#[test]
fn what_is_kept_is_read_back_and_gone_on_with() {
    let (_folder, paths) = folder();
    for path in paths {
        assert_eq!(keep(&path, IfExists::Refuse, &["a", "b"]), 2);
        assert_mode(&path, 0o600);
        assert!(matches!(open(&path, IfExists::Refuse), Err(BackupError::File(_))));
        assert_eq!(keep(&path, IfExists::Resume, &["c"]), 1);
        assert_eq!(keys(&path), (["a", "b", "c"].map(String::from).to_vec(), false));
        keep(&path, IfExists::Overwrite, &["d"]);
        assert_eq!(keys(&path).0, ["d"]);
    }
}

#[test]
fn a_torn_end_costs_no_record_before_it_and_is_cut_off() {
    let (_folder, paths) = folder();
    for path in paths {
        keep(&path, IfExists::Refuse, &["first", "second"]);
        let whole = fs::metadata(&path).unwrap().len();
        keep(&path, IfExists::Resume, &["third"]);
        let all = fs::read(&path).unwrap();
        for length in usize::try_from(whole).unwrap()..all.len() {
            fs::write(&path, &all[..length]).unwrap();
            let (read, _) = keys(&path);
            assert!(read.starts_with(&["first".to_owned(), "second".to_owned()]), "{path:?} at {length}: {read:?}");
            assert_eq!(open(&path, IfExists::Resume).unwrap().keep, whole, "{path:?} at {length}");
            keep(&path, IfExists::Resume, &["fourth"]);
            assert_eq!(keys(&path), (["first", "second", "fourth"].map(String::from).to_vec(), false));
        }
    }
}

#[test]
fn a_file_of_somebody_else_is_not_gone_on_with() {
    let (_folder, paths) = folder();
    for path in paths {
        fs::write(&path, "{\"name\":\"not ours\"}\n").unwrap();
        let error = open(&path, IfExists::Resume).unwrap_err();
        assert!(error.is_usage() && matches!(error, BackupError::Damaged { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"name\":\"not ours\"}\n");
    }
}

#[cfg(unix)]
#[test]
fn after_an_error_everybody_is_told_and_nothing_more_is_written() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let writing = Writing { output: OutputFile::for_test(full), compression: Compression::None, end: 0 };
    let (requests, received) = mpsc::channel(WAITING);
    let thread = std::thread::spawn(move || writing.run(received));
    let backup = Backup { requests };
    for _ in 0..3 {
        let error = runtime.block_on(backup.store(entry("k", b"v"))).unwrap_err();
        assert!(error.contains("No space left"), "{error}");
    }
    drop(backup);
    assert_eq!(thread.join().unwrap().unwrap(), 0);
}
