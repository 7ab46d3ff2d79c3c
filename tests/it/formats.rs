//! Every format, packing and way in gives the same keys; what is broken is named by file and place.

use std::io::Write;

use crate::lab::{Lab, Row};

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).expect("gzip");
    encoder.finish().expect("gzip")
}

/// Two members one after the other, cut in the middle of whatever is there.
fn gzip_in_two(content: &[u8]) -> Vec<u8> {
    let (first, second) = content.split_at(content.len() / 2);
    [gzip(first), gzip(second)].concat()
}

fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 0).expect("zstd")
}

/// A job over one file whose keys are all there; all of them go, and nothing else.
fn assert_file(name: &str, content: impl AsRef<[u8]>, args: &[&str], keys: &[&str]) {
    let lab = Lab::new();
    lab.server.preload(keys.iter().copied().chain(["bystander"]));
    lab.write(name, content);
    lab.delete([name, "--report", "report.csv"]).args(args).run().code(0);
    lab.assert_all_deleted(keys.iter().copied(), &in_order(&lab, "report.csv", keys));
    assert_eq!(lab.server.keys(), ["bystander"]);
}

/// The report's rows by record, which have to be as `keys` are.
fn in_order(lab: &Lab, report: &str, keys: &[&str]) -> Vec<Row> {
    let mut rows = lab.rows(report);
    rows.sort_by_key(|row| row.record);
    let read: Vec<(u64, &str)> = rows.iter().map(|row| (row.record, row.key.as_str())).collect();
    let wanted: Vec<(u64, &str)> = (1..).zip(keys.iter().copied()).collect();
    assert_eq!(read, wanted, "record numbers and keys");
    rows
}

#[test]
fn the_column_of_keys_is_found_or_chosen() {
    for header in ["key", "key_name", "name"] {
        assert_file("k.csv", format!("id,{header},x\n1,a,0\n2,b,0\n"), &[], &["a", "b"]);
    }
    assert_file("k.csv", "name,key\nx,a\ny,b\n", &[], &["a", "b"]);
    assert_file("k.csv", "a,1\nb,2\n", &["--no-header"], &["a", "b"]);
    assert_file("k.csv", "id,KEY-NAME \n1,a\n", &[], &["a"]);
    assert_file("k.csv", "id,Cache Key\n1,a\n", &["--column", "cache-key"], &["a"]);
    assert_file("k.csv", "id,Which\n1,a\n2,b\n", &["--column", "Which"], &["a", "b"]);
    assert_file("k.csv", "key,Which\nx,a\ny,b\n", &["--column", "2"], &["a", "b"]);
    assert_file("k.csv", "x,a\ny,b\n", &["--column", "2", "--no-header"], &["a", "b"]);
    assert_file("k.csv", "key\na\n", &["--no-header"], &["key", "a"]);
    assert_file("k.csv", "id;key\n1;a,b\n", &["--delimiter", ";"], &["a,b"]);
    assert_file("k.csv", "id\tkey\n1\ta\n", &["--delimiter", "tab"], &["a"]);
    assert_file("k.tsv", "id\tkey\n1\ta\n", &[], &["a"]);
}

#[test]
fn csv_as_others_write_it_is_read() {
    assert_file("k.csv", "\u{feff}key,x\na,1\n", &[], &["a"]);
    assert_file("k.csv", "\u{feff}\"key\",x\r\na,1\r\nb,2\r\n", &[], &["a", "b"]);
    assert_file("k.csv", "x,key\n1,\"two\nlines\"\n2,\"c\r\nd\"\n3,last", &[], &["two\nlines", "c\r\nd", "last"]);
    assert_file("k.csv", "key\n\"say \"\"x\"\"\"\n\"a,b\"\n", &[], &["say \"x\"", "a,b"]);
    assert_file("k.csv", "key\n padded \n", &[], &[" padded "]);
}

#[test]
fn lines_are_taken_exactly() {
    assert_file("k.txt", "a\n\n b \r\nc,d\n\"e\"\nf", &[], &["a", " b ", "c,d", "\"e\"", "f"]);
    assert_file("k.txt", "\u{feff}a\r\n", &[], &["a"]);
    assert_file("k.csv", "key\na,b\n", &["--format", "lines"], &["key", "a,b"]);
}

