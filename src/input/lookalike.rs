//! Recognises content that is not a list of keys by its first bytes, whatever its name and format.

use std::borrow::Cow;
use std::fmt;

use memchr::{memchr, memchr_iter};
use serde::de::IgnoredAny;

use super::detect;
use super::options::Format;
use super::report_columns;
use crate::format::compression::Compression;

/// What a source that cannot be a list of keys looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookalike {
    /// A web page or another XML document: an error page that was saved, say.
    Markup,
    /// UTF-16, with or without a byte order mark.
    Utf16,
    /// UTF-32, with or without a byte order mark.
    Utf32,
    /// Names that each end in a NUL byte, as `find -print0` writes them.
    NulSeparated,
    /// Lines that end in CR alone.
    CarriageReturns,
    /// A JSON document over several lines, in a format that reads line by line.
    PrettyJson,
    /// JSON in a file whose extension stands for plain lines or CSV.
    Json(Format),
    /// A table in a file whose extension stands for plain lines.
    Table,
    /// Rows of a kvsweep report without its header.
    HeaderlessReport,
    /// A file of another kind, by its signature.
    Binary(&'static str),
}

impl fmt::Display for Lookalike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.about().0)
    }
}

impl Lookalike {
    pub(super) fn hint(self) -> Cow<'static, str> {
        self.about().1
    }

    /// What it is, and what to do about it.
    fn about(self) -> (&'static str, Cow<'static, str>) {
        let (what, hint) = match self {
            Self::Markup => ("an HTML or XML document", "check what was downloaded: it may be an error page"),
            Self::Utf16 => ("UTF-16 text", "convert it first: iconv -f UTF-16 -t UTF-8"),
            Self::Utf32 => ("UTF-32 text", "convert it first: iconv -f UTF-32 -t UTF-8"),
            Self::NulSeparated => ("names separated by NUL bytes", "separate the names by newlines: tr '\\0' '\\n'"),
            Self::CarriageReturns => (
                "text whose lines end in CR alone",
                "convert the line endings first: tr '\\r' '\\n'; pass keys that contain one as NDJSON",
            ),
            Self::PrettyJson => (
                "a JSON document over several lines",
                "pass --format json for an array, or print one value per line: jq -c",
            ),
            Self::Json(format) => {
                let hint = format!("pass --format {format}, or --format lines if these are the names of keys");
                return ("JSON", hint.into());
            }
            Self::Table => (
                "a CSV table with a header row",
                "pass --format csv, or --format lines if each line is the name of a key",
            ),
            Self::HeaderlessReport => (
                "rows of a kvsweep report without its header row",
                "keep the header row, for example: (head -n 1 plan.csv; grep ,planned, plan.csv) > todo.csv",
            ),
            Self::Binary(kind) => (kind, "export the keys as CSV, lines or JSON"),
        };
        (what, hint.into())
    }
}

