//! Names that URL parsers, shells and text formats treat specially reach the server exactly as they are; the few that
//! cannot be sent are reported and never sent.

mod awkward;

use std::collections::BTreeSet;

use crate::lab::Lab;
use awkward::{awkward, cannot_be_sent, mangled};

/// Runs a job over `names`, written as `input`, and compares the input, the server's log and the report.
fn assert_exact(names: &[String], file: &str, input: &[u8], report: &str) {
    let lab = Lab::new();
    let wanted: BTreeSet<&str> = names.iter().map(String::as_str).filter(|name| !cannot_be_sent(name)).collect();
    let bystanders: BTreeSet<String> = names
        .iter()
        .flat_map(|name| mangled(name))
        .chain(["bystander".to_owned(), ".".to_owned(), "..".to_owned()])
        .filter(|name| !wanted.contains(name.as_str()) && !name.is_empty())
        .collect();
    lab.server.preload(wanted.iter().copied());
    lab.server.preload(bystanders.iter().map(String::as_str));
    lab.write(file, input);
    let refused = names.iter().filter(|name| cannot_be_sent(name)).count();
    let done = lab.delete([file, "--report", report, "--json"]).run().code(if refused > 0 { 3 } else { 0 });

    let deletes = lab.deletes();
    let asked: BTreeSet<&str> = deletes.iter().filter_map(|entry| entry.key.as_deref()).collect();
    assert_eq!(asked, wanted, "{file}: what the server was asked to delete");
    assert_eq!(deletes.len(), wanted.len(), "{file}: a request for each key, and no other");
    assert!(deletes.iter().all(|entry| entry.applied && entry.status == 200), "{file}: every key was there and went");
    assert_eq!(lab.server.keys(), bystanders.into_iter().collect::<Vec<_>>(), "{file}: what is left");
    assert_eq!(lab.server.namespaces_deleted(), 0);

    let mut rows = lab.rows(report);
    rows.sort_by_key(|row| row.record);
    assert_eq!(rows.len(), names.len(), "{file}: a row for every record");
    let mut seen = BTreeSet::new();
    for (row, (index, name)) in rows.iter().zip(names.iter().enumerate()) {
        assert_eq!((row.record, &row.key), (index as u64 + 1, name), "{file}");
        let expected = match (cannot_be_sent(name), seen.insert(name)) {
            (true, _) => "invalid",
            (false, false) => "duplicate",
            (false, true) => "deleted",
        };
        assert_eq!(row.status, expected, "{row:?}");
        assert_eq!(row.error.is_empty(), expected == "deleted", "{row:?}");
        assert_eq!(row.attempts, u32::from(expected == "deleted"), "{row:?}");
    }
    let summary = done.summary();
    assert_eq!(
        (&summary["records"], &summary["deleted"], &summary["invalid"]),
        (&names.len().into(), &wanted.len().into(), &refused.into())
    );
}

fn as_ndjson(names: &[String]) -> Vec<u8> {
    let lines = names.iter().map(|name| serde_json::to_string(name).expect("JSON") + "\n");
    lines.collect::<String>().into_bytes()
}

fn as_json(names: &[String]) -> Vec<u8> {
    serde_json::to_vec(names).expect("JSON")
}

fn as_csv(names: &[String]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
    writer.write_record(["id", "key"]).expect("CSV");
    for (id, name) in names.iter().enumerate() {
        writer.write_record([id.to_string().as_str(), name]).expect("CSV");
    }
    writer.into_inner().expect("CSV")
}

#[test]
fn awkward_names_as_ndjson_are_deleted_exactly() {
    let names = awkward();
    assert_exact(&names, "keys.ndjson", &as_ndjson(&names), "report.csv");
}

#[test]
fn awkward_names_as_a_json_array_are_deleted_exactly() {
    let names = awkward();
    assert_exact(&names, "keys.json", &as_json(&names), "report.ndjson");
}

#[test]
fn awkward_names_as_csv_are_deleted_exactly() {
    let names = awkward();
    assert_exact(&names, "keys.csv", &as_csv(&names), "report.csv");
}

#[test]
fn awkward_names_as_lines_are_deleted_exactly() {
    // A name with a line end cannot be written so.
    let names: Vec<String> = awkward().into_iter().filter(|name| !name.contains(['\r', '\n'])).collect();
    assert_exact(&names, "keys.txt", (names.join("\n") + "\n").as_bytes(), "report.csv");
    assert_exact(&names, "keys.txt", (names.join("\r\n") + "\r\n").as_bytes(), "report.csv");
}

/// `SplitMix64`: the same names on every run and machine.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).expect("below a usize")
    }

    /// Pieces that parsers of URLs, CSV and JSON treat specially, and any character there is.
    fn name(&mut self) -> String {
        const PIECES: [&str; 32] = [
            ".", "..", "/", "\\", "%", "%2e", "%2F", "%00", "?", "#", "&", "=", "+", ";", ",", "\"", "'", " ", "\t",
            "\r", "\n", "\r\n", "\0", "\x1b", "\u{feff}", "\u{301}", "\u{202e}", "🔑", "é", "a", "Z", "0",
        ];
        let pieces = 1 + self.below(8);
        let pieces = (0..pieces).map(|_| match self.below(4) {
            0 => loop {
                let code = u32::try_from(self.below(0x11_0000)).expect("a code point");
                if let Some(any) = char::from_u32(code) {
                    break any.to_string();
                }
            },
            _ => PIECES[self.below(PIECES.len())].to_owned(),
        });
        pieces.collect()
    }
}

#[test]
fn random_hostile_names_are_deleted_exactly() {
    let mut chance = Chance(2026);
    let names: Vec<String> = (0..300).map(|_| chance.name()).collect();
    assert!(names.iter().filter(|name| !cannot_be_sent(name)).count() > 250);
    assert_exact(&names, "keys.ndjson", &as_ndjson(&names), "report.csv");
    assert_exact(&names, "keys.json", &as_json(&names), "report.ndjson");
    assert_exact(&names, "keys.csv", &as_csv(&names), "report.csv");
}
