use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use super::super::encode::tests::{encode, settled};
use super::super::row::Format;
use tokio::time::sleep;

use super::*;
use crate::files::{FileError, IfExists, OutputFile};

fn rows(count: u64) -> Vec<Settled> {
    let status = |number: u64| Status::ALL[usize::try_from(number).unwrap() % Status::ALL.len()];
    (1..=count).map(|number| settled(number, &format!("key\n{number}"), status(number))).collect()
}

fn report_file(path: PathBuf) -> Destination {
    Destination::open(path, IfExists::Refuse).unwrap()
}

fn full_disk() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// Rows into the end of a pipe, as stdout can be one.
fn piped(pipe: std::io::PipeWriter) -> RowWriter {
    let sink = Sink::stream(Some(OwnedFd::from(pipe).into()));
    RowWriter::new(Some(sink.with_header(&COLUMNS)), None, Sync::Always)
}

#[tokio::test]
async fn every_row_is_written_and_the_file_unlocked() {
    let folder = tempfile::tempdir().unwrap();
    let rows = rows(2000);
    for (name, failures) in [("r.csv", "f.csv"), ("r.ndjson", "f.jsonl")] {
        for (sync, batch) in [(Sync::Never, 1), (Sync::EverySecond, 1024), (Sync::Always, 512)] {
            let (path, failed) = (folder.path().join(name), folder.path().join(failures));
            let failures = FailuresFile::open(failed.clone(), IfExists::Refuse).unwrap();
            let outputs = Outputs { report: Some(report_file(path.clone())), failures: Some(failures), sync };
            let (sender, writer) = start(outputs).unwrap();
            for rows in rows.chunks(batch) {
                sender.send(rows.to_vec()).await.unwrap();
            }
            drop(sender);
            let written = writer.finish().await.unwrap();
            assert_eq!(written.rows, 2000);

            let format = Format::of(&path).unwrap();
            assert!(fs::read(&path).unwrap() == encode(format, &rows), "{name} {sync:?}");
            let mut expected = Vec::new();
            format.append_header(&["key"], &mut expected);
            for row in rows.iter().filter(|row| matches!(row.status, Status::Failed | Status::Unknown)) {
                format.append_key(&row.key, &mut expected);
            }
            assert!(fs::read(&failed).unwrap() == expected, "{name} {sync:?}");
            assert!(!folder.path().join(format!("{name}.lock")).exists());
            File::open(&path).unwrap().try_lock().unwrap();
            fs::remove_file(path).unwrap();
            fs::remove_file(failed).unwrap();
        }
    }
}

#[tokio::test]
async fn a_report_that_was_moved_away_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.csv");
    let outputs = Outputs { report: Some(report_file(path.clone())), failures: None, sync: Sync::Never };
    let (sender, writer) = start(outputs).unwrap();
    std::fs::rename(&path, folder.path().join("elsewhere.csv")).unwrap();
    for row in rows(3) {
        let _ = sender.send(vec![row]).await;
    }
    drop(sender);
    assert!(writer.finish().await.is_err());
}

#[tokio::test]
async fn a_job_without_a_report_still_counts() {
    let outputs = Outputs { report: None, failures: None, sync: Sync::EverySecond };
    let (sender, writer) = start(outputs).unwrap();
    sender.send(vec![settled(1, "a", Status::Deleted)]).await.unwrap();
    drop(sender);
    assert_eq!(writer.finish().await.unwrap().rows, 1);
}

