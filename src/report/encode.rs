//! Encodes rows in either format, appending to a buffer that the caller reuses.

use super::row::Format;
use super::row::{COLUMNS, Row};
use super::{csv, ndjson};
use crate::format::csv_writer::CsvWriter;
use crate::outcome::Settled;

#[derive(Debug)]
pub(super) enum Encoder {
    Csv(Box<CsvWriter>),
    Ndjson,
}

impl Encoder {
    pub(super) fn new(format: Format) -> Self {
        match format {
            Format::Csv => Self::Csv(Box::new(CsvWriter::new())),
            Format::Ndjson => Self::Ndjson,
        }
    }

    pub(super) fn format(&self) -> Format {
        match self {
            Self::Csv(_) => Format::Csv,
            Self::Ndjson => Format::Ndjson,
        }
    }

    pub(super) fn report_header(&mut self, out: &mut Vec<u8>) {
        if let Self::Csv(writer) = self {
            writer.row(&COLUMNS, out);
        }
    }

    pub(super) fn row(&mut self, row: &Row<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Csv(writer) => csv::write_row(writer, row, out),
            Self::Ndjson => ndjson::line(row, out),
        }
    }

    pub(super) fn keys_header(&mut self, out: &mut Vec<u8>) {
        if let Self::Csv(writer) = self {
            writer.row(&["key"], out);
        }
    }

    pub(super) fn key(&mut self, key: &str, out: &mut Vec<u8>) {
        match self {
            Self::Csv(writer) => writer.row(&[key], out),
            Self::Ndjson => ndjson::line(&key, out),
        }
    }
}

/// For the benchmarks alone: rows without a file.
#[derive(Debug)]
pub struct Rows(Encoder);

impl Rows {
    pub fn new(format: Format) -> Self {
        Self(Encoder::new(format))
    }

    /// Appends the row of `settled` to `out`.
    pub fn append(&mut self, settled: &Settled, out: &mut Vec<u8>) {
        self.0.row(&Row::from(settled), out);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::*;
    use crate::outcome::{Detail, Settled, Status};
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
        let mut encoder = Encoder::new(format);
        encoder.report_header(&mut out);
        for row in rows {
            encoder.row(&Row::from(row), &mut out);
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
            let (mut as_csv, mut as_ndjson) = (Encoder::new(Format::Csv), Encoder::new(Format::Ndjson));
            as_csv.keys_header(&mut csv);
            as_ndjson.keys_header(&mut ndjson);
            for key in &keys {
                as_csv.key(key, &mut csv);
                as_ndjson.key(key, &mut ndjson);
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
