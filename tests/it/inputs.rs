//! What may not be keys is refused before anything is sent, as a file and on stdin.

use crate::lab::{Done, Lab};

/// A server with a key, and a run over `content`, as a file and as stdin.
fn over(name: &str, content: &[u8], args: &[&str]) -> Vec<(Lab, Done)> {
    let runs = [false, true].map(|is_piped| {
        let lab = Lab::new();
        lab.server.preload(["a", "b"]);
        let run = if is_piped {
            lab.delete(["-"]).stdin(content)
        } else {
            lab.write(name, content);
            lab.delete([name])
        };
        let done = run.args(["--report", "report.csv"]).args(args).run();
        (lab, done)
    });
    runs.into()
}

/// Exit code 2, nothing sent, no report, and a message with `message` and a hint.
fn assert_refused(name: &str, content: &[u8], args: &[&str], message: &str) {
    for (lab, done) in over(name, content, args) {
        let done = done.code(2);
        assert!(done.stderr.contains(message) && done.stderr.contains("hint: "), "{name} {args:?}: {}", done.stderr);
        assert_eq!((lab.server.requests(), lab.path("report.csv").exists()), (0, false), "{name} {args:?}");
    }
}

#[test]
fn content_that_is_no_list_of_keys_is_named() {
    let utf16: Vec<u8> = "key\na\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let table: [(&[u8], &str); 8] = [
        (b"<!DOCTYPE html>\n<title>404</title>\n", "HTML"),
        (b"PK\x03\x04\x14\0\x06\0\x08\0", "ZIP archive"),
        (&utf16, "UTF-16"),
        (b"\xff\xfea\0\n\0", "UTF-16"),
        (b"\0\0\xfe\xff\0\0\0a", "UTF-32"),
        (b"a\0b\0", "NUL bytes"),
        (b"key\ra\rb\r", "CR alone"),
        (b"%PDF-1.7\n", "PDF"),
    ];
    for (content, message) in table {
        for format in ["auto", "csv", "lines", "ndjson", "json"] {
            if (message, format) == ("CR alone", "json") {
                continue;
            }
            assert_refused("k.txt", content, &["--format", format], message);
        }
    }
    let lab = Lab::new();
    for lines in ["a\rb\rc\n", "a\r\nb\rc\r", "a\nb\r", "a\n\rb\n"] {
        for format in ["auto", "lines"] {
            lab.write("k.txt", lines);
            let done = lab.delete(["k.txt", "--format", format, "--report", "none"]).run().code(2);
            assert!(
                done.stderr.contains("carriage return") && lab.server.requests() == 0,
                "{lines:?}: {}",
                done.stderr
            );
        }
    }
    assert_refused("k.txt", b"a\rb\rc\n", &[], "carriage return");
    for format in ["lines", "csv", "ndjson"] {
        assert_refused("k.txt", b"[\n  \"a\",\n  \"b\"\n]\n", &["--format", format], "JSON document");
    }
}

#[test]
fn a_column_of_keys_is_recognised_or_asked_for() {
    let csv = &["--format", "csv"];
    assert_refused("k.csv", b"id,kv_key\n1,a\n", csv, "2 columns (id, kv_key), none named key, key_name or name");
    // The number does not say whether the first row is a heading.
    assert_refused("k.csv", b"id,kv_key\n1,a\n", &["--format", "csv", "--column", "2"], "--no-header if row 1 is data");
    assert_refused("k.csv", b"Key;Owner\na;b\n", csv, "--delimiter ';'");
    assert_refused("k.csv", b"id,\"key\"s\n1,a\n", csv, "cannot be the header");
    assert_refused("k", b"Key;Owner\na;b\n", &[], "--delimiter ';'");
    for (lab, done) in over("k.csv", b"id,Key Name\n1,a\n", csv) {
        done.code(0);
        assert_eq!(lab.server.keys(), ["b"]);
    }
}

const HEADER: &str = "record,key,status,http_status,error_code,error,attempts,elapsed_ms,finished_at";

#[test]
fn an_edited_plan_stays_a_plan() {
    let lab = Lab::new();
    lab.server.preload(["a", "b", "c"]);
    lab.write("keys.txt", "a\nb\nc\n");
    lab.kvsweep(["delete", "keys.txt", "--dry-run", "--protect", "b", "--report", "plan.csv"]).run();
    let plan = lab.read("plan.csv");
    assert!(plan.starts_with(HEADER), "{plan}");
    let columns = |from: usize, to: usize| -> String {
        let row = |line: &str| line.split(',').skip(from).take(to - from).collect::<Vec<_>>().join(",") + "\n";
        plan.lines().map(row).collect()
    };
    // Of the planned keys, which are a and c.
    for (edited, args) in [
        (columns(0, 3), &[][..]),
        (
            plan.replacen(HEADER, "Record,Key,Status,HTTP Status,Error Code,Error,Attempts,Elapsed MS,Finished At", 1),
            &[],
        ),
        (plan.lines().map(|line| ["ok,", line, "\n"].concat()).collect(), &[]),
        (plan.clone(), &["--column", "key"]),
        (plan.replace('\n', "\r\n"), &["--column", "2"]),
    ] {
        lab.server.preload(["a", "b", "c"]);
        lab.write("edited.csv", &edited);
        lab.delete(["edited.csv", "--report", "none"]).args(args).run().code(0);
        assert_eq!(lab.server.keys(), ["b"], "{edited}");
    }
    let excerpt: String =
        plan.lines().filter(|line| line.contains(",planned,")).map(|line| line.to_owned() + "\n").collect();
    assert_refused("todo.csv", excerpt.as_bytes(), &["--format", "csv"], "report");
    assert_refused("todo.csv", excerpt.as_bytes(), &["--format", "csv", "--no-header", "--column", "1"], "report");
    assert_refused("todo.csv", excerpt.as_bytes(), &["--no-header"], "report");
    assert_refused("todo", excerpt.as_bytes(), &[], "report");
    assert_refused("k.csv", columns(0, 2).as_bytes(), &[], "without its status");
}

