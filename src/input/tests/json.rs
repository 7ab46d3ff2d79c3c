//! JSON arrays and lines.

use std::io::{self, BufReader, Read};
use std::path::PathBuf;

use super::*;

#[test]
fn strings_and_objects_name_keys() {
    let elements = [
        r#""a""#,
        r#"{"key": "b", "name": "x"}"#,
        r#"{"name": "x", "key_name": "c", "expiration": 1}"#,
        r#"{"expiration": 1e3, "metadata": {"key": "x", "n": [[{}], null, true]}, "name": "d"}"#,
        r#""é\u00e9\ud83d\udd11\n\u0000""#,
        r#"  {"k\u0065y":"f"}  "#,
    ];
    let expected = ["a", "b", "c", "d", "éé🔑\n\0", "f"];
    assert_eq!(read_whole("k.ndjson", elements.join("\n\n \r\n")), expected);
    assert_eq!(read_whole("k.json", format!(" [{} ] \n", elements.join(",\n"))), expected);
}

#[test]
fn one_bad_element_is_one_bad_record() {
    let table = [
        ("1", "neither a string nor an object"),
        ("-1e5", "neither a string nor an object"),
        ("null", "neither a string nor an object"),
        ("[\"x\", {}]", "neither a string nor an object"),
        ("{}", "the object has no member `key`, `key_name` or `name`"),
        (r#"{"keys": "x"}"#, "the object has no member `key`, `key_name` or `name`"),
        (r#"{"key": 1, "name": "x"}"#, "the member `key` is not a string"),
        (r#"{"key": {"key": "x"}}"#, "the member `key` is not a string"),
        (r#"{"name": null}"#, "the member `name` is not a string"),
        (r#"{"key": "x", "key": "y"}"#, "the member `key` appears twice"),
        (r#"{"key": ""}"#, "the key is empty"),
        (r#""""#, "the key is empty"),
    ];
    for (element, why) in table {
        let lines = read_whole("k.ndjson", format!("\"a\"\n{element}\n\"b\"\n"));
        let shown = if why.contains("empty") { "" } else { element };
        assert_eq!(lines, ["a", &format!("! k.ndjson line 2: {why} [{shown}]"), "b"], "{element}");
        let array = read_whole("k.json", format!("[\"a\",\n {element},\"b\"]"));
        assert_eq!(array, ["a", &format!("! k.json line 2 column 2: {why} []"), "b"], "{element}");
    }
}

#[test]
fn a_line_that_is_not_json_is_a_break_with_its_place() {
    let long = |start: &str, end: &str| [start, &"x".repeat(70_000), end].concat().into_bytes();
    let table: [(Vec<u8>, &str); 12] = [
        (b"a".to_vec(), "expected value (column 1)"),
        (b"\"a\" \"b\"".to_vec(), "trailing characters (column 5)"),
        (b"{\"key\": \"a\"".to_vec(), "it is cut off (column 11)"),
        (b"{\"key\": \"a\",}".to_vec(), "key must be a string (column 13)"),
        (b"{'key': 'a'}".to_vec(), "key must be a string (column 2)"),
        (b"\"a".to_vec(), "it is cut off (column 2)"),
        (b"\"\\x\"".to_vec(), "invalid escape (column 3)"),
        (b"\"\xff\"".to_vec(), "not UTF-8 (byte 2)"),
        (b"{\"other\": \"\xff\", \"key\": \"k\"}".to_vec(), "not UTF-8 (byte 12)"),
        (b"[[[".to_vec(), "it is cut off (column 3)"),
        (long("{\"key\": \"", "\""), "it is longer than 64 KiB, and broken or cut off"),
        (long("\"", "\" \"b\""), "it is longer than 64 KiB, and broken or cut off"),
    ];
    for (line, what) in table {
        for end in ["", "\n\"b\"", "\r\n\"b\"\r\n"] {
            let input = [b"\"a\"\n", &line[..], end.as_bytes()].concat();
            let (records, error) = read_broken("k.ndjson", input);
            assert_eq!(records, ["a"], "{what}");
            let message = error.to_string();
            let start = format!("k.ndjson line 2 (after record 1): this line is not a JSON value: {what}");
            assert!(message.starts_with(&start) && !error.is_usage(), "{message} but not {start}");
            assert!(message.contains("\nhint: fix or remove the line"), "{message}");
        }
    }
}

#[test]
fn a_json_line_without_a_readable_key_is_one_bad_record() {
    let nested = "[".repeat(500) + &"]".repeat(500);
    let long = format!("{{\"value\": \"{}\", \"key\": \"k\"}}", "x".repeat(70_000));
    let edge = format!("\"{}\"", "x".repeat(65_535));
    for line in ["\"\\ud800\"", "\"\\udc00x\"", "1e999", "{\"key\": -1e999}", &nested, &long, &edge] {
        for end in ["\n", "\r\n"] {
            let records = read_whole("k.ndjson", format!("\"a\"{end}{line}{end}\"b\""));
            assert_eq!(records.len(), 3, "{records:?}");
            assert!(records[1].starts_with("! k.ndjson line 2: ") && records[2] == "b", "{records:?}");
        }
    }
}

#[test]
fn a_broken_array_is_a_break_with_its_place() {
    let table: [(&[u8], &str); 12] = [
        (b"[\"a\",\n \"b\"", "line 2 column 5 (after record 2): the JSON ends before the array does"),
        (b"[\"a\",\n \"b\"] x", "line 2 column 6 (after record 2): something follows the end of the JSON array"),
        (b"[\"a\",\n \"b\"] [\"c\"]", "line 2 column 6 (after record 2): something follows the end of the JSON array"),
        (b"[\"a\",\n \"b\" \"c\"]", "line 2 column 6 (after record 2): the JSON is broken: missing comma"),
        (b"[\"a\",\n \"b\",]", "line 2 column 5 (after record 2): the JSON is broken: trailing comma not enabled"),
        (b"[\"a\",\n \"b\", \"c", "line 2 column 9 (after record 2): the JSON ends before the array does"),
        (b"[\"a\",\n \"b\", nul]", "line 2 column 7 (after record 2): the JSON is broken: invalid literal"),
        (b"[\"a\",\n \"b\", \"\\ud800\"]", "line 2 column 8 (after record 2): the JSON is broken: unpaired surrogate"),
        (
            b"[\"a\",\n \"b\", \"\xff\"]",
            "line 2 column 8 (after record 2): the JSON cannot be read: a string is not UTF-8",
        ),
        (
            b"[\"a\",\n \"b\", {\"\xff\": 1}]",
            "line 2 column 9 (after record 2): the JSON cannot be read: invalid UTF-8",
        ),
        (b"[\"a\",\n \"b\", {\"x\" 1}]", "line 2 column 12 (after record 2): the JSON is broken: missing colon"),
        (
            b"[\"a\",\n \"b\", {\"x\": \"\\x\"}]",
            "line 2 column 14 (after record 2): the JSON is broken: unknown escape",
        ),
    ];
    for (input, what) in table {
        let (records, error) = read_broken("k.json", input);
        assert_eq!(records, ["a", "b"], "{input:?}");
        let start = format!("k.json {what}");
        assert!(error.to_string().starts_with(&start), "{error} but not {start}");
        assert!(!error.is_usage());
    }
}

#[test]
fn another_document_than_an_array_is_a_wrong_format() {
    for (input, found) in [
        ("{\"results\": []}", "an object without a `result`"),
        ("{\"success\":false,\"result\":null}", "an object whose `result` is no array"),
        ("\"a\"", "a string"),
        ("1", "a number"),
        ("null", "a literal"),
    ] {
        let (records, error) = read_broken("k.json", input);
        assert!(records.is_empty() && error.is_usage());
        let text =
            format!("k.json line 1 column 1: the document is not a JSON array but {found}\nhint: pass --format ndjson");
        assert!(error.to_string().starts_with(&text), "{error}");
    }
}

#[test]
fn a_dry_run_report_gives_its_planned_rows() {
    let row =
        |record: u32, key: &str, status: &str| format!(r#"{{"record":{record},"key":"{key}","status":"{status}"}}"#);
    let rows = [
        row(3, "a", "planned"),
        row(1, "x", "duplicate"),
        row(2, "", "invalid"),
        row(4, "b", "planned"),
        row(5, "c", "absent"),
    ];
    assert_eq!(read_whole("plan.ndjson", rows.join("\n")), ["a", "b"]);
    assert_eq!(read_whole("plan.json", format!("[{}]", rows.join(","))), ["a", "b"]);
    for status in ["deleted", "failed", "unknown", "restored", "restorable", "Planned"] {
        let rows = [row(1, "a", "planned"), row(2, "b", status)];
        let (records, error) = read_broken("plan.ndjson", rows.join("\n"));
        assert_eq!((records, error.is_usage()), (vec!["a".to_owned()], true));
        let why = match status {
            "restored" | "restorable" => "this is the report of kvsweep restore",
            "Planned" => "the status of this row of a plan is \"Planned\"",
            _ => "this is the report of a job that ran",
        };
        assert!(error.to_string().starts_with(&format!("plan.ndjson line 2 (after record 1): {why}")), "{error}");
    }
    for (rows, expected) in [
        (r#"{"status":"planned","Key":"a","note":1}"#, Ok(vec!["a"])),
        (r#"{"KEY_NAME":"a","Status":" invalid "}"#, Ok(vec![])),
        (r#"{"key":"a","status":"active"}"#, Ok(vec!["a"])),
        (r#"{"key":"a","status":1}"#, Ok(vec!["a"])),
        (r#"{"key":"a","status":"INVALID"}"#, Err("the status of this row of a plan is \"INVALID\"")),
        (r#"{"key":"a","status":"failed"}"#, Err("this is the report of a job that ran")),
        (r#"{"record":1,"key":"a"}"#, Err("without its status")),
        (r#"{"key":"a","Finished-At":"2026-11-02T03:00:00.000Z"}"#, Err("without its status")),
        ("\"a\"\n{\"key\":\"b\",\"status\":\"planned\"}", Err("some rows have a status")),
        ("{\"key\":\"b\",\"status\":\"planned\"}\n\"a\"", Err("some rows have a status")),
        ("{\"key\":\"b\",\"status\":\"planned\"}\n{\"key\":\"a\"}", Err("some rows have a status")),
        ("{\"key\":\"a\",\"status\":\"planned\",\"status\":\"invalid\"}", Ok(vec!["!"])),
    ] {
        let array = format!("[{}]", rows.replace('\n', ","));
        for (name, input) in [("k.ndjson", rows), ("k.json", &array)] {
            let (records, error) = read(name, input, &InputOptions::default());
            match expected {
                Ok(ref keys) => {
                    assert!(error.is_none(), "{input}: {error:?}");
                    assert!(records.iter().map(|record| &record[..1]).eq(keys.iter().copied()), "{input}: {records:?}");
                }
                Err(text) => {
                    let error = error.expect(input);
                    assert!(error.is_usage() && error.to_string().contains(text), "{input}: {error}");
                }
            }
        }
    }
}

#[test]
fn a_response_of_the_api_is_read_through_its_result() {
    let pretty = "{\n  \"success\": true,\n  \"errors\": [{\"key\": \"x\"}],\n  \"result\": [\n    {\"name\": \"a\"},\n    \"b\"\n  ],\n  \
                  \"result_info\": {\"cursor\": \"\"}\n}\n";
    let compact = r#"{"result":[{"name":"a"},{"name":"b"}],"success":true,"errors":[],"messages":[]}"#;
    for name in ["k.json", "k"] {
        assert_eq!(read_whole(name, pretty), ["a", "b"]);
        assert_eq!(read_whole(name, compact), ["a", "b"]);
    }
    let long: Vec<String> = (0..2000).map(|number| format!("{{\"name\":\"key {number}\"}}")).collect();
    assert_eq!(read_whole("k", format!("{{\"success\":true,\"result\":[{}]}}", long.join(","))).len(), 2000);
    for (broken, why) in [
        (r#"{"result":["a"]"#, "the JSON ends before"),
        (r#"{"result":["a"],"result":["b"]}"#, "`result` appears twice"),
        (r#"{"result":["a"]} x"#, "something follows the end of the JSON document"),
    ] {
        let (records, error) = read_broken("k.json", broken);
        assert_eq!(records, ["a"]);
        assert!(error.to_string().contains(why) && !error.is_usage(), "{error}");
    }
}

/// Reads a JSON document of `head`, millions of bytes, and `tail`.
fn read_large(head: &'static [u8], tail: &'static [u8]) -> Vec<Result<Record, InputError>> {
    let reader = head.chain(io::repeat(b'1').take(5_000_000)).chain(tail);
    let mut records = Records::new(Vec::new(), InputOptions::default());
    let source = Source::File(PathBuf::from("k.json"));
    records.begin(&source, Box::new(BufReader::with_capacity(1 << 16, reader))).unwrap();
    records.collect()
}

#[test]
fn what_is_large_is_passed_over() {
    for (head, tail, bad) in [
        (b"[\"".as_slice(), b"\",\"a\"]".as_slice(), "the string is longer than 64 KiB"),
        (b"[{\"key\":\"", b"\"},\"a\"]", "the string is longer than 64 KiB"),
        (b"[", b",\"a\"]", "neither a string nor an object"),
    ] {
        let records: Vec<_> = read_large(head, tail).into_iter().map(Result::unwrap).collect();
        assert!(matches!(&records[0].content, Content::Invalid(it) if it.reason.ends_with(bad) && it.key.is_empty()));
        assert!(matches!(&records[1].content, Content::Key(key) if key.as_str() == "a"));
        assert_eq!(records.len(), 2);
    }
    let mut ignored = read_large(b"[{\"value\":\"", b"\",\"key\":\"a\"}]");
    assert!(matches!(ignored.remove(0).unwrap().content, Content::Key(_)) && ignored.is_empty());
    let mut named = read_large(b"[{\"", b"\":1,\"key\":\"a\"}]");
    let error = named.remove(0).unwrap_err();
    assert!(error.to_string().contains("the name of a member is longer than 64 KiB"), "{error}");
    assert!(named.is_empty());
}

#[test]
fn depth_is_bounded() {
    let deep = |depth| format!("[\"a\",{{\"x\":{}{},\"key\":\"b\"}}]", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(read_whole("k.json", deep(4000)), ["a", "b"]);
    let (records, error) = read_broken("k.json", deep(5000));
    assert_eq!(records, ["a"]);
    assert!(error.to_string().contains("levels deep"), "{error}");
    let line = format!("{}{}\n\"a\"", "[".repeat(30_000), "]".repeat(30_000));
    assert_eq!(read_whole("k.ndjson", line)[1], "a");
}
