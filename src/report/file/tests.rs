use std::fs::{self, File};

use tempfile::TempDir;

use super::super::encode::tests::{encode, settled};
use super::super::journal::RecordState;
use super::super::reader::tests::{awkward_rows, ends};
use super::super::target::Sync;
use super::super::writer::{Outputs, start};
use super::*;
use crate::files::FileError;
use crate::outcome::{Settled, Status};
use crate::platform::testing::assert_mode;
use crate::record::RecordNumber;

const FORMATS: [(Format, &str); 2] = [(Format::Csv, "r.csv"), (Format::Ndjson, "r.ndjson")];

fn open(path: &Path, if_exists: IfExists) -> Result<ReportFile, ReportError> {
    // A child that another test starts has the lock as well, until it runs its program.
    for _ in 0..100_000 {
        match open_now(path, if_exists) {
            Err(ReportError::File(FileError::Locked { .. })) => std::thread::yield_now(),
            opened => return opened,
        }
    }
    open_now(path, if_exists)
}

/// The same without waiting for a lock.
fn open_now(path: &Path, if_exists: IfExists) -> Result<ReportFile, ReportError> {
    ReportFile::open(path.to_owned(), if_exists)
}

/// Writes `rows` as a run that resumes the report, and gives back what it found there.
async fn resume_and_append(path: &Path, rows: &[Settled]) -> Arc<Journal> {
    let mut report = open(path, IfExists::Resume).unwrap();
    let journal = report.read_journal().unwrap();
    let outputs = Outputs { report: Some(Destination::File(report)), failures: None, sync: Sync::Never };
    let (sender, writer) = start(outputs).unwrap();
    for row in rows {
        sender.send(vec![row.clone()]).await.unwrap();
    }
    drop(sender);
    writer.finish().await.unwrap();
    journal
}

#[tokio::test]
async fn a_report_cut_at_any_byte_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let rows = awkward_rows();
    let next = settled(77, "next", Status::Absent);
    for (format, name) in FORMATS {
        let path = folder.path().join(name);
        let (whole, ends) = (encode(format, &rows), ends(format, &rows));
        for cut in 0..=whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let journal = resume_and_append(&path, std::slice::from_ref(&next)).await;

            let kept = ends.iter().filter(|&&end| end <= cut).count().saturating_sub(1);
            assert_eq!(journal.tally().total(), kept as u64, "{name} cut at {cut}");
            for (index, row) in rows.iter().enumerate() {
                let verdict = if index < kept { RecordState::Settled } else { RecordState::Pending };
                assert_eq!(journal.state(row.number, &row.key), verdict, "{name} cut at {cut}, row {index}");
            }
            let mut expected = rows[..kept].to_vec();
            expected.push(next.clone());
            assert_eq!(fs::read(&path).unwrap(), encode(format, &expected), "{name} cut at {cut}");
        }
    }
}

#[test]
fn damage_before_the_end_is_named_with_its_line_and_nothing_is_changed() {
    let header = "record,key,status,http_status,error_code,error,attempts,elapsed_ms,finished_at\n";
    let good = "1,\"a\nb\",deleted,200,,,1,12,2026-10-29T12:00:00.042Z\n";
    let json = "{\"record\":1,\"key\":\"a\",\"status\":\"deleted\",\"finished_at\":\"2026-10-29T12:00:00.042Z\"}\n";
    let cases: &[(&str, String, u64, &str)] = &[
        ("r.csv", "precious notes".to_owned(), 1, "not the header"),
        ("r.csv", "key\na\nb\n".to_owned(), 1, "not the header"),
        ("r.csv", format!("{good}{good}"), 1, "not the header"),
        ("r.csv", format!("{header}{good}rubbish\n{good}"), 4, "9 columns"),
        ("r.csv", format!("{header}{good}{}", good.replace('1', "0")), 4, "begin at 1"),
        ("r.csv", format!("{header}{}", good.replace("1,\"", "x,\"")), 2, "`x` is not a record number"),
        ("r.csv", format!("{header}{good}{}{good}", good.replace("deleted", "gone")), 4, "`gone` is not a status"),
        ("r.csv", format!("{header}{}{good}", good.replace("2026-", "2O26-")), 2, "is not a time"),
        ("r.csv", format!("{header}{}", good.replace('\n', ",\n")), 2, "9 columns"),
        ("r.csv", json.to_owned(), 1, "not the header"),
        ("r.jsonl", "precious notes".to_owned(), 1, "not a row of a kvsweep report"),
        ("r.jsonl", format!("{json}{{\"record\":2}}\n"), 2, "`key` is missing"),
        ("r.jsonl", format!("{json}{json}\0\0\n{json}"), 3, "not a row"),
        ("r.jsonl", json.replace("deleted", "gone"), 1, "`gone` is not a status"),
        ("r.jsonl", "\"a key\"\n".to_owned(), 1, "not a row"),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (name, held, at, expected) in cases {
        let path = folder.path().join(name);
        fs::write(&path, held).unwrap();
        let error = open(&path, IfExists::Resume).unwrap().read_journal().unwrap_err();
        let ReportError::Damaged { line, why, .. } = &error else { panic!("{held:?}: {error:?}") };
        assert_eq!(line, at, "{held:?}: {why}");
        assert!(why.contains(expected), "{held:?}: {why}");
        assert!(error.is_usage());
        assert_eq!(&fs::read_to_string(&path).unwrap(), held);
        // Whoever forgets to ask for the journal does not get around it either.
        assert!(open(&path, IfExists::Resume).unwrap().begin().is_err());
        assert_eq!(&fs::read_to_string(&path).unwrap(), held);
    }
}

#[test]
fn the_last_failures_of_an_earlier_run_have_their_causes() {
    let (failed, mut unknown) = (settled(1, "a", Status::Failed), settled(2, "b", Status::Unknown));
    unknown.http_status = None;
    let rows = [failed.clone(), unknown, failed, settled(3, "c", Status::Failed), settled(3, "c", Status::Deleted)];
    for (format, name) in FORMATS {
        let (_folder, path) = folder_with(name, &String::from_utf8(encode(format, &rows)).unwrap());
        let causes = open(&path, IfExists::Resume).unwrap().causes().unwrap();
        let causes: Vec<_> = causes.by_count().iter().map(|cause| (cause.status, cause.keys.join(" "))).collect();
        assert_eq!(causes, [(Status::Failed, "a".to_owned()), (Status::Unknown, "b".to_owned())], "{name}");
    }
}

fn folder_with(name: &str, held: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, held).unwrap();
    (folder, path)
}