const SIGNATURES: [(&[u8], &str); 29] = [
    (b"PK\x03\x04", "a ZIP archive, such as an .xlsx workbook"),
    (b"PK\x05\x06", "a ZIP archive, such as an .xlsx workbook"),
    (b"PK\x07\x08", "a ZIP archive, such as an .xlsx workbook"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document, such as an .xls workbook"),
    (b"%PDF-", "a PDF document"),
    (b"{\\rtf", "an RTF document"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\0", "xz data"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x04\x22\x4d\x18", "lz4 data"),
    (b"\x1f\x9d", "compress (.Z) data"),
    (b"\x1f\xa0", "compress (.Z) data"),
    (b"\xff\x06\0\0sNaPpY", "snappy data"),
    (b"LZIP", "lzip data"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"Obj\x01", "an Avro file"),
    (b"ARROW1", "an Arrow file"),
    (b"ORC", "an ORC file"),
    (b"REDIS0", "a Redis dump"),
    (b"\x89PNG\r\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF89a", "a GIF image"),
    (b"\x7fELF", "an executable"),
    (b"\xcf\xfa\xed\xfe", "an executable"),
    (b"MZ", "an executable"),
    (b"\xca\xfe\xba\xbe", "an executable"),
    (b"!<arch>\n", "an archive"),
];

const TAGS: [&str; 26] = [
    "!doctype", "?xml", "!--", "html", "head", "body", "title", "meta", "script", "style", "link", "div", "span", "p",
    "h1", "h2", "center", "pre", "table", "svg", "rss", "feed", "error", "main", "iframe", "plist",
];

/// What the text looks like that begins with `start`, if that is no list of keys. `start` is as much as
/// [`detect::is_enough`] asks for; `is_chosen` if the user named the format.
pub(super) fn lookalike(start: &[u8], format: Format, is_chosen: bool) -> Option<Lookalike> {
    let text = start.trim_ascii_start();
    let line = detect::first_line(text);
    mark(start)
        .or_else(|| binary(start, line))
        .or_else(|| encoding(start, line))
        .or_else(|| is_markup(text).then_some(Lookalike::Markup))
        .or_else(|| (format != Format::Json && is_cut_at_returns(start)).then_some(Lookalike::CarriageReturns))
        .or_else(|| json(text, line, format, is_chosen))
        .or_else(|| if format == Format::Lines { table(line, is_chosen) } else { None })
}

/// Whether a list that begins with the name is read as plain lines if neither its own name nor an option says so.
pub(crate) fn reads_as_lines(name: &str) -> bool {
    let start = format!("{name}\n").into_bytes();
    !name.starts_with(|c: char| c.is_whitespace() || c == '\u{feff}')
        && Compression::of_content(&start) == Some(Compression::None)
        && detect::by_content(&start, None).0 == Format::Lines
        && lookalike(&start, Format::Lines, false).is_none()
}

/// By a byte order mark. That of UTF-8 is taken off before.
fn mark(start: &[u8]) -> Option<Lookalike> {
    match start {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some(Lookalike::Utf32),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(Lookalike::Utf16),
        _ => None,
    }
}

/// By where its NUL bytes are.
fn encoding(start: &[u8], line: &[u8]) -> Option<Lookalike> {
    let zeros = memchr_iter(0, start).count();
    // Of a first line that is plain text no more than that line is sure to be here.
    if zeros == 0 || detect::is_plain(line) {
        return None;
    }
    let is_line = memchr(b'\n', start).is_some();
    Some(match () {
        () if is_utf32(start) => Lookalike::Utf32,
        // Names of one letter between NUL bytes look like UTF-16 too, but for the lines.
        () if is_utf16(start) && is_line && zeros * 100 >= start.len() * 45 => Lookalike::Utf16,
        () if is_text_between_zeros(start) => Lookalike::NulSeparated,
        () if is_utf16(start) && zeros * 20 >= start.len() => Lookalike::Utf16,
        () => Lookalike::Binary("binary data"),
    })
}

/// Whether the two high bytes of nearly every four are NUL.
fn is_utf32(start: &[u8]) -> bool {
    let units = start.chunks_exact(4);
    let (all, mut big, mut little) = (units.len(), 0, 0);
    for unit in units {
        big += usize::from(unit[..2] == [0, 0]);
        little += usize::from(unit[2..] == [0, 0]);
    }
    all > 1 && big.max(little) * 10 >= all * 9
}

/// Whether NUL bytes stand in every second place, and nearly none in the others.
fn is_utf16(start: &[u8]) -> bool {
    let mut zeros = [0_usize; 2];
    for place in memchr_iter(0, start) {
        zeros[place % 2] += 1;
    }
    zeros[0].min(zeros[1]) * 20 <= zeros[0].max(zeros[1])
}

fn is_text_between_zeros(start: &[u8]) -> bool {
    let is_control = |byte: &u8| *byte < 0x20 && !matches!(byte, 0 | b'\t' | b'\n' | b'\r' | 0x1b);
    !start.windows(2).any(|pair| pair == [0, 0]) && !start.iter().any(is_control) && is_utf8(start)
}

/// UTF-8, but for a character that the end cuts.
fn is_utf8(start: &[u8]) -> bool {
    match std::str::from_utf8(start) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    }
}

fn binary(start: &[u8], line: &[u8]) -> Option<Lookalike> {
    // Some signatures could be the name of a key: what follows decides.
    let is_certain = |signature: &[u8]| signature.iter().any(|byte| !(0x20..0x7f).contains(byte));
    let is_plain = detect::is_plain(line);
    let found = SIGNATURES.iter().find(|(signature, _)| start.starts_with(signature));
    if let Some((signature, kind)) = found
        && (is_certain(signature) || !is_plain || matches!(*signature, b"%PDF-" | b"{\\rtf"))
    {
        return Some(Lookalike::Binary(kind));
    }
    // One of both may be a name that cannot be a key, or an odd one.
    let has_controls = line.iter().any(|byte| matches!(byte, 1..0x20) && !matches!(byte, b'\t' | b'\r' | 0x1b));
    (has_controls && !is_utf8(line) && memchr(0, start).is_none()).then_some(Lookalike::Binary("binary data"))
}