#[test]
fn a_sink_on_a_full_disk_fails_when_flushed_and_when_it_has_grown() {
    let mut sink = Sink::file(OutputFile::for_test(full_disk()), Format::Csv);
    sink.key("x").unwrap();
    assert!(matches!(sink.flush(), Err(ReportError::File(FileError::Io { doing: "write", .. }))));
    assert!(matches!(sink.key(&"x".repeat(100_000)), Err(ReportError::File(FileError::Io { doing: "write", .. }))));
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_closes_the_channel_and_claims_nothing() {
    for failing_report in [Failing::Report, Failing::Failures] {
        let output = || Some(Sink::file(OutputFile::for_test(full_disk()), Format::Csv));
        let (report, failures) = match failing_report {
            Failing::Report => (output(), None),
            Failing::Failures => (None, output()),
        };
        let rows = RowWriter::new(report, failures, Sync::Never);
        let (sender, received) = mpsc::channel(4);
        let writer = tokio::spawn(rows.run(received));
        sender.send(vec![settled(1, "a", Status::Failed)]).await.unwrap();
        // Nobody has to send a second row for the first one's loss to show.
        sender.closed().await;
        let error = writer.await.unwrap().unwrap_err();
        let ReportError::File(FileError::Io { doing: "write", source, .. }) = &error else { panic!("{error:?}") };
        assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
        assert!(!error.is_usage());
    }
}

#[derive(Clone, Copy)]
enum Failing {
    Report,
    Failures,
}

#[tokio::test(start_paused = true)]
async fn a_row_waits_for_no_other_and_a_second_at_most_however_busy_the_writer_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.csv");
    let outputs = Outputs { report: Some(report_file(path.clone())), failures: None, sync: Sync::EverySecond };
    let rows = RowWriter::begin(outputs).unwrap();
    let header = encode(Format::Csv, &[]);
    assert_eq!(fs::read(&path).unwrap(), header, "the header is there from the start");

    let (sender, received) = mpsc::channel(1024);
    let writer = tokio::spawn(rows.run(received));
    let written = || fs::read(&path).unwrap().len();
    let first = settled(1, "a", Status::Deleted);
    sender.send(vec![first.clone()]).await.unwrap();
    sleep(Duration::from_millis(10)).await;
    assert_eq!(fs::read(&path).unwrap(), encode(Format::Csv, &[first]), "an idle writer hands its rows over at once");

    let before = written();
    for number in 2..200 {
        sender.send(vec![settled(number, "a", Status::Deleted)]).await.unwrap();
        sleep(FLUSH_AFTER / 150).await;
    }
    assert!(written() > before, "so does one that never rests");
    drop(sender);
    assert_eq!(writer.await.unwrap().unwrap().rows, 199);
}

/// A pipe cannot be synced, so an error shows that it was tried.
#[tokio::test(start_paused = true)]
async fn rows_are_synced_as_the_policy_says() {
    for (sync, tried_after) in
        [(Sync::Never, None), (Sync::EverySecond, Some(FLUSH_AFTER)), (Sync::Always, Some(Duration::ZERO))]
    {
        let (_reader, pipe) = std::io::pipe().unwrap();
        let output = OutputFile::for_test(OwnedFd::from(pipe).into());
        let rows = RowWriter::new(Some(Sink::file(output, Format::Csv)), None, sync);
        let (sender, received) = mpsc::channel(4);
        let writer = tokio::spawn(rows.run(received));
        let begun = Instant::now();
        sender.send(vec![settled(1, "a", Status::Deleted)]).await.unwrap();
        let closed = tokio::time::timeout(Duration::from_mins(1), sender.closed()).await.map(|()| begun.elapsed());
        assert_eq!(closed.ok(), tried_after, "{sync:?}");
        drop(sender);
        let result = writer.await.unwrap();
        match tried_after {
            None => assert_eq!(result.unwrap().rows, 1),
            Some(_) => {
                assert!(matches!(result, Err(ReportError::File(FileError::Io { doing: "sync", .. }))), "{sync:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_stdout_that_closes_is_an_error() {
    let (reader, pipe) = std::io::pipe().unwrap();
    drop(reader);
    let (sender, received) = mpsc::channel(4);
    let writer = tokio::spawn(piped(pipe).run(received));
    for row in rows(1000) {
        if sender.send(vec![row]).await.is_err() {
            break;
        }
    }
    assert!(matches!(writer.await.unwrap(), Err(ReportError::StdoutClosed)));
}

#[tokio::test]
async fn a_stdout_that_is_read_gets_every_row() {
    let (mut reader, pipe) = std::io::pipe().unwrap();
    let reading = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map(|_| bytes)
    });
    let rows = rows(1000);
    let (sender, received) = mpsc::channel(4);
    let writer = tokio::spawn(piped(pipe).run(received));
    for rows in rows.chunks(7) {
        sender.send(rows.to_vec()).await.unwrap();
    }
    drop(sender);
    let written = writer.await.unwrap().unwrap();
    assert_eq!(written.rows, 1000);
    assert!(reading.join().unwrap().unwrap() == encode(Format::Csv, &rows));
}

#[tokio::test]
async fn a_stdout_on_a_full_disk_is_an_error() {
    let sink = Sink::stream(Some(full_disk()));
    let rows = RowWriter::new(Some(sink.with_header(&COLUMNS)), None, Sync::Never);
    let (sender, received) = mpsc::channel(4);
    drop(sender);
    let error = rows.run(received).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot write stdout");
}

#[tokio::test]
async fn a_process_without_stdout_cannot_write_there() {
    let sink = Sink::stream(None);
    let rows = RowWriter::new(Some(sink.with_header(&COLUMNS)), None, Sync::Always);
    let (sender, received) = mpsc::channel(4);
    drop(sender);
    assert!(matches!(rows.run(received).await, Err(ReportError::StdoutClosed)));
}
