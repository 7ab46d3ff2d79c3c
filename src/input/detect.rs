//! Which format a source has, by its name and by how it begins.

use std::path::Path;

use memchr::memchr;

use super::options::Format;

/// What a column of keys may be called, best first.
pub(super) const KEY_NAMES: [&str; 3] = ["key", "key_name", "name"];

/// How much of a source is looked at.
pub(super) const LOOKED_AT: usize = 16 * 1024;

/// The key name that `cell` is, whatever its case.
pub(super) fn key_name(cell: &[u8]) -> Option<&'static str> {
    KEY_NAMES.into_iter().find(|name| cell.eq_ignore_ascii_case(name.as_bytes()))
}

/// What a name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) format: Option<Format>,
    pub(super) is_tsv: bool,
}

/// By the extension, before which that of a compression is taken off.
pub(super) fn by_name(path: &Path) -> Named {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let bare = [".gz", ".zst", ".zstd"].into_iter().find_map(|packed| name.strip_suffix(packed)).unwrap_or(&name);
    let extension = bare.rsplit_once('.').map_or("", |(_, extension)| extension);
    let format = match extension {
        "csv" | "tsv" => Some(Format::Csv),
        "txt" | "lines" | "keys" | "list" => Some(Format::Lines),
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        "json" => Some(Format::Json),
        _ => None,
    };
    Named { format, is_tsv: extension == "tsv" }
}

/// Whether `start` is enough for [`by_content`]: up to the end of the first line that is not blank.
pub(super) fn is_enough(start: &[u8]) -> bool {
    let text = start.trim_ascii_start();
    match text.first() {
        None => false,
        Some(b'[' | b'{') => true,
        Some(_) => memchr(b'\n', text).is_some(),
    }
}

/// By how the text begins, and where it is a CSV, with the delimiter that shows it.
pub(super) fn by_content(start: &[u8], delimiter: Option<u8>) -> (Format, Option<u8>) {
    let text = start.trim_ascii_start();
    match text.first() {
        None => return (Format::Lines, None),
        Some(b'[') => return (Format::Json, None),
        Some(b'{') => return (Format::Ndjson, None),
        Some(_) => {}
    }
    let line = &text[..memchr(b'\n', text).unwrap_or(text.len())];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.starts_with(b"\"") && serde_json::from_slice::<String>(line).is_ok() {
        return if key_name(unquoted(line)).is_some() { (Format::Csv, None) } else { (Format::Ndjson, None) };
    }
    let candidates = match delimiter {
        Some(delimiter) => vec![delimiter],
        None => vec![b',', b'\t'],
    };
    for delimiter in candidates {
        if line.split(|&byte| byte == delimiter).any(|cell| key_name(unquoted(cell)).is_some()) {
            return (Format::Csv, Some(delimiter));
        }
    }
    (Format::Lines, None)
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
        let table: [(&str, (Format, Option<u8>)); 15] = [
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
            ("id;name\n", (Format::Lines, None)),
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
        for (start, enough) in [("", false), (" \n", false), ("a", false), ("a\n", true), ("\n{", true), ("[", true)] {
            assert_eq!(is_enough(start.as_bytes()), enough, "{start:?}");
        }
    }
}