/// As `wrangler kv key list` prints it.
const LISTED: &str = r#"[
  {
    "name": "a/b"
  },
  {
    "name": "session:1",
    "expiration": 1577836800,
    "metadata": {"name": "not this", "key": ["nor", "this"]}
  }
]
"#;

#[test]
fn json_of_every_kind_is_read() {
    assert_file("k.json", LISTED, &[], &["a/b", "session:1"]);
    assert_file("k.json", r#"["a", "b\n\u00e9", {"key": "c"}, {"key_name": "d"}]"#, &[], &["a", "b\né", "c", "d"]);
    assert_file("k.json", "\u{feff}[\"a\"]", &[], &["a"]);
    let lines = "\"a\"\n\n{\"key\":\"b\",\"x\":[1]}\r\n{\"key_name\":\"c\"}\n{\"name\":\"d\",\"metadata\":null}";
    assert_file("k.ndjson", lines, &[], &["a", "b", "c", "d"]);
    assert_file("k.jsonl", "{\"name\":\"n\",\"key\":\"k\"}", &[], &["k"]);
}

/// One content in each format, and what it is called.
const EACH: [(&str, &str); 4] = [
    ("csv", "id,key\n1,a\n2,\"b,c\"\n3,d\n"),
    ("lines", "a\nb,c\nd\n"),
    ("ndjson", "\"a\"\n{\"key\":\"b,c\"}\n\"d\"\n"),
    ("json", "[\"a\", {\"name\": \"b,c\"}, \"d\"]"),
];
const KEYS: [&str; 3] = ["a", "b,c", "d"];

#[test]
fn every_format_is_unpacked_by_content_whatever_its_name() {
    for (format, content) in EACH {
        let content = content.as_bytes();
        for (packing, packed) in [("plain", content.to_vec()), ("gzip", gzip_in_two(content)), ("zstd", zstd(content))]
        {
            println!("{format} {packing}");
            // The extension names another compression, or none; the format is detected by the name, then by content.
            for name in [format!("k.{format}"), format!("k.{format}.gz"), format!("k.{format}.zst"), "k.bin".to_owned()]
            {
                assert_file(&name, &packed, &[], &KEYS);
            }
            assert_file("k.dat", &packed, &["--format", format], &KEYS);
        }
    }
}

fn assert_stdin(content: Vec<u8>, args: &[&str]) {
    let lab = Lab::new();
    lab.server.preload(KEYS.into_iter().chain(["bystander"]));
    let done = lab.delete(args).args(["--report", "report.ndjson", "--json"]).stdin(content).run().code(0);
    lab.assert_all_deleted(KEYS, &in_order(&lab, "report.ndjson", &KEYS));
    assert_eq!(lab.server.keys(), ["bystander"]);
    assert_eq!(done.summary()["records"], 3);
}

#[test]
fn stdin_is_read_in_every_format() {
    for (format, content) in EACH {
        let content = content.as_bytes();
        println!("{format}");
        assert_stdin(content.to_vec(), &[]);
        assert_stdin(gzip_in_two(content), &["-"]);
        assert_stdin(content.to_vec(), &["-", "--format", format]);
        assert_stdin(zstd(content), &["--format", format]);
    }
}

#[test]
fn several_inputs_are_one_numbered_sequence() {
    let lab = Lab::new();
    lab.write("1.csv", "key\na\nb\n");
    lab.write("2.json.gz", gzip(br#"["c", 5, "a"]"#));
    lab.write("4.txt", "f\n");
    lab.write("empty.txt", "");
    lab.server.preload(["a", "b", "c", "d", "e", "f", "bystander"]);
    let inputs = ["1.csv", "2.json.gz", "empty.txt", "-", "4.txt"];
    lab.delete(inputs).args(["--report", "report.csv"]).stdin("\"d\"\n\"e\"\n").run().code(3);
    let rows = settled(&lab, "report.csv");
    let wanted = [
        (1, "deleted", "a"),
        (2, "deleted", "b"),
        (3, "deleted", "c"),
        (4, "invalid", ""),
        (5, "duplicate", "a"),
        (6, "deleted", "d"),
        (7, "deleted", "e"),
        (8, "deleted", "f"),
    ];
    assert_eq!(rows.iter().map(brief).collect::<Vec<_>>(), wanted);
    assert!(rows[3].error.starts_with("2.json.gz line 1"), "{:?}", rows[3]);
    assert_eq!(lab.server.keys(), ["bystander"]);
}

fn settled(lab: &Lab, report: &str) -> Vec<Row> {
    let mut rows = lab.rows(report);
    rows.sort_by_key(|row| row.record);
    rows
}

fn brief(row: &Row) -> (u64, &str, &str) {
    (row.record, row.status.as_str(), row.key.as_str())
}

/// A job over one file, which is given as pieces: a key that is deleted, or something that is not a key, with the key
/// that its row shows and what its row says. Every other piece is a good key, so that each bad one is followed by one.
fn assert_messy(name: &str, start: &[u8], bad: &[(&[u8], &str, &str)], good: impl Fn(usize) -> String) {
    let lab = Lab::new();
    let mut content = start.to_vec();
    for (index, (piece, ..)) in bad.iter().enumerate() {
        content.extend_from_slice(piece);
        content.extend_from_slice(good(index).as_bytes());
    }
    lab.write(name, content);
    let keys: Vec<String> = (0..bad.len()).map(|index| format!("good {index}")).collect();
    lab.server.preload(keys.iter().map(String::as_str).chain(["bystander"]));
    let done = lab.delete([name, "--report", "report.csv", "--json"]).run().code(3);
    let rows = settled(&lab, "report.csv");
    assert_eq!(rows.len(), 2 * bad.len(), "{rows:#?}");
    for (pair, (index, (piece, shown, why))) in rows.chunks(2).zip(bad.iter().enumerate()) {
        let piece = String::from_utf8_lossy(&piece[..piece.len().min(60)]);
        let number = 2 * index as u64 + 1;
        assert_eq!(brief(&pair[0]), (number, "invalid", *shown), "{piece:?}");
        assert!(pair[0].error.contains(why), "{piece:?}: {}", pair[0].error);
        assert!(pair[0].error.starts_with(&format!("{name} line ")), "{piece:?}: {}", pair[0].error);
        assert_eq!(brief(&pair[1]), (number + 1, "deleted", keys[index].as_str()), "after {piece:?}");
    }
    let line_of = |record: usize| rows[record - 1].error.split([' ', ':']).nth(2).and_then(|line| line.parse().ok());
    assert!(line_of(1) < line_of(3) && line_of(1) > Some(0_u64), "{rows:#?}");
    assert_eq!(lab.server.keys(), ["bystander"]);
    assert_eq!((done.summary()["invalid"].as_u64(), lab.deletes().len()), (Some(bad.len() as u64), bad.len()));
}

const LONG: usize = 70 * 1024;

#[test]
fn a_messy_csv_costs_only_its_bad_rows() {
    let long = [b"1,".as_slice(), &vec![b'x'; LONG], b"\n"].concat();
    let quoted = [b"1,\"".as_slice(), "x\n".repeat(LONG / 2).as_bytes(), b"\"\n"].concat();
    let beyond = [b"1,".as_slice(), &[b'k'; 513], b"\n"].concat();
    let bad: [(&[u8], &str, &str); 10] = [
        (b"1,caf\xe9\n", "caf\\xe9", "not UTF-8"),
        (b"1,\n", "", "empty"),
        (b"1,..\n", "..", "cannot be sent"),
        (b"1,.\n", ".", "cannot be sent"),
        (&beyond, &"k".repeat(513), "513 bytes"),
        (b"1,a,b\n", "a", "3 fields"),
        (b"1\n", "", "1 field"),
        (&long, "", "64 KiB"),
        (&quoted, "", "64 KiB"),
        (b"1,\"..\"\n", "..", "cannot be sent"),
    ];
    assert_messy("messy.csv", b"id,key\n", &bad, |index| format!("1,good {index}\n"));
}

#[test]
fn messy_lines_cost_only_themselves() {
    let long = [vec![b'x'; LONG], b"\n".to_vec()].concat();
    let beyond = "é".repeat(257) + "\n";
    let bad: [(&[u8], &str, &str); 5] = [
        (b"caf\xe9\n", "caf\\xe9", "not UTF-8"),
        (b"..\r\n", "..", "cannot be sent"),
        (b".\n", ".", "cannot be sent"),
        (beyond.as_bytes(), beyond.trim_end(), "514 bytes"),
        (&long, "", "64 KiB"),
    ];
    assert_messy("messy.txt", b"", &bad, |index| format!("good {index}\n"));
}

#[test]
fn messy_ndjson_costs_only_its_bad_lines() {
    let long = [b"\"".as_slice(), &vec![b'x'; LONG], b"\"\n"].concat();
    let bad: [(&[u8], &str, &str); 7] = [
        (b"5\n", "5", "neither a string nor an object"),
        (b"{\"x\":1}\n", "{\"x\":1}", "no member"),
        (b"{\"key\":5}\n", "{\"key\":5}", "not a string"),
        (b"{\"key\":\"a\",\"key\":\"b\"}\n", "{\"key\":\"a\",\"key\":\"b\"}", "twice"),
        (b"\"\\ud800\"\n", "\"\\ud800\"", "cannot be read"),
        (b"\"..\"\n", "..", "cannot be sent"),
        (&long, "", "64 KiB"),
    ];
    assert_messy("messy.ndjson", b"", &bad, |index| format!("\"good {index}\"\n"));
}

#[test]
fn a_messy_json_array_costs_only_its_bad_elements() {
    let long = [b"\"".as_slice(), &vec![b'x'; LONG], b"\",\n"].concat();
    let bad: [(&[u8], &str, &str); 8] = [
        (b"5,\n", "", "neither a string nor an object"),
        (b"null,\n", "", "neither a string nor an object"),
        (b"[\"a\", [\"b\"]],\n", "", "neither a string nor an object"),
        (b"{\"x\":{\"key\":\"a\"}},\n", "", "no member"),
        (b"{\"name\":null},\n", "", "not a string"),
        (b"\"\",\n", "", "empty"),
        (b"{\"key\":\"..\"},\n", "..", "cannot be sent"),
        (&long, "", "64 KiB"),
    ];
    let good = |index| format!("\"good {index}\"{}\n", if index + 1 == bad.len() { "]" } else { "," });
    assert_messy("messy.json", b"[", &bad, good);
}

/// A job over a file that breaks off: nothing is sent, and the end says where; with `--allow-partial` `before` is deleted and
/// all else on the server stays.
fn assert_broken(name: &str, content: impl AsRef<[u8]>, before: &[&str], after: &[&str], message: &[&str]) {
    let lab = Lab::new();
    lab.write(name, content);
    lab.server.preload(before.iter().chain(after).copied());
    let job = || lab.delete([name, "--report", "report.csv", "--json"]);
    let done = job().run().code(1);
    assert_eq!((lab.server.requests(), lab.path("report.csv").exists()), (0, false), "{name}");
    assert_eq!(done.summary()["stopped"], "input_error", "{name}");
    assert!(done.stderr.contains("--allow-partial") && done.stderr.contains("nothing was sent"), "{}", done.stderr);
    for partial in [job().arg("--allow-partial"), job().arg("--overwrite").env("KVSWEEP_ALLOW_PARTIAL", "1")] {
        lab.server.preload(before.iter().copied());
        let done = partial.run().code(1);
        in_order(&lab, "report.csv", before);
        assert_eq!(lab.server.keys(), after, "{name}: what comes after is untouched");
        assert_eq!(done.summary()["stopped"], "input_error", "{name}");
        assert_eq!(done.summary()["deleted"], before.len(), "{name}");
        for words in message.iter().chain(&[name]) {
            assert!(done.stderr.contains(words), "{name}: {words:?} is not in\n{}", done.stderr);
        }
    }
}

#[test]
fn of_a_file_that_breaks_off_nothing_is_sent_unless_a_part_is_enough() {
    assert_broken("b.json", "[\"a\",\n\"b\", nope, \"c\"]", &["a", "b"], &["c"], &["line 2", "--resume"]);
    assert_broken("b.json", "[\"a\", {\"key\": \"b\"}, {\"key\" \"c\"}, \"d\"]", &["a", "b"], &["c", "d"], &["line 1"]);
    assert_broken("b.json", "[\"a\", \"b", &["a"], &["b"], &["line 1"]);
    assert_broken("b.json", "[\"a\", \"b\"", &["a", "b"], &["c"], &["line 1"]);
    assert_broken("b.json", "[\"a\"] [\"b\"]", &["a"], &["b"], &["follows the end"]);
    assert_broken(
        "b.ndjson",
        "\"a\"\n\"b\"\nnope\n\"c\"\n",
        &["a", "b"],
        &["c"],
        &["line 3", "hint: fix or remove the line"],
    );
    assert_broken("b.jsonl", "{\"key\":\"a\"}\n{\"key\":\"b", &["a"], &["b"], &["line 2", "is cut off"]);
    let plan = "{\"key\":\"a\",\"status\":\"planned\"}\n{\"key\":\"b\",\"status\":\"pla\n";
    assert_broken("plan.ndjson", plan, &["a"], &["b"], &["line 2", "is cut off"]);
    let long = format!("\"a\"\n\"{}\n\"b\"\n", "x".repeat(100_000));
    assert_broken("b.ndjson", long, &["a"], &["b"], &["line 2"]);
    assert_broken("b.csv", "key\na\nb\n\"c\nd\n", &["a", "b"], &["c", "c\nd", "d"], &["line 4", "never closed"]);
}

#[test]
fn a_break_on_stdin_ends_the_job_after_what_came_before() {
    let ndjson = "\"a\"\n\"b\"\n\"c\n\"c\"\n";
    for (content, message) in
        [("[\"a\", \"b\", nope, \"c\"]", "line 1"), ("key\na\nb\n\"c", "line 4"), (ndjson, "line 3")]
    {
        let lab = Lab::new();
        lab.server.preload(["a", "b", "c"]);
        let done = lab.delete(["--report", "report.csv", "--json"]).stdin(content).run().code(1);
        lab.assert_all_deleted(["a", "b"], &in_order(&lab, "report.csv", &["a", "b"]));
        assert_eq!((lab.server.keys(), &done.summary()["stopped"]), (vec!["c".to_owned()], &"input_error".into()));
        assert!(done.stderr.contains("stdin") && done.stderr.contains(message), "{}", done.stderr);
    }
}

#[test]
fn a_truncated_archive_gives_only_whole_keys() {
    let lab = Lab::new();
    // Digits that do not compress to nothing, so that the cut is amid the keys.
    let keys: Vec<String> = (0..600_u64).map(|index| format!("key:{:x}", (index + 1) * 0x9e37_79b9_7f4a)).collect();
    let packed = gzip((keys.join("\n") + "\n").as_bytes());
    lab.write("cut.txt.gz", &packed[..packed.len() / 2]);
    lab.server.preload(keys.iter().map(String::as_str));
    lab.delete(["cut.txt.gz", "--report", "report.csv", "--json"]).run().code(1);
    assert_eq!(lab.server.requests(), 0);
    let done = lab.delete(["cut.txt.gz", "--allow-partial", "--report", "report.csv", "--json"]).run().code(1);
    let rows = settled(&lab, "report.csv");
    assert!((1..600).contains(&rows.len()), "{} rows", rows.len());
    lab.assert_all_deleted(keys[..rows.len()].iter().map(String::as_str), &rows);
    assert_eq!(lab.server.len(), keys.len() - rows.len());
    assert_eq!(done.summary()["stopped"], "input_error");
    assert!(done.stderr.contains("cut.txt.gz") && done.stderr.contains("truncated"), "{}", done.stderr);
}

#[test]
fn an_input_that_cannot_be_used_sends_nothing() {
    let table: [(&[&str], i32, &str); 7] = [
        (&["none.txt"], 1, "none.txt"),
        (&["good.txt", "none.txt"], 1, "none.txt"),
        (&["good.csv", "--column", "nope"], 2, "nope"),
        (&["good.csv", "--column", "3"], 2, "no column 3"),
        (&["object.json"], 2, "not a JSON array"),
        (&["good.json", "--column", "key"], 2, "--format csv"),
        (&["utf16.txt"], 2, "UTF-16"),
    ];
    for (args, code, message) in table {
        let lab = Lab::new();
        lab.server.preload(["a"]);
        lab.write("good.txt", "a\n");
        lab.write("good.csv", "id,key\n1,a\n");
        lab.write("good.json", "[\"a\"]");
        lab.write("object.json", "{\"a\": 1}");
        lab.write("utf16.txt", b"\xff\xfea\0\n\0");
        let done = lab.delete(args).args(["--report", "report.csv"]).run().code(code);
        assert!(done.stderr.contains(message), "{args:?}: {}", done.stderr);
        assert_eq!((lab.server.requests(), lab.path("report.csv").exists()), (0, false), "{args:?}");
    }
}

#[test]
fn a_key_that_is_named_twice_is_sent_once_unless_that_is_not_wanted() {
    for (args, deletes, duplicates) in [(&[][..], 2, 2), (&["--no-dedupe"][..], 4, 0)] {
        let lab = Lab::new();
        lab.write("k.txt", "a\nb\na\na\n");
        lab.server.preload(["a", "b", "A"]);
        let done = lab.delete(["k.txt", "--report", "report.csv", "--json"]).args(args).run().code(0);
        let rows = settled(&lab, "report.csv");
        assert_eq!(rows.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["a", "b", "a", "a"]);
        assert_eq!(rows.iter().filter(|row| row.status == "duplicate").count(), duplicates, "{rows:?}");
        assert!(rows[2..].iter().all(|row| duplicates == 0 || row.status == "duplicate"), "the first one is sent");
        assert_eq!((lab.deletes().len(), lab.server.keys()), (deletes, vec!["A".to_owned()]));
        assert_eq!(done.summary()["duplicate"], duplicates);
    }
}

/// What `wrangler kv bulk delete` 4.86.0 takes (`kvBulkDeleteCommand`): JSON, an array of names or of objects whose
/// `name` is one, mixed as they like. Unlike there, an item that is neither costs only itself.
#[test]
fn what_wrangler_deletes_from_is_an_input() {
    let inputs = [
        ("[\"a\", \"b\\/c\"]", 0),
        ("[{\"name\": \"a\"}, {\"name\": \"b/c\", \"expiration\": 1, \"metadata\": {\"name\": \"keep\"}}]", 0),
        ("[\"a\", {\"name\": \"b/c\"}]", 0),
        ("[\"a\", {\"name\": 1}, null, {\"name\": \"b/c\"}]", 3),
    ];
    for (input, code) in inputs {
        let lab = Lab::new();
        lab.server.preload(["a", "b/c", "keep"]);
        lab.write("keys.json", input);
        lab.delete(["keys.json", "--report", "report.csv"]).run().code(code);
        assert_eq!(lab.server.keys(), ["keep"], "{input}");
    }
}

#[test]
fn repeated_keys_are_found_where_the_order_of_the_keys_breaks_however_late() {
    let names: Vec<String> = (0..3_000).map(|number| format!("k{number:05}")).collect();
    // In order over two files, the first repeated at its end; then all kinds of keys that break it.
    let (first, second) = names.split_at(1_500);
    let first = [first, &first[1_499..]].concat().join("\n");
    let second = [second, &["k00007".into(), "a".into(), "k02999".into(), "a".into(), "z".into()]].concat().join("\n");
    for piped in [false, true] {
        let lab = Lab::new();
        lab.server.preload(names.iter().map(String::as_str).chain(["a", "z", "bystander"]));
        lab.write("1.txt.gz", gzip(first.as_bytes()));
        lab.write("2.txt", &second);
        let run = lab.delete(["1.txt.gz", if piped { "-" } else { "2.txt" }, "--report", "report.csv"]);
        let run = if piped { run.stdin(second.clone()) } else { run };
        run.run().code(0);
        let mut rows = lab.rows("report.csv");
        rows.sort_by_key(|row| row.record);
        let repeated: Vec<_> = rows.iter().filter(|row| row.status == "duplicate").map(|row| row.record).collect();
        assert_eq!(repeated, [1_501, 3_002, 3_004, 3_005], "piped: {piped}");
        assert_eq!((rows.len(), lab.deletes().len()), (3_006, 3_002));
        assert_eq!(lab.server.keys(), ["bystander"]);
    }
}
