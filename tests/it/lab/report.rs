//! Reports read back with nothing of the crate's own readers.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

/// A row as anybody would read it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Row {
    pub record: u64,
    pub key: String,
    pub status: String,
    pub http_status: Option<u16>,
    pub error_code: Option<u64>,
    #[serde(default, deserialize_with = "text")]
    pub error: String,
    pub attempts: u32,
    pub elapsed_ms: u64,
    pub finished_at: String,
}

fn text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.unwrap_or_default())
}

/// Whether a report of this name is CSV.
pub fn is_csv(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "csv")
}

pub fn parse_csv(text: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = "record,key,status,http_status,error_code,error,attempts,elapsed_ms,finished_at";
    assert_eq!(text.lines().next(), Some(header));
    reader.deserialize().map(|row| row.unwrap_or_else(|error| panic!("{error}"))).collect()
}

pub fn parse_ndjson(text: &str) -> Vec<Row> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

/// What a report holds up to its last complete row: a killed process or a full disk can leave a part of one.
pub fn complete(report: &[u8], csv: bool) -> String {
    let (mut quoted, mut end) = (false, 0);
    for (index, byte) in report.iter().enumerate() {
        match byte {
            b'"' if csv => quoted = !quoted,
            b'\n' if !quoted => end = index + 1,
            _ => {}
        }
    }
    String::from_utf8(report[..end].to_vec()).expect("rows in UTF-8")
}

/// The last row of every record, which is the one that counts.
pub fn final_rows(rows: &[Row]) -> BTreeMap<u64, &Row> {
    rows.iter().map(|row| (row.record, row)).collect()
}