#[test]
fn an_existing_report_is_only_touched_when_asked_and_only_at_the_start() {
    let (_folder, path) = folder_with("r.csv", "old");
    let refused = open(&path, IfExists::Refuse).unwrap_err();
    assert!(matches!(refused, ReportError::File(FileError::Exists { .. })) && refused.is_usage());
    assert!(refused.to_string().ends_with("pass --resume to continue it, or --overwrite to replace it"));

    let replaced = open(&path, IfExists::Overwrite).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    drop(replaced);
    assert_eq!(fs::read_to_string(&path).unwrap(), "old", "a job that was not confirmed");

    let (mut sink, journal) = open(&path, IfExists::Overwrite).unwrap().begin().unwrap();
    assert!(journal.is_none() && fs::read(&path).unwrap().is_empty());
    sink.flush().unwrap();
    assert_eq!(fs::read(&path).unwrap(), encode(Format::Csv, &[]), "as a new one");
}

#[test]
fn a_new_report_is_private_and_goes_when_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    for if_exists in [IfExists::Refuse, IfExists::Overwrite, IfExists::Resume] {
        let path = folder.path().join("r.csv");
        let mut report = open(&path, if_exists).unwrap();
        let note = folder.path().join("r.csv.lock");
        for file in [&path, &note] {
            assert_mode(file, 0o600);
        }
        assert_eq!(report.read_journal().unwrap().tally().total(), 0);
        drop(report);
        assert!(!path.exists() && !note.exists());
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_whatever_was_asked() {
    use std::os::unix::fs::symlink;

    let (folder, victim) = folder_with("victim.csv", "precious");
    let link = folder.path().join("link.csv");
    symlink(&victim, &link).unwrap();
    let dangling = folder.path().join("dangling.csv");
    symlink(folder.path().join("nothing"), &dangling).unwrap();
    let directory = folder.path().join("d.csv");
    fs::create_dir(&directory).unwrap();
    let pipe = folder.path().join("p.csv");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());

    for if_exists in [IfExists::Refuse, IfExists::Overwrite, IfExists::Resume] {
        for path in [&link, &dangling] {
            let error = open(path, if_exists).unwrap_err();
            assert!(matches!(error, ReportError::File(FileError::Symlink { .. })) && error.is_usage(), "{error:?}");
        }
        for (path, kind) in [(directory.as_path(), "a folder"), (&pipe, "a pipe")] {
            let error = open(path, if_exists).unwrap_err();
            assert!(
                matches!(error, ReportError::File(FileError::NotRegular { what, .. }) if what == kind),
                "{error:?}"
            );
        }
        let device = OutputFile::open("/dev/null".into(), if_exists).unwrap_err();
        assert!(matches!(device, FileError::NotRegular { what: "a device", .. }), "{device:?}");
        let nowhere = open(&folder.path().join("no/r.csv"), if_exists).unwrap_err();
        assert!(matches!(nowhere, ReportError::File(FileError::Io { .. })) && !nowhere.is_usage(), "{nowhere:?}");
    }
    assert!(!folder.path().join("nothing").exists());
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

#[test]
fn a_report_has_one_holder_and_says_who() {
    let (_folder, path) = folder_with("r.csv", "");
    let first = open(&path, IfExists::Resume).unwrap();
    for if_exists in [IfExists::Overwrite, IfExists::Resume] {
        let error = open_now(&path, if_exists).unwrap_err();
        let ReportError::File(FileError::Locked { owner: Some(owner), .. }) = &error else { panic!("{error:?}") };
        assert_eq!(owner.pid, std::process::id());
        assert!(!error.is_usage());
    }
    drop(first);
    assert!(open(&path, IfExists::Overwrite).is_ok(), "nothing is left of the lock");
}

#[test]
fn a_report_held_by_a_process_without_a_note_is_held_by_another_process() {
    let (_folder, path) = folder_with("r.csv", "");
    let other = File::open(&path).unwrap();
    other.try_lock().unwrap();
    let error = open_now(&path, IfExists::Resume).unwrap_err();
    assert!(matches!(error, ReportError::File(FileError::Locked { owner: None, .. })), "{error:?}");
}

#[test]
fn a_dry_runs_report_leaves_everything_to_do() {
    for (format, name) in FORMATS {
        let rows = [settled(1, "a", Status::Planned), settled(2, "b", Status::Planned)];
        let (_folder, path) = folder_with(name, &String::from_utf8(encode(format, &rows)).unwrap());
        let journal = open(&path, IfExists::Resume).unwrap().read_journal().unwrap();
        assert_eq!(journal.state(RecordNumber::FIRST, "other"), RecordState::Pending);
    }
}
