//! The report on the disk: written by the real writer, cut as by kill -9, read by the real journal.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kvsweep::Status;
use kvsweep::internals::{Destination, Format, IfExists, Journal, Outputs, ReportFile, Settled, Sync, start_report};
use rand::RngExt;
use rand::rngs::StdRng;

pub(crate) struct Report {
    path: PathBuf,
    format: Format,
}

/// What a report says of a record.
pub(crate) type Rows = BTreeMap<u64, (String, Status)>;

impl Report {
    pub(crate) fn new(folder: &Path, ndjson: bool) -> Self {
        let (name, format) = if ndjson { ("report.ndjson", Format::Ndjson) } else { ("report.csv", Format::Csv) };
        Self { path: folder.join(name), format }
    }

    fn open(&self) -> ReportFile {
        ReportFile::open(self.path.clone(), IfExists::Resume).expect("the report is opened")
    }

    pub(crate) fn journal(&self) -> Arc<Journal> {
        self.open().read_journal().expect("the report is read")
    }

    /// Appends rows; after a crash only as many bytes of them as the disk has by chance.
    pub(crate) async fn append(&self, rows: Vec<Settled>, torn: Option<&mut StdRng>) {
        let before = fs::metadata(&self.path).map_or(0, |file| file.len());
        let report = Some(Destination::File(self.open()));
        let outputs = Outputs { report, failures: None, sync: Sync::Never };
        let (sender, writer) = start_report(outputs).expect("the report is begun");
        for row in rows {
            sender.send(vec![row]).await.expect("the writer lives");
        }
        drop(sender);
        writer.finish().await.expect("the report is written");
        if let Some(rng) = torn {
            let after = fs::metadata(&self.path).expect("the report is there").len();
            // What was torn before was cut off: less may be there than before.
            let file = fs::OpenOptions::new().write(true).open(&self.path).expect("the report is there");
            file.set_len(rng.random_range(before.min(after)..=after)).expect("the report is cut");
        }
    }

    /// The last complete row of every record, by a reader that is not ours.
    pub(crate) fn last_rows(&self) -> Rows {
        let bytes = fs::read(&self.path).unwrap_or_default();
        // A torn last row is no row: what ends in a newline outside of quotes is whole.
        let (mut quoted, mut end) = (false, 0);
        for (index, byte) in bytes.iter().enumerate() {
            quoted ^= *byte == b'"' && self.format == Format::Csv;
            if *byte == b'\n' && !quoted {
                end = index + 1;
            }
        }
        let whole = &bytes[..end];
        let status = |word: &str| word.parse().expect("a status");
        match self.format {
            Format::Csv => csv::Reader::from_reader(whole)
                .records()
                .map(|row| row.expect("a whole row"))
                .map(|row| (row[0].parse().expect("a number"), (row[1].to_owned(), status(&row[2]))))
                .collect(),
            Format::Ndjson => whole
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
                .map(|line| serde_json::from_slice::<serde_json::Value>(line).expect("a whole row"))
                .map(|row| {
                    let text = |name: &str| row[name].as_str().expect("a text").to_owned();
                    (row["record"].as_u64().expect("a number"), (text("key"), status(&text("status"))))
                })
                .collect(),
        }
    }
}
