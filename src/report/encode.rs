//! Appends what is written in either format to a buffer.

use serde::Serialize;

use super::row::{Format, StoredRow};
use crate::format::csv_writer::write_row;
use crate::outcome::Settled;

impl Format {
    pub(super) fn append_header(self, columns: &[&str], out: &mut Vec<u8>) {
        if self == Self::Csv {
            write_row(columns.iter().copied(), out);
        }
    }

    pub(super) fn append_row(self, row: &StoredRow<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Csv => write_row(row.cells().iter().map(|cell| &**cell), out),
            Self::Ndjson => append_line(row, out),
        }
    }

    pub(super) fn append_key(self, key: &str, out: &mut Vec<u8>) {
        match self {
            Self::Csv => write_row([key], out),
            Self::Ndjson => append_line(&key, out),
        }
    }
}

fn append_line(value: &impl Serialize, out: &mut Vec<u8>) {
    // Fails only where the value or the writer can; a row and a vector never do.
    let written = serde_json::to_writer(&mut *out, value);
    debug_assert!(written.is_ok(), "{written:?}");
    out.push(b'\n');
}

/// Appends the row of a settled record.
pub fn append_row(format: Format, settled: &Settled, out: &mut Vec<u8>) {
    format.append_row(&StoredRow::from(settled), out);
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::super::row::COLUMNS;
    use super::*;
    use crate::outcome::{Detail, Status};
    use crate::record::RecordNumber;

    /// A moment with milliseconds, so that rows show them.
    pub(crate) fn noon() -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(1_793_275_200_042)
    }

    pub(crate) fn settled(number: u64, key: &str, status: Status) -> Settled {
        Settled {
            number: RecordNumber::new(number).unwrap(),
            key: key.into(),
            status,
            http_status: Some(200),
            detail: None,
            attempts: 1,
            elapsed: Duration::from_millis(12),
            finished_at: noon(),
        }
    }

    pub(crate) fn hostile_text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            prop::sample::select(vec![
                "\"",
                "\"\"",
                ",",
                "\n",
                "\r",
                "\r\n",
                "\0",
                " ",
                "\t",
                "\\",
                "\\u0000",
                "\u{feff}",
                "\u{2028}",
                "é",
                "🔑",
                "record",
                "#",
                "=1+1",
                "\u{1b}[0m",
                "\u{7f}",
            ])
            .prop_map(str::to_owned),
            any::<String>(),
        ];
        prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
    }

    pub(crate) fn any_settled() -> impl Strategy<Value = Settled> {
        (
            (1..=u64::MAX, hostile_text(), prop::sample::select(Status::ALL.to_vec())),
            prop::option::of(any::<u16>()),
            prop::option::of((prop::option::of(any::<u64>()), hostile_text())),
            (any::<u32>(), any::<u64>(), 0..253_402_300_800_000_u64),
        )
            .prop_map(|((number, key, status), http_status, detail, (attempts, elapsed, finished))| Settled {
                number: RecordNumber::new(number).unwrap(),
                key: key.into(),
                status,
                http_status,
                detail: detail.map(|(error_code, error)| Box::new(Detail { error_code, error })),
                attempts,
                elapsed: Duration::from_millis(elapsed),
                finished_at: UNIX_EPOCH + Duration::from_millis(finished),
            })
    }

    pub(crate) fn encode(format: Format, rows: &[Settled]) -> Vec<u8> {
        let mut out = Vec::new();
        format.append_header(&COLUMNS, &mut out);
        for row in rows {
            append_row(format, row, &mut out);
        }
        out
    }

    /// What a reader that knows nothing of us sees: the nine columns as text, empty where there is nothing.
    fn expected(settled: &Settled) -> Vec<String> {
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        let detail = settled.detail.as_deref();
        vec![
            settled.number.to_string(),
            settled.key.to_string(),
            settled.status.to_string(),
            number(settled.http_status.map(u64::from)),
            number(detail.and_then(|detail| detail.error_code)),
            detail.map(|detail| detail.error.clone()).unwrap_or_default(),
            settled.attempts.to_string(),
            settled.elapsed.as_millis().to_string(),
            humantime::format_rfc3339_millis(settled.finished_at).to_string(),
        ]
    }

    #[test]
    fn columns_and_members_are_those_of_the_contract() {
        let mut row = settled(7, "a,\"b\"\n", Status::Failed);
        row.http_status = Some(403);
        row.detail = Some(Box::new(Detail { error_code: Some(10_000), error: " no\r".to_owned() }));
        let rows = [settled(1, "k", Status::Deleted), row];
        assert_eq!(
            String::from_utf8(encode(Format::Csv, &rows)).unwrap(),
            "record,key,status,http_status,error_code,error,attempts,elapsed_ms,finished_at\n\
             1,k,deleted,200,,,1,12,2026-10-29T12:00:00.042Z\n\
             7,\"a,\"\"b\"\"\n\",failed,403,10000,\" no\r\",1,12,2026-10-29T12:00:00.042Z\n"
        );
        assert_eq!(
            String::from_utf8(encode(Format::Ndjson, &rows)).unwrap(),
            "{\"record\":1,\"key\":\"k\",\"status\":\"deleted\",\"http_status\":200,\"error_code\":null,\"error\":null,\
             \"attempts\":1,\"elapsed_ms\":12,\"finished_at\":\"2026-10-29T12:00:00.042Z\"}\n\
             {\"record\":7,\"key\":\"a,\\\"b\\\"\\n\",\"status\":\"failed\",\"http_status\":403,\"error_code\":10000,\
             \"error\":\" no\\r\",\"attempts\":1,\"elapsed_ms\":12,\"finished_at\":\"2026-10-29T12:00:00.042Z\"}\n"
        );
    }

    proptest! {
        #[test]
        fn any_row_is_read_back_exactly_from_csv(rows in prop::collection::vec(any_settled(), 0..6)) {
            let bytes = encode(Format::Csv, &rows);
            let mut reader = ::csv::Reader::from_reader(bytes.as_slice());
            prop_assert_eq!(reader.headers().unwrap(), &::csv::StringRecord::from(COLUMNS.to_vec()));
            let read: Vec<Vec<String>> =
                reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
            prop_assert_eq!(read, rows.iter().map(expected).collect::<Vec<_>>());
        }

        #[test]
        fn any_row_is_read_back_exactly_from_ndjson(rows in prop::collection::vec(any_settled(), 0..6)) {
            let bytes = encode(Format::Ndjson, &rows);
            prop_assert!(bytes.is_empty() || bytes.ends_with(b"\n"));
            let mut read = Vec::new();
            for line in bytes.split_inclusive(|&byte| byte == b'\n') {
                let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(line).unwrap();
                read.push(COLUMNS.iter().map(|&column| match &object[column] {
                    serde_json::Value::Null => String::new(),
                    serde_json::Value::String(text) => text.clone(),
                    number => number.to_string(),
                }).collect::<Vec<_>>());
            }
            prop_assert_eq!(read, rows.iter().map(expected).collect::<Vec<_>>());
        }

        #[test]
        fn any_failed_key_is_read_back_exactly(keys in prop::collection::vec(hostile_text(), 0..6)) {
            let (mut csv, mut ndjson) = (Vec::new(), Vec::new());
            Format::Csv.append_header(&["key"], &mut csv);
            Format::Ndjson.append_header(&["key"], &mut ndjson);
            for key in &keys {
                Format::Csv.append_key(key, &mut csv);
                Format::Ndjson.append_key(key, &mut ndjson);
            }
            let mut reader = ::csv::Reader::from_reader(csv.as_slice());
            prop_assert_eq!(reader.headers().unwrap(), &::csv::StringRecord::from(vec!["key"]));
            let read: Vec<String> = reader.records().map(|row| row.unwrap()[0].to_owned()).collect();
            prop_assert_eq!(&read, &keys);
            let read: Vec<String> = ndjson
                .split_inclusive(|&byte| byte == b'\n')
                .map(|line| serde_json::from_slice(line).unwrap())
                .collect();
            prop_assert_eq!(&read, &keys);
        }
    }
}
