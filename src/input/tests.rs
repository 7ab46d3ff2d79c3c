//! What every format and source promises, through [`Records`].

mod hidden_status;
mod json;
mod plans;
mod properties;
mod sources;

use std::io::{self, BufReader, Read};
use std::path::PathBuf;

use super::error::InputErrorKind;
use super::*;
use crate::format::compression::Compression;
use crate::record::{Content, Record};

/// Gives `input` a few bytes at a time.
pub(super) struct Dribble {
    input: io::Cursor<Vec<u8>>,
    at_once: usize,
}

impl Read for Dribble {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = buf.len().min(self.at_once);
        self.input.read(&mut buf[..most])
    }
}

/// `input` as the source `name`, read `at_once` bytes at a time.
pub(super) fn records(
    name: &str,
    input: &[u8],
    options: &InputOptions,
    at_once: usize,
) -> Vec<Result<Record, InputError>> {
    let mut records = Records::new(Vec::new(), options.clone());
    let input = io::Cursor::new(input.to_vec());
    let reader = BufReader::with_capacity(at_once, Dribble { input, at_once });
    if let Err(error) = records.begin(&Source::File(PathBuf::from(name)), Box::new(reader)) {
        return vec![Err(error)];
    }
    let all: Vec<_> = records.by_ref().collect();
    assert!(records.next().is_none(), "an item after the last");
    all
}

/// The records as text, keys as they are and the others as `! reason [key]`, and the error that ended them; the same
/// however the bytes arrive.
pub(super) fn read(name: &str, input: impl AsRef<[u8]>, options: &InputOptions) -> (Vec<String>, Option<InputError>) {
    let input = input.as_ref();
    let read_by = |at_once| {
        let (mut texts, mut end) = (Vec::new(), None);
        for (number, item) in (1..).zip(records(name, input, options, at_once)) {
            match item {
                Ok(record) => {
                    assert_eq!(record.number.get(), number);
                    texts.push(match record.content {
                        Content::Key(key) => key.as_str().to_owned(),
                        Content::Duplicate(key) => panic!("{key:?} is a duplicate before anything looked for it"),
                        Content::Invalid(invalid) => format!("! {} [{}]", invalid.reason, invalid.key),
                        _ => panic!("no filter and no journal"),
                    });
                }
                Err(error) => {
                    assert_eq!(error.records() + 1, number, "a break uses up no number");
                    end = Some(error);
                }
            }
        }
        (texts, end)
    };
    let (texts, end) = read_by(1 << 17);
    let sizes: &[usize] = if input.len() < 10_000 { &[1, 2, 3, 7, 64] } else { &[64, 1000, 8192] };
    for &at_once in sizes {
        let (again, end_again) = read_by(at_once);
        assert_eq!(again, texts, "{at_once} bytes at a time");
        assert_eq!(end_again.map(|error| error.to_string()), end.as_ref().map(ToString::to_string));
    }
    (texts, end)
}

/// As [`read`], where nothing may stop it.
pub(super) fn read_whole(name: &str, input: impl AsRef<[u8]>) -> Vec<String> {
    let (texts, end) = read(name, input, &InputOptions::default());
    assert!(end.is_none(), "{name}: {}", end.unwrap());
    texts
}

/// As [`read`], and it has to end with an error.
pub(super) fn read_broken(name: &str, input: impl AsRef<[u8]>) -> (Vec<String>, InputError) {
    let (texts, end) = read(name, input, &InputOptions::default());
    (texts, end.expect("it ends with an error"))
}

