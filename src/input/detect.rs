//! Detects the format of a source by its name and its first line.

use std::path::Path;

use memchr::memchr;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::options::Format;
use crate::format::compression::Compression;
use crate::format::json_array::JsonArray;

/// Headings of a key column, best first.
pub(super) const KEY_NAMES: [&str; 3] = ["key", "key_name", "name"];

/// Delimiters that a CSV may have if none is given.
pub(super) const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

pub(super) const SNIFF_BYTES: usize = 16 * 1024;

/// A heading as it is compared: trimmed, in lower case, with `_` for `-` and space.
pub(super) fn heading(cell: &[u8]) -> String {
    let text = String::from_utf8_lossy(cell);
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').to_lowercase().replace(['-', ' '], "_")
}

pub(super) fn key_name(cell: &[u8]) -> Option<&'static str> {
    let heading = heading(cell);
    KEY_NAMES.into_iter().find(|name| *name == heading)
}

/// The cells of a line that is not read by the rules of CSV, without the quotes around them.
pub(super) fn cells(line: &[u8], delimiter: u8) -> impl Iterator<Item = &[u8]> {
    line.split(move |&byte| byte == delimiter).map(|cell| unquoted(cell.trim_ascii()))
}

/// Up to the first line end, which may be CRLF.
pub(super) fn first_line(text: &[u8]) -> &[u8] {
    let line = &text[..memchr(b'\n', text).unwrap_or(text.len())];
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Whether a line holds nothing but text: no control character but those that terminals use, and only UTF-8.
pub(super) fn is_plain(line: &[u8]) -> bool {
    !line.iter().any(|byte| *byte < 0x20 && !matches!(byte, b'\t' | b'\r' | 0x1b)) && std::str::from_utf8(line).is_ok()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) format: Option<Format>,
    pub(super) is_tsv: bool,
}

/// By the extension, without that of a compression.
pub(super) fn by_name(path: &Path) -> Named {
    let (_, name) = Compression::of_name(path);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let format = match extension {
        "csv" | "tsv" => Some(Format::Csv),
        "txt" | "lines" | "keys" | "list" => Some(Format::Lines),
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        "json" => Some(Format::Json),
        _ => None,
    };
    Named { format, is_tsv: extension == "tsv" }
}

/// Whether `start` is enough for [`by_content`] and to see that it is not a list of keys: up to the end of the first line that
/// is not blank, if that is plain text.
pub(super) fn is_enough(start: &[u8]) -> bool {
    let text = start.trim_ascii_start();
    memchr(b'\n', text).is_some() && is_plain(first_line(text))
}

/// By the first line; for a CSV, with the delimiter that shows it.
pub(super) fn by_content(start: &[u8], delimiter: Option<u8>) -> (Format, Option<u8>) {
    let text = start.trim_ascii_start();
    let line = first_line(text);
    match text.first() {
        None => return (Format::Lines, None),
        Some(b'[') => return (Format::Json, None),
        Some(b'{') => {
            let is_cut = serde_json::from_slice::<IgnoredAny>(line).is_err_and(|error| error.is_eof());
            // An object that continues on the next line, or one that has no key of its own but a list of results.
            let is_document = match names_keys(line) {
                _ if is_cut && line.len() < text.len() => true,
                Some(format) => format == Format::Json,
                None => false,
            };
            return (if is_document { Format::Json } else { Format::Ndjson }, None);
        }
        Some(_) => {}
    }
    if line.starts_with(b"\"") && serde_json::from_slice::<String>(line).is_ok() {
        return if key_name(unquoted(line)).is_some() { (Format::Csv, None) } else { (Format::Ndjson, None) };
    }
    let has_heading = |delimiter| cells(line, delimiter).any(|cell| key_name(cell).is_some());
    let is_said = delimiter.as_slice();
    let candidates = if is_said.is_empty() { b",\t" } else { is_said };
    if let Some(found) = candidates.iter().copied().find(|candidate| has_heading(*candidate)) {
        return (Format::Csv, Some(found));
    }
    // Other delimiters are never guessed: the CSV reader asks for --delimiter.
    if DELIMITERS.into_iter().any(has_heading) { (Format::Csv, None) } else { (Format::Lines, None) }
}