fn is_markup(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"<") else { return false };
    TAGS.iter().any(|tag| {
        let (name, after) = rest.split_at(tag.len().min(rest.len()));
        let is_whole = after.first().is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b':') || *tag == "!--";
        name.eq_ignore_ascii_case(tag.as_bytes()) && is_whole
    })
}

/// Whether CR stands where line feeds should: there is none in all that was looked at.
fn is_cut_at_returns(start: &[u8]) -> bool {
    memchr(b'\r', start).is_some() && memchr(b'\n', start).is_none()
}

fn json(text: &[u8], line: &[u8], format: Format, is_chosen: bool) -> Option<Lookalike> {
    if format == Format::Json || !matches!(text.first(), Some(b'[' | b'{')) {
        return None;
    }
    match serde_json::from_slice::<IgnoredAny>(line) {
        // Only the rest of a document is missing, and the line ends where a printer would break it.
        Err(error) => {
            let breaks = matches!(line.trim_ascii_end().last(), Some(b'[' | b'{' | b',' | b':'));
            (error.is_eof() && breaks && line.len() < text.len()).then_some(Lookalike::PrettyJson)
        }
        Ok(_) if is_chosen || format == Format::Ndjson => None,
        Ok(_) => detect::names_keys(line).map(Lookalike::Json),
    }
}