#[test]
fn lines_are_taken_exactly() {
    let table: [(&[u8], &[&str]); 7] = [
        (b"", &[]),
        (b"\n\r\n\n", &[]),
        (b"a\nb\r\nc", &["a", "b", "c"]),
        (b"  a \n\t\n\"b\"\nc,d\n", &["  a ", "\t", "\"b\"", "c,d"]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", &["a", "\u{feff}b"]),
        (b"a\tb\r\nc", &["a\tb", "c"]),
        (
            b"a\n\n\xff\xfe\n..\nb\0\n",
            &[
                "a",
                "! k.txt line 3: the key is not UTF-8 (byte 0) [\\xff\\xfe]",
                "! k.txt line 4: `..` cannot be sent: URL parsers remove it, and the request would address the namespace itself [..]",
                "b\0",
            ],
        ),
    ];
    for (input, expected) in table {
        assert_eq!(read_whole("k.txt", input), expected, "{input:?}");
    }
}

#[test]
fn a_line_or_field_beyond_the_limit_is_one_bad_record() {
    let long = "x".repeat(64 * 1024 + 1);
    let quoted = format!("\"{}\"", "\"\"\n,".repeat(30_000));
    let table = [
        ("k.txt", format!("a\n{long}\nb\n"), "! k.txt line 2: the line is longer than 64 KiB []"),
        ("k.csv", format!("a\n{long}\nb\n"), "! k.csv line 2: field 1 is longer than 64 KiB []"),
        ("k.ndjson", format!("\"a\"\n\"{long}\"\n\"b\"\n"), "! k.ndjson line 2: the line is longer than 64 KiB []"),
        (
            "k.json",
            format!("[\"a\",\n\"{long}\",\n\"b\"]"),
            "! k.json line 2 column 1: the string is longer than 64 KiB []",
        ),
        (
            "k.csv",
            format!("a\n{quoted}\nb\n"),
            "! k.csv line 2: field 1 is longer than 64 KiB (the record runs to line 30002) []",
        ),
    ];
    for (name, input, bad) in table {
        assert_eq!(read_whole(name, input), ["a", bad, "b"], "{name}");
    }
    let just = "x".repeat(64 * 1024);
    for (name, input) in [
        ("k.txt", format!("{just}\r\n")),
        ("k.csv", format!("\"{just}\"\r\n")),
        ("k.csv", format!("{just}\r\n")),
        ("k.json", format!("[\"{just}\"]")),
    ] {
        let read = read_whole(name, input);
        assert!(read[0].contains("65536 bytes long") && read[0].contains(&just), "{name}: {}", &read[0][..80]);
    }
}

#[test]
fn the_content_tells_the_format_where_the_name_does_not() {
    let table = [
        ("a\n[b\n", vec!["a", "[b"]),
        ("\n [\"a\", {\"name\": \"b\"}]\n", vec!["a", "b"]),
        ("{\"key\": \"a\"}\n\"b\"\n", vec!["a", "b"]),
        ("\"a\"\n\"b\\n\"\n", vec!["a", "b\n"]),
        ("id,key\n1,a\n2,b\n", vec!["a", "b"]),
        ("\"Key\"\n\"a\"\"b\"\n", vec!["a\"b"]),
        ("id\tname\n1\ta,b\n", vec!["a,b"]),
        ("id;title\n", vec!["id;title"]),
        ("\u{feff}name\na\n", vec!["a"]),
    ];
    for (input, expected) in table {
        assert_eq!(read_whole("keys", input), expected, "{input:?}");
    }
}

#[test]
fn utf16_is_not_taken_for_keys() {
    for name in ["k.txt", "k.csv", "k.ndjson", "k.json", "k"] {
        for input in [b"\xff\xfea\0\n\0".as_slice(), b"\xfe\xff\0a\0\n"] {
            let (records, error) = read_broken(name, input);
            assert!(records.is_empty() && error.is_usage());
            assert!(error.to_string().contains("UTF-16"), "{error}");
        }
    }
}

#[test]
fn an_empty_input_has_no_records() {
    for name in ["k.txt", "k.csv", "k.ndjson", "k.json", "k", "k.gz"] {
        for input in ["", "\n", "\u{feff}", "\r\n\n"] {
            assert!(read_whole(name, input).is_empty(), "{name} {input:?}");
        }
    }
    let named = InputOptions { column: Some(Column::Name("id".into())), ..InputOptions::default() };
    assert!(read("k.csv", "\n", &named).1.is_none());
}

#[test]
fn options_of_csv_are_never_ignored() {
    let options = InputOptions {
        column: Some("2".parse().unwrap()),
        delimiter: Some(b';'),
        header: Header::None,
        ..InputOptions::default()
    };
    for name in ["k", "k.txt", "k.csv"] {
        assert_eq!(read(name, "key;a\n1;b\n", &options).0, ["a", "b"], "{name}");
    }
    for name in ["k.json", "k.ndjson"] {
        let error = read(name, "[\"a\"]", &options).1.unwrap();
        assert!(error.is_usage() && error.to_string().contains("are for CSV"), "{error}");
    }
    let lines = InputOptions { format: Some(Format::Lines), ..options.clone() };
    assert!(read("k.csv", "a\n", &lines).1.unwrap().is_usage());
    let tab = InputOptions { delimiter: None, ..options };
    assert_eq!(read("k.TSV", "1\ta,b\n2\tc\n", &tab).0, ["a,b", "c"]);
}