/// How the keys that a JSON text names are to be read: as an array or as lines. `None` if it names none. The end of an object
/// may be missing.
pub(super) fn names_keys(json: &[u8]) -> Option<Format> {
    let elements = serde_json::from_slice::<Vec<&RawValue>>(json).unwrap_or_default();
    if elements.iter().any(|element| element.get().starts_with(['"', '{'])) {
        return Some(Format::Json);
    }
    let (mut has_key, mut has_result) = (false, false);
    let mut document = JsonArray::new(json);
    let mut has_more = document.begin_object().is_ok_and(|is_object| is_object);
    while has_more {
        let member = document.next_member(|name| {
            has_key |= key_name(name.as_bytes()).is_some();
            has_result |= name == "result";
        });
        // What was seen before an error counts.
        has_more = matches!(member, Ok(Some(()))) && document.skip_value().is_ok();
    }
    if has_key { Some(Format::Ndjson) } else { has_result.then_some(Format::Json) }
}

fn unquoted(cell: &[u8]) -> &[u8] {
    cell.strip_prefix(b"\"").and_then(|cell| cell.strip_suffix(b"\"")).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_tells_the_format() {
        let table = [
            ("keys.csv", Some(Format::Csv)),
            ("KEYS.TSV", Some(Format::Csv)),
            ("keys.txt.gz", Some(Format::Lines)),
            ("a.b/keys.lines", Some(Format::Lines)),
            ("keys.keys", Some(Format::Lines)),
            ("keys.list.zst", Some(Format::Lines)),
            ("keys.jsonl.zstd", Some(Format::Ndjson)),
            ("keys.ndjson", Some(Format::Ndjson)),
            ("keys.json.GZ", Some(Format::Json)),
            ("keys.gz", None),
            ("keys", None),
            ("csv", None),
            ("a.csv/keys", None),
        ];
        for (name, expected) in table {
            assert_eq!(by_name(Path::new(name)).format, expected, "{name}");
        }
        assert!(by_name(Path::new("a.tsv.gz")).is_tsv && !by_name(Path::new("a.csv")).is_tsv);
    }

    #[test]
    fn the_beginning_tells_the_format() {
        let comma = Some(b',');
        let table: [(&str, (Format, Option<u8>)); 23] = [
            ("", (Format::Lines, None)),
            (" \r\n\t [1", (Format::Json, None)),
            ("\n{", (Format::Ndjson, None)),
            ("\"a\"\n", (Format::Ndjson, None)),
            ("\"a\"", (Format::Ndjson, None)),
            ("\"a\",\"b\"\n", (Format::Lines, None)),
            ("\"key\"\n\"a\"", (Format::Csv, None)),
            ("key\r\na", (Format::Csv, comma)),
            ("id,Key_Name\n", (Format::Csv, comma)),
            ("id,\"name\"\r\n", (Format::Csv, comma)),
            ("id\tname\r\n", (Format::Csv, Some(b'\t'))),
            ("id;name\n", (Format::Csv, None)),
            ("Key Name|x\n", (Format::Csv, None)),
            (" KEY-NAME ,x\n", (Format::Csv, comma)),
            ("{\n", (Format::Json, None)),
            ("{\"success\": true,\n", (Format::Json, None)),
            ("{\"result\":[{\"name\":\"a\"}],\"success\":true}", (Format::Json, None)),
            ("{\"success\":true,\"result\":[{\"name", (Format::Json, None)),
            ("{\"key\":\"a\",\"result\":1}\n", (Format::Ndjson, None)),
            ("{\"key\":\"a\",\"value\":\"cut", (Format::Ndjson, None)),
            ("keys\nkey\n", (Format::Lines, None)),
            ("my key\n", (Format::Lines, None)),
            ("record,key,status,http_status,error_code,error,attempts,elapsed_ms,finished_at\n", (Format::Csv, comma)),
        ];
        for (start, expected) in table {
            assert_eq!(by_content(start.as_bytes(), None), expected, "{start:?}");
        }
        assert_eq!(by_content(b"id;name\n", Some(b';')), (Format::Csv, Some(b';')));
    }

    #[test]
    fn no_more_is_waited_for_than_the_first_line() {
        for (start, enough) in
            [("", false), (" \n", false), ("a", false), ("a\n", true), ("\n{", false), ("\n{\n", true)]
        {
            assert_eq!(is_enough(start.as_bytes()), enough, "{start:?}");
        }
        assert!(!is_enough(b"a\0\n") && !is_enough(b"\xff\n"), "it may be no text at all");
    }
}
