//! Reports read back: whole, torn, damaged, and of other kinds.

use std::borrow::Cow;

use proptest::prelude::*;

use super::super::encode::tests::{any_settled, encode, settled};
use super::*;
use crate::outcome::{Detail, Settled, Status};

fn written(bytes: &[u8]) -> (tempfile::TempDir, ReportReader) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report");
    std::fs::write(&path, bytes).unwrap();
    let reader = ReportReader::open(path).unwrap();
    (folder, reader)
}

fn owned(row: &StoredRow<'_>) -> StoredRow<'static> {
    let key = Cow::Owned(row.key.clone().into_owned());
    StoredRow { key, error: Cow::Owned(row.error.clone().into_owned()), ..*row }
}

fn expected(settled: &Settled) -> StoredRow<'static> {
    let detail = settled.detail.as_deref();
    StoredRow {
        number: settled.number,
        key: Cow::Owned(settled.key.to_string()),
        status: settled.status,
        http_status: settled.http_status,
        error_code: detail.and_then(|detail| detail.error_code),
        error: Cow::Owned(detail.map(|detail| detail.error.clone()).unwrap_or_default()),
        attempts: settled.attempts,
        elapsed_ms: u64::try_from(settled.elapsed.as_millis()).unwrap(),
        finished_at: settled.finished_at,
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read_back_whole(rows in prop::collection::vec(any_settled(), 1..6), cut in 1..20_usize) {
        for format in [Format::Csv, Format::Ndjson] {
            let bytes = encode(format, &rows);
            let (_folder, reader) = written(&bytes);
            let mut read = Vec::new();
            let extent = reader.rows(None, |row| read.push(owned(row))).unwrap();
            prop_assert_eq!(&read, &rows.iter().map(expected).collect::<Vec<_>>());
            prop_assert_eq!(extent, ReadExtent { complete: bytes.len() as u64, torn: 0 });

            // A torn last row is left out, and counted.
            let torn = &bytes[..bytes.len() - cut];
            let (_folder, reader) = written(torn);
            let mut read = Vec::new();
            let extent = reader.rows(None, |row| read.push(owned(row))).unwrap();
            prop_assert_eq!(&read, &rows[..rows.len() - 1].iter().map(expected).collect::<Vec<_>>());
            prop_assert_eq!(extent.complete + extent.torn, torn.len() as u64);
            prop_assert!(extent.torn > 0);
            // The second time it is the same, where the first one ended.
            let mut again = 0;
            reader.rows(Some(extent.complete), |_| again += 1).unwrap();
            prop_assert_eq!(again, read.len());
        }
    }
}

#[test]
fn what_is_no_report_is_refused_with_its_line() {
    for (bytes, line) in [(&b"a,b\n1,2\n"[..], 1), (b"{\"record\":1}\n", 1), (b"\x1f\x8b\x08\x00", 1)] {
        let (_folder, reader) = written(bytes);
        let error = reader.rows(None, |_| ()).unwrap_err();
        assert!(matches!(error, ReportError::NoReport { line: l, .. } if l == line), "{error}");
    }
}

/// On Windows a folder cannot even be opened.
#[cfg(unix)]
#[test]
fn a_folder_is_no_report() {
    let folder = tempfile::tempdir().unwrap();
    let error = ReportReader::open(folder.path().to_owned()).unwrap_err();
    assert!(matches!(error, ReportError::File(FileError::NotRegular { .. })));
}

pub(crate) fn awkward_rows() -> Vec<Settled> {
    let keys = ["plain", "a,b \"q\"\nand\r\n", "é🔑\u{feff}", "\"\0\r"];
    let mut rows: Vec<Settled> = (1..).zip(keys).map(|(number, key)| settled(number, key, Status::Deleted)).collect();
    rows[2].status = Status::Invalid;
    rows[3].detail = Some(Box::new(Detail { error_code: Some(10_009), error: "not\n\"found\"".to_owned() }));
    rows
}

/// Where each row ends, and where the first begins.
pub(crate) fn ends(format: Format, rows: &[Settled]) -> Vec<usize> {
    (0..=rows.len()).map(|count| encode(format, &rows[..count]).len()).collect()
}

/// What is left of a row: number, key, status.
type Seen = (u64, String, Status);

/// The rows and where the last one ends; the same however much of the report is in the buffer at a time.
fn scan(format: Format, bytes: &[u8]) -> Result<(Vec<Seen>, u64), ReadError> {
    let read = |capacity| {
        let mut rows = Vec::new();
        let each = |row: &StoredRow<'_>| rows.push((row.number.get(), row.key.to_string(), row.status));
        let end = read_rows(format, BufReader::with_capacity(capacity, bytes), each);
        (rows, end)
    };
    // Rows span the borders of a small buffer.
    let (rows, end) = read(7);
    for capacity in [100, 1 << 20] {
        let (others, other) = read(capacity);
        assert_eq!(others, rows, "a buffer of {capacity} bytes");
        assert_eq!(format!("{other:?}"), format!("{end:?}"), "a buffer of {capacity} bytes");
    }
    end.map(|end| (rows, end))
}

/// A power cut can leave zeros after what was written.
#[test]
fn zeros_after_any_cut_are_as_torn_as_what_they_follow() {
    for format in [Format::Csv, Format::Ndjson] {
        let rows = awkward_rows();
        let (whole, ends) = (encode(format, &rows), ends(format, &rows));
        for cut in 0..=whole.len() {
            let mut left = whole[..cut].to_vec();
            left.resize(cut + 3, 0);
            let (read, end) = scan(format, &left).unwrap();
            let complete = ends.iter().copied().filter(|&end| end <= cut).max().unwrap_or(0);
            assert_eq!(end, complete as u64, "{format:?} cut at {cut}");
            assert_eq!(read, scan(format, &whole[..complete]).unwrap().0, "{format:?} cut at {cut}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_report_cut_anywhere_gives_its_complete_rows(
        rows in prop::collection::vec(any_settled(), 0..5), cut in any::<prop::sample::Index>(),
    ) {
        for format in [Format::Csv, Format::Ndjson] {
            let (whole, ends) = (encode(format, &rows), ends(format, &rows));
            let cut = cut.index(whole.len() + 1);
            let (read, end) = scan(format, &whole[..cut]).unwrap();
            let complete = ends.iter().copied().filter(|&end| end <= cut).max().unwrap_or(0);
            prop_assert_eq!(end, complete as u64);
            let kept = ends.iter().filter(|&&end| end <= cut).count().saturating_sub(1);
            let expected: Vec<_> =
                rows[..kept].iter().map(|row| (row.number.get(), row.key.to_string(), row.status)).collect();
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn a_changed_byte_makes_no_more_of_a_report(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for format in [Format::Csv, Format::Ndjson] {
            let mut report = encode(format, &awkward_rows());
            let at = at.index(report.len());
            report[at] = byte;
            if let Ok((rows, end)) = scan(format, &report) {
                prop_assert!(rows.len() <= awkward_rows().len() + 1, "{rows:?}");
                prop_assert!(end <= report.len() as u64);
                let (again, _) = scan(format, &report[..usize::try_from(end).unwrap()]).unwrap();
                prop_assert_eq!(again, rows, "what is kept is complete");
            }
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), from in 0..200_usize) {
        for format in [Format::Csv, Format::Ndjson] {
            let mut report = encode(format, &awkward_rows());
            report.truncate(from);
            report.extend_from_slice(&bytes);
            if let Ok((_, end)) = scan(format, &report) {
                let (_, again) = scan(format, &report[..usize::try_from(end).unwrap()]).unwrap();
                prop_assert_eq!(again, end, "what is kept is complete");
            }
        }
    }
}

#[test]
fn a_report_that_went_through_an_editor_is_read() {
    let text = String::from_utf8(encode(Format::Csv, &[settled(1, "a", Status::Deleted)])).unwrap();
    let edited = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let mut keys = Vec::new();
    let end = read_rows(Format::Csv, edited.as_bytes(), |row| keys.push(row.key.to_string())).unwrap();
    assert_eq!((end, keys), (edited.len() as u64, vec!["a".to_owned()]));
}

#[test]
fn empty_lines_between_rows_are_passed_over() {
    let rows =
        [settled(1, "a", Status::Deleted), settled(2, "b", Status::Failed)].map(|row| encode(Format::Ndjson, &[row]));
    let text = rows.join(&b"\n \r\n"[..]);
    let (read, end) = scan(Format::Ndjson, &text).unwrap();
    assert_eq!((read.len(), end), (2, text.len() as u64));
}

#[test]
fn a_header_with_an_unclosed_quote_is_not_the_beginning_of_one() {
    for text in ["record,key,\"sta", "record,key,sta\"", "\"record,key"] {
        let error = scan(Format::Csv, text.as_bytes()).unwrap_err();
        assert!(matches!(error, ReadError::Damaged { line: 1, .. }), "{text}: {error:?}");
    }
    assert_eq!(scan(Format::Csv, b"record,key,sta").unwrap(), (Vec::new(), 0), "a header that is torn");
}

#[test]
fn a_file_of_one_endless_row_is_neither_kept_in_memory_nor_taken() {
    let endless = |beginning: &str, end: &str| {
        let mut bytes = encode(Format::Csv, &[]);
        bytes.extend_from_slice(beginning.as_bytes());
        bytes.resize(bytes.len() + (17 << 20), b'x');
        bytes.extend_from_slice(end.as_bytes());
        bytes
    };
    let damaged = |result| matches!(result, Err(ReadError::Damaged { line: 2, .. }));
    let header = encode(Format::Csv, &[]).len() as u64;
    assert!(damaged(read_rows(Format::Csv, endless("1,", ",deleted\n").as_slice(), |_| ())));
    assert!(matches!(read_rows(Format::Csv, endless("1,\"", "").as_slice(), |_| ()), Ok(end) if end == header));
    assert!(read_rows(Format::Csv, vec![0; 17 << 20].as_slice(), |_| ()).is_err(), "no header");
    assert!(matches!(
        read_rows(Format::Ndjson, vec![b'x'; 17 << 20].as_slice(), |_| ()),
        Err(ReadError::Damaged { line: 1, .. })
    ));
    let mut torn = encode(Format::Ndjson, &[settled(1, "a", Status::Deleted)]);
    let row = torn.len() as u64;
    torn.resize(torn.len() + (17 << 20), b'x');
    assert!(matches!(read_rows(Format::Ndjson, torn.as_slice(), |_| ()), Ok(end) if end == row));
    torn.push(b'\n');
    assert!(damaged(read_rows(Format::Ndjson, torn.as_slice(), |_| ())));
}