#[test]
fn a_plan_whose_columns_have_other_names_or_none_is_refused() {
    for (name, content, args) in [
        ("k.csv", "status,kv\nplanned,a\nkept,b\n", &["--format", "csv", "--column", "kv"][..]),
        ("k.csv", "status,kv\nplanned,a\nkept,b\n", &["--format", "csv", "--no-header", "--column", "2"]),
        ("k.csv", "key,result\nb,kept\na,planned\n", &["--format", "csv"]),
        ("k.ndjson", "{\"key\":\"b\",\"state\":\"kept\"}\n{\"key\":\"a\",\"state\":\"planned\"}\n", &[]),
        ("k.txt", "b,kept\na,planned\n", &[]),
        ("k.csv", "b;kept\na;planned\n", &["--format", "csv"]),
    ] {
        assert_refused(name, content.as_bytes(), args, "holds the statuses of a kvsweep plan");
    }
    let titled = b"Plan of Monday\nkey,status\na,planned\nb,kept\n";
    assert_refused("k.csv", titled, &["--format", "csv"], "this row has 2 columns, but line 1 has one");
}

#[test]
fn a_report_of_deletes_stays_one() {
    let lab = Lab::new();
    lab.keys(3);
    lab.delete(["keys.txt", "--report", "done.csv"]).run().code(0);
    let done = lab.read("done.csv");
    for (edited, args) in [
        (done.clone(), &["--format", "csv", "--column", "key"][..]),
        (done.replacen(HEADER, &HEADER.to_uppercase(), 1), &[]),
        (done.lines().map(|line| line.split(',').take(3).collect::<Vec<_>>().join(",") + ",x\n").collect(), &[]),
    ] {
        assert_refused_quietly("done.csv", edited.as_bytes(), args, "this is the report of a job that ran");
    }
}

/// As [`assert_refused`], of an error without a hint.
fn assert_refused_quietly(name: &str, content: &[u8], args: &[&str], message: &str) {
    for (lab, done) in over(name, content, args) {
        let done = done.code(2);
        assert!(done.stderr.contains(message), "{}", done.stderr);
        assert_eq!(lab.server.requests(), 0);
    }
}

#[test]
fn an_old_plan_is_warned_about() {
    let row = |time: &str| format!("{HEADER}\n1,a,planned,,,,0,0,{time}\n");
    let now = humantime::format_rfc3339_millis(kvsweep::internals::wall_now()).to_string();
    for (plan, is_old) in [(row("2026-11-02T03:00:00.000Z"), true), (row(&now), false), (row(""), false)] {
        for (_, done) in over("plan.csv", plan.as_bytes(), &[]) {
            assert_eq!(done.stderr.contains("the namespace may have changed"), is_old, "{}", done.stderr);
        }
    }
    // Without times, that of the file counts.
    let lab = Lab::new();
    let path = lab.write("plan.ndjson", "{\"key\":\"a\",\"status\":\"planned\"}\n");
    let file = std::fs::File::options().write(true).open(path).expect("the plan");
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000)).expect("its time");
    let done = lab.kvsweep(["delete", "plan.ndjson", "--dry-run"]).run().code(0);
    assert!(done.stderr.contains("warning: the plan in plan.ndjson is "), "{}", done.stderr);
}

#[test]
fn a_response_of_the_api_is_an_input() {
    let response = r#"{"result":[{"name":"a"}],"success":true,"errors":[],"messages":[],"result_info":{"cursor":""}}"#;
    for (lab, done) in over("response.json", response.as_bytes(), &[]) {
        done.code(0);
        assert_eq!(lab.server.keys(), ["b"]);
    }
}

#[test]
fn a_broken_file_beside_stdin_sends_nothing() {
    let broken = ["key\na\n\"b\n", "[\"a\", nope]", "\"a\"\n\"b\n"];
    for ((name, content), first) in
        ["k.csv", "k.json", "k.ndjson"].into_iter().zip(broken).flat_map(|file| [(file, true), (file, false)])
    {
        let lab = Lab::new();
        lab.server.preload(["a", "b", "c"]);
        lab.write(name, content);
        let inputs = if first { [name, "-"] } else { ["-", name] };
        let run = |args: &[&str]| {
            lab.delete(inputs).args(["--report", "r.csv", "--json"]).args(args).stdin("c\n").run().code(1)
        };
        let done = run(&[]);
        assert_eq!(done.summary()["stopped"], "input_error", "{inputs:?}");
        assert!(done.stderr.contains(name) && done.stderr.contains("nothing was sent"), "{inputs:?}: {}", done.stderr);
        assert_eq!((lab.server.requests(), lab.path("r.csv").exists()), (0, false), "{inputs:?}");
        run(&["--allow-partial"]);
        let left: &[&str] = if first { &["b", "c"] } else { &["b"] };
        assert_eq!(lab.server.keys(), left, "{inputs:?}");
    }
}