fn table(line: &[u8], is_chosen: bool) -> Option<Lookalike> {
    for delimiter in detect::DELIMITERS {
        let cells: Vec<&[u8]> = detect::cells(line, delimiter).collect();
        if cells.len() < 2 {
            continue;
        }
        if report_columns::is_certainly_row(&cells) {
            return Some(Lookalike::HeaderlessReport);
        }
        if !is_chosen && cells.iter().any(|cell| detect::key_name(cell).is_some()) || report_columns::is_header(&cells)
        {
            return Some(Lookalike::Table);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(text: impl AsRef<[u8]>, format: Format) -> Option<Lookalike> {
        let text = text.as_ref();
        // Whatever is not looked at must not matter.
        let enough = (0..=text.len()).find(|length| detect::is_enough(&text[..*length])).unwrap_or(text.len());
        let found = lookalike(&text[..enough], format, false);
        assert_eq!(lookalike(text, format, false).is_some(), found.is_some(), "{text:?}");
        found
    }

    fn utf16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(to_bytes).collect()
    }

    fn utf32(text: &str, to_bytes: fn(u32) -> [u8; 4]) -> Vec<u8> {
        text.chars().flat_map(|c| to_bytes(c.into())).collect()
    }

    #[test]
    fn what_is_no_list_of_keys_is_named() {
        let text = "key\nsession:1\nключ:2\n";
        let table: Vec<(Vec<u8>, Lookalike)> = vec![
            (utf16(text, u16::to_le_bytes), Lookalike::Utf16),
            (utf16(text, u16::to_be_bytes), Lookalike::Utf16),
            (utf16("ключ\nимя\n", u16::to_le_bytes), Lookalike::Utf16),
            (utf16(&format!("\u{feff}{text}"), u16::to_le_bytes), Lookalike::Utf16),
            (utf16(&format!("\u{feff}{text}"), u16::to_be_bytes), Lookalike::Utf16),
            (utf32(text, u32::to_le_bytes), Lookalike::Utf32),
            (utf32(text, u32::to_be_bytes), Lookalike::Utf32),
            (utf32(&format!("\u{feff}{text}"), u32::to_le_bytes), Lookalike::Utf32),
            (utf32(&format!("\u{feff}{text}"), u32::to_be_bytes), Lookalike::Utf32),
            (b"a\0b\0c\0".to_vec(), Lookalike::NulSeparated),
            ("ключ\0имя\0with a\nbreak\0".as_bytes().to_vec(), Lookalike::NulSeparated),
            (b"\x01\x02\0\0\xff".to_vec(), Lookalike::Binary("binary data")),
            (b"\x01\xff\x80\n".to_vec(), Lookalike::Binary("binary data")),
            (b"PK\x03\x04\x14\0\x06\0".to_vec(), Lookalike::Binary("a ZIP archive, such as an .xlsx workbook")),
            (b"%PDF-1.7\n%\xe2\xe3".to_vec(), Lookalike::Binary("a PDF document")),
            (b"BZh91AY&SY\x0b\xff\0".to_vec(), Lookalike::Binary("bzip2 data")),
            (b"<!DOCTYPE html>\n<html>".to_vec(), Lookalike::Markup),
            (b"\r\n  <HTML lang=\"en\">".to_vec(), Lookalike::Markup),
            (b"<?xml version=\"1.0\"?>\n".to_vec(), Lookalike::Markup),
            (b"<html>\r\n<head><title>404 Not Found</title></head>\r\n".to_vec(), Lookalike::Markup),
            (b"a\rb\rc\r".to_vec(), Lookalike::CarriageReturns),
            (b"a\r".to_vec(), Lookalike::CarriageReturns),
        ];
        for (text, expected) in table {
            for format in [Format::Lines, Format::Csv, Format::Ndjson] {
                assert_eq!(looks(&text, format), Some(expected), "{text:?} as {format}");
            }
            let is_returns = expected == Lookalike::CarriageReturns;
            assert_eq!(looks(&text, Format::Json), Some(expected).filter(|_| !is_returns), "{text:?} as json");
        }
    }

    #[test]
    fn json_that_is_read_line_by_line_is_named() {
        for text in ["[\n  \"a\"\n]", "\n{\n", "[{\n", "{\"result\": [\n  {", "{\"success\": true,\n \"result\": []}"] {
            for format in [Format::Lines, Format::Csv, Format::Ndjson] {
                assert_eq!(looks(text, format), Some(Lookalike::PrettyJson), "{text:?} as {format}");
                assert_eq!(
                    lookalike(text.as_bytes(), format, true),
                    Some(Lookalike::PrettyJson),
                    "{text:?} as {format}"
                );
            }
            assert_eq!(looks(text, Format::Json), None);
        }
        for (text, format) in [
            ("[\"a\",\"b\"]\n", Format::Json),
            ("{\"result\":[{\"name\":\"a\"}]}", Format::Json),
            ("{\"name\":\"a\"}\n{\"name\":\"b\"}\n", Format::Ndjson),
        ] {
            assert_eq!(looks(text, Format::Lines), Some(Lookalike::Json(format)), "{text}");
            assert_eq!(lookalike(text.as_bytes(), Format::Lines, true), None, "these are the names: {text}");
        }
    }

    #[test]
    fn tables_in_plain_lines_are_named() {
        for text in ["id,key\n1,a\n", "Key;Owner\n", "Key Name\tx\n", "\"key\"|x\n"] {
            assert_eq!(looks(text, Format::Lines), Some(Lookalike::Table), "{text}");
            assert_eq!(lookalike(text.as_bytes(), Format::Lines, true), None, "{text}");
        }
        let header = "record,key,status,http_status,error_code,error,attempts,elapsed_ms,finished_at\n";
        for is_chosen in [false, true] {
            assert_eq!(lookalike(header.as_bytes(), Format::Lines, is_chosen), Some(Lookalike::Table));
            for row in [
                "1,a,planned,,,,0,0,2026-11-02T03:00:00.000Z",
                "7;\"a;b\";invalid;;;;0;0;2026-11-02T03:00:00Z",
                "1,a,planned",
            ] {
                let found = lookalike(row.as_bytes(), Format::Lines, is_chosen);
                assert_eq!(found, Some(Lookalike::HeaderlessReport), "{row}");
            }
        }
    }

    #[test]
    fn names_of_keys_are_no_other_content() {
        for text in [
            "a\r\nb\r\n",
            "a\rb\n",
            "caf\u{e9}\n",
            "<a>\n",
            "<user:1>\n",
            "[x]\n",
            "{}\n",
            "[]\n",
            "{a}\n",
            "[1]\n",
            "PAR1S\n",
            "MZ:1\n",
            "BZh\n",
            "GIF89a\n",
            "LZIP\n",
            "a,b\n",
            "a;b\n",
            "1,a,b\n",
            "\u{1b}[31m\n",
            "status\n",
            "key\n",
            "[2001:db8::1]:80\n",
            "{\"userId\":1}\n",
            "ORC\nb\n",
            "my key\n",
            "deleted\n",
            "a,deleted\n",
            "\x01\n",
            "",
        ] {
            assert_eq!(looks(text, Format::Lines), None, "{text:?}");
        }
        assert_eq!(looks(b"caf\xe9\n", Format::Lines), None, "a line that is not UTF-8 is one bad record");
    }
}
