//! Headers, columns, quotes and lines of CSV.

use std::num::NonZeroUsize;

use super::super::InputError;
use super::super::options::{Column, InputOptions};
use super::super::tests::{read, read_broken, read_whole};

fn column(column: &str) -> InputOptions {
    InputOptions { column: Some(column.parse().unwrap()), ..InputOptions::default() }
}

fn no_header() -> InputOptions {
    InputOptions { header: super::Header::None, ..InputOptions::default() }
}

fn usage(input: &str, options: &InputOptions) -> InputError {
    let (records, error) = read("k.csv", input, options);
    let error = error.expect("an error");
    assert!(records.is_empty() && error.is_usage(), "{error}");
    error
}

#[test]
fn the_first_row_is_a_header_only_if_it_says_so() {
    let table: [(&str, InputOptions, &[&str]); 21] = [
        ("key\na\n", InputOptions::default(), &["a"]),
        ("KEY\na\n", InputOptions::default(), &["a"]),
        ("a\nb\n", InputOptions::default(), &["a", "b"]),
        ("keys\na\n", InputOptions::default(), &["keys", "a"]),
        ("id,name\n1,a\n", InputOptions::default(), &["a"]),
        ("name,key\nn,a\n", InputOptions::default(), &["a"]),
        ("name,Key_Name\nn,a\n", InputOptions::default(), &["a"]),
        ("key\na\n", no_header(), &["key", "a"]),
        ("id,key\n1,a\n", no_header(), &["id", "1"]),
        ("id,tag\n1,a\n", column("tag"), &["a"]),
        ("id,key\n1,a\n", column("id"), &["1"]),
        ("id,key\n1,a\n", column("1"), &["1"]),
        ("\u{feff}\"tag\"\na\n", column("tag"), &["a"]),
        ("id, Key Name \n1,a\n", InputOptions::default(), &["a"]),
        ("id,KEY-NAME\n1,a\n", InputOptions::default(), &["a"]),
        ("id,\"\tkey\u{a0}\"\n1,a\n", InputOptions::default(), &["a"]),
        ("id,Cache Key\n1,a\n", column("cache_key"), &["a"]),
        ("id,ÉTÉ-1\n1,a\n", column(" été 1"), &["a"]),
        ("Id,ID\n1,a\n", column("ID"), &["a"]),
        ("id,Tag\n1,a\n", column("tag"), &["a"]),
        ("my key\na\n", InputOptions::default(), &["my key", "a"]),
    ];
    for (input, options, expected) in table {
        let (records, error) = read("k.csv", input, &options);
        assert!(error.is_none(), "{input:?}");
        assert_eq!(records, expected, "{input:?}");
    }
}

#[test]
fn a_column_that_is_not_there_is_named_with_those_that_are() {
    let error = usage("id,\"a\nb\"\n1,2\n", &column("tag"));
    assert_eq!(
        error.to_string(),
        "k.csv line 1: no column is named \"tag\"; the columns are \"id\", \"a\\nb\"\nhint: pass --column with one of these"
    );
    assert!(usage("Tags\n1\n", &column("tag")).to_string().contains("the columns are \"Tags\""));
    assert!(usage("Tag,TAG\n1,2\n", &column("tag")).to_string().contains("several columns"));
    let error = usage("\n\nid,tag\n1,2\n", &column("3"));
    assert_eq!(error.to_string(), "k.csv line 3: there is no column 3: the first row has 2 columns");
    let both = InputOptions { header: super::Header::None, ..column("tag") };
    assert!(usage("tag\n", &both).to_string().contains("--no-header"));
    assert!(usage("tag,tag\n1,2\n", &column("tag")).to_string().contains("several columns"));
    assert!(usage("key,KEY\n1,2\n", &InputOptions::default()).to_string().contains("several columns"));
    let error = usage("tag,\"x\"y\n1,2\n", &column("tag"));
    assert!(error.to_string().contains("cannot be the header"), "{error}");
    let many = (0..100).map(|number| format!("c{number}")).collect::<Vec<_>>().join(",");
    assert!(usage(&many, &column("tag")).to_string().contains("\"c19\", and 80 more\n"));
    for delimiter in *b"\"\r\n" {
        let options = InputOptions { delimiter: Some(delimiter), ..InputOptions::default() };
        assert!(usage("a", &options).to_string().contains("cannot be the delimiter"));
    }
}

#[test]
fn quotes_are_read_by_the_rules_or_not_at_all() {
    let broken = "the quotes of field 1 are broken; a quote inside a quoted field has to be doubled";
    let table = [
        ("\"a\"", Ok("a")),
        ("\"a\"\"b\"", Ok("a\"b")),
        ("\"\"\"\"", Ok("\"")),
        ("\"\"\"a\"\"\"", Ok("\"a\"")),
        ("\"a,b\"", Ok("a,b")),
        ("\"a\nb\"", Ok("a\nb")),
        ("\"a\r\nb\r\"", Ok("a\r\nb\r")),
        (" \"a\"", Ok(" \"a\"")),
        ("a\"b", Ok("a\"b")),
        ("a\"\"b\"", Ok("a\"\"b\"")),
        ("  a ", Ok("  a ")),
        ("\"\"", Err(("the key is empty", ""))),
        ("\"foo\"bar", Err((broken, "foobar"))),
        ("\"foo\"bar\"", Err((broken, "foobar\""))),
        ("\"foo\"bar\"\"", Err((broken, "foobar\"\""))),
        ("\"foo\" ", Err((broken, "foo "))),
        ("\"\"a", Err((broken, "a"))),
        ("\"\"a\"", Err((broken, "a\""))),
        ("\"a\"\rb", Err((broken, "a\rb"))),
        ("a\rb", Err(("field 1 contains a carriage return outside quotes; lines must end in LF or CRLF", "a\rb"))),
        ("a\r", Err(("field 1 contains a carriage return outside quotes; lines must end in LF or CRLF", "a\r"))),
        ("a,b", Err(("has 2 fields where the first row has 1; a key that contains the delimiter must be quoted", "a"))),
        (",", Err(("has 2 fields where the first row has 1; a key that contains the delimiter must be quoted", ""))),
    ];
    for (field, expected) in table {
        for (end, at_end) in [("\r\n", "\r\n"), ("\n", "\n"), ("\n", "")] {
            // A bare `\r` before CRLF or `\n` at the end is tried below with the line end it has.
            if field == "a\r" && end == "\n" {
                continue;
            }
            let last = if at_end.is_empty() { String::new() } else { format!("z{at_end}") };
            let input = format!("w{end}x{end}{field}{at_end}{last}");
            let second = match expected {
                Ok(key) => key.to_owned(),
                Err((why, key)) => format!("! k.csv line 3: {why} [{key}]"),
            };
            let mut all = vec!["w".to_owned(), "x".to_owned(), second];
            all.extend((!at_end.is_empty()).then(|| "z".to_owned()));
            assert_eq!(read_whole("k.csv", &input), all, "{input:?}");
        }
    }
}

#[test]
fn a_quote_that_is_never_closed_is_a_break_where_it_opens() {
    let long = format!("key\nx\n\"{}", "y\n".repeat(50_000));
    let table = [
        ("key\nx\n\"a", 3),
        ("key\nx\n\"", 3),
        ("key\nx\n\"a\nb\nc\n", 3),
        ("key\nx\n\"a\"\"\n", 3),
        ("\n\nkey\r\nx\r\n\r\n\"a\"\"\"\"\n", 6),
        (&long, 3),
    ];
    for (input, line) in table {
        let (records, error) = read_broken("k.csv", input);
        assert_eq!(records, ["x"], "{:?}", &input[..input.len().min(40)]);
        let start = format!("k.csv line {line} (after record 1): the quote that opens here is never closed");
        assert!(error.to_string().starts_with(&start) && !error.is_usage(), "{error}");
    }
    let (_, error) = read_broken("k.csv", "id,key\n1,x\n\"1\n2\",\"a\n");
    assert!(error.to_string().starts_with("k.csv line 4 (after record 1): the quote"), "{error}");
}

#[test]
fn one_missing_quote_costs_the_records_it_swallows_and_says_which() {
    let records = read_whole("k.csv", "\"a\"\n\"b\n\"c\"\n\"d\"\n");
    assert_eq!(records.len(), 3);
    assert!(
        records[1].contains("line 2: the quotes of field 1 are broken")
            && records[1].contains("(the record runs to line 3)")
    );
    assert_eq!(records[2], "d");
}

#[test]
fn lines_are_counted_through_blank_lines_and_quotes() {
    let input = "\n\r\nid,key\r\n\r\n1,a\n\n\n2,\"b\n\nc\"\r\n3,\n\"\n\",d\n4,..";
    let records = read_whole("k.csv", input);
    assert_eq!(records[..2], ["a", "b\n\nc"]);
    assert_eq!(records[2], "! k.csv line 11: the key is empty []");
    assert_eq!(records[3], "d");
    assert!(records[4].starts_with("! k.csv line 14: `..`"), "{}", records[4]);
}

#[test]
fn several_columns_of_which_none_is_headed_as_keys_are_no_guess() {
    for (input, headed) in [
        ("id,kv_key\n1,a\n", "2 columns (id, kv_key)"),
        ("id,keys\n1,a\n", "2 columns (id, keys)"),
        ("a,1\nb,2\n", "2 columns (a, 1)"),
        ("a,\nb,\n", r#"2 columns (a, "")"#),
        ("sep=,\nkey,x\n", r#"2 columns (sep=, "")"#),
    ] {
        let error = usage(input, &InputOptions::default()).to_string();
        assert!(error.contains(headed) && error.contains("none named key, key_name or name"), "{error}");
        for flag in ["--column", "--no-header", "--delimiter"] {
            assert!(error.contains(flag), "{error}");
        }
    }
    // A number is a position, and says nothing of the first row.
    for (input, number, hint) in [
        ("id,kv\n1,x\n", 2, "pass --column kv, or --no-header"),
        ("1,2\na,b\n", 1, "pass --no-header if row 1 is data, or name the column"),
    ] {
        let column = Some(Column::Number(NonZeroUsize::new(number).unwrap()));
        let error = usage(input, &InputOptions { column, ..InputOptions::default() }).to_string();
        assert!(error.contains(hint), "{error}");
    }
    for (input, delimiter) in [
        ("Key;Owner\na;b\n", "--delimiter ';'"),
        ("id;\"key\"\n1;a\n", "--delimiter ';'"),
        ("id\tKEY NAME\n1\ta\n", "--delimiter tab"),
        ("id | name\n1 | a\n", "--delimiter '|'"),
        ("sep=;\nid;key\n1;a\n", "--delimiter ';'"),
    ] {
        for options in [InputOptions::default(), column("1")] {
            let error = usage(input, &options).to_string();
            assert!(error.contains(delimiter), "{error}");
        }
    }
    let semicolon = InputOptions { delimiter: Some(b';'), ..InputOptions::default() };
    assert!(usage("id,key\n1,a\n", &semicolon).to_string().contains("--delimiter ','"));
    assert_eq!(read_whole("k.csv", "a;b\nc\n"), ["a;b", "c"], "names of keys");
}

#[test]
fn a_malformed_header_is_no_guess() {
    for input in ["id,\"key\"x\n1,a\n", "id,key\rx\n1,a\n", "\"id\"x\na\n", "\"id\" ,key\n1,a\n"] {
        for options in [InputOptions::default(), column("key"), column("1")] {
            let error = usage(input, &options).to_string();
            assert!(
                error.contains("the first row cannot be the header") && error.contains("its columns: \"id"),
                "{error}"
            );
            assert!(error.contains("--no-header") && error.contains("--delimiter"), "{error}");
        }
        assert_eq!(read("k.csv", input, &no_header()).0.len(), 2, "it is a bad record then");
    }
}

#[test]
fn a_title_above_the_header_is_no_key() {
    for input in [
        "Plan of Monday\nkey,status\na,planned\np,kept\n",
        "Plan of Monday\n\n\"id\",v\n1,2\n",
        "Plan of Monday\nmade by X\nid,Key Name\n1,a\n",
        "title\na,b",
        "title\n\"x\"y,b\n",
    ] {
        for options in [InputOptions::default(), column("1")] {
            let error = usage(input, &options).to_string();
            assert!(error.contains("columns, but line 1 has one: that is a title"), "{error}");
        }
    }
    let error = usage("Plan of Monday\nkey,status\n", &InputOptions::default()).to_string();
    assert!(error.starts_with("k.csv line 2") && error.contains("this row has 2 columns"), "{error}");
    assert_eq!(read_whole("k.csv", "x\ny\na,b\n")[..2], ["x", "y"], "one bad record");
    assert_eq!(read("k.csv", "x\na,b\n", &no_header()).0.len(), 2, "the user says that it is a key");
    assert_eq!(read_whole("k.csv", "x\n"), ["x"]);
}

#[test]
fn old_line_ends_are_no_header_that_eats_the_keys() {
    for input in ["key\ra\rb\r", "key,x\ra,1\rb,2\r"] {
        assert!(usage(input, &InputOptions::default()).to_string().contains("lines end in CR alone"));
    }
}

#[test]
fn a_doubtful_field_beside_the_key_spoils_the_row() {
    let long = "v".repeat(70_000);
    for (value, flaw) in
        [("\"v\"v", "the quotes of field 2"), (&long, "field 2 is longer"), ("v\rv", "carriage return")]
    {
        let records = read_whole("k.csv", format!("key,value\na,1\nb,{value}\nc,3\n"));
        assert_eq!((&*records[0], &*records[2]), ("a", "c"));
        assert!(records[1].starts_with("! k.csv line 3: ") && records[1].contains(flaw) && records[1].ends_with("[b]"));
    }
}

const REPORT: &str = "record,key,status,http_status,error_code,error,attempts,elapsed_ms,finished_at\n";

fn report(rows: &[(u32, &str, &str)]) -> String {
    let rows =
        rows.iter().map(|(record, key, status)| format!("{record},{key},{status},,,,0,0,2026-11-02T03:00:00.000Z\n"));
    REPORT.to_owned() + &rows.collect::<String>()
}

#[test]
fn a_dry_run_report_gives_its_planned_rows() {
    let rows = report(&[
        (1, "a", "planned"),
        (2, "\"x,\ny\"", "duplicate"),
        (3, "", "invalid"),
        (4, "\"b,\"", "planned"),
        (5, "c", "absent"),
    ]);
    for name in ["plan.csv", "plan"] {
        assert_eq!(read_whole(name, &rows), ["a", "b,"]);
        assert_eq!(read_whole(name, rows.replace('\n', "\r\n")), ["a", "b,"]);
    }
    let torn = report(&[(1, "a", "planned")]) + "2,b,pla";
    let records = read_whole("plan.csv", torn);
    assert!(records[1].contains("has 3 fields where the first row has 9"), "{records:?}");
    for (status, why) in [
        ("deleted", "this is the report of a job that ran (a row is \"deleted\")"),
        ("failed", "this is the report of a job that ran: a row is \"failed\""),
        ("unknown", "this is the report of a job that ran: a row is \"unknown\""),
        ("restored", "this is the report of kvsweep restore (a row is \"restored\")"),
        ("restorable", "this is the report of kvsweep restore (a row is \"restorable\")"),
        ("", "the status of this row of a plan is empty, but has to be planned, kept,"),
        ("Planned", "the status of this row of a plan is \"Planned\", but has to be planned, kept,"),
        ("invalid?", "the status of this row of a plan is \"invalid?\", but"),
    ] {
        let (records, error) = read_broken("plan.csv", report(&[(1, "a", "planned"), (2, "b", status)]));
        assert_eq!((records, error.is_usage()), (vec!["a".to_owned()], true));
        assert!(error.to_string().starts_with(&format!("plan.csv line 3 (after record 1): {why}")), "{error}");
    }
    // From the first row on, and whoever wrote the words.
    for status in ["DELETED", "Planned", " Invalid "] {
        let (records, error) = read("plan.csv", report(&[(1, "a", status)]), &InputOptions::default());
        let error = error.expect(status).to_string();
        assert!(records.is_empty() && error.contains("the status of this row of a plan is"), "{error}");
    }
    assert_eq!(read_whole("plan.csv", report(&[(1, "a", " planned "), (2, "b", " invalid")])), ["a"]);
}

#[test]
fn no_option_makes_a_list_of_keys_out_of_a_report() {
    let ran = report(&[(1, "a", "failed"), (2, "b", "deleted")]);
    let plan = report(&[(1, "a", "planned"), (2, "b", "invalid")]);
    for options in [column("key"), column("2"), column(" Key")] {
        assert!(usage(&ran, &options).to_string().contains("this is the report of a job"));
        assert_eq!(read("plan.csv", &plan, &options).0, ["a"]);
    }
    for options in [column("record"), column("1"), column("error")] {
        assert!(usage(&plan, &options).to_string().contains("another column than its key"));
    }
    let other = InputOptions { delimiter: Some(b';'), ..InputOptions::default() };
    assert!(usage(&plan, &other).to_string().contains("--delimiter ','"));
    let like = ran.replace("finished_at", "finished");
    assert!(usage(&like, &InputOptions::default()).to_string().contains("this is the report of a job"));
    let renamed = plan.replace(",key,", ",cache key,");
    assert_eq!(read("plan.csv", &renamed, &column("cache key")).0, ["a"]);
}

#[test]
fn a_report_that_lost_its_header_or_its_status_is_no_list_of_keys() {
    let plan = report(&[(7, "a", "planned"), (8, "b", "planned")]);
    let headerless = plan.strip_prefix(REPORT).unwrap();
    let shorter: String =
        headerless.lines().map(|row| row.split(',').skip(1).take(2).collect::<Vec<_>>().join(",") + "\n").collect();
    for rows in [headerless, &headerless.replace(',', ";"), &headerless.replace(',', "\t"), &shorter, &plan] {
        for options in [no_header(), InputOptions { column: Some("1".parse().unwrap()), ..no_header() }] {
            let error = usage(rows, &options).to_string();
            assert!(error.contains("rows of a kvsweep report without its header"), "{error}");
        }
    }
    for rows in [headerless, &headerless.replace(',', ";"), &shorter] {
        usage(rows, &InputOptions::default());
        assert!(usage(rows, &column("1")).to_string().contains("without its header"));
    }
    for input in
        ["record,key\n1,a\n", "key,finished_at\na,\n", "Key;HTTP Status\na;\n", "record,kv,elapsed_ms\n1,a,0\n"]
    {
        let delimiter = if input.contains(';') { b';' } else { b',' };
        for column in [None, Some("1".parse().unwrap())] {
            let options = InputOptions { column, delimiter: Some(delimiter), ..InputOptions::default() };
            assert!(usage(input, &options).to_string().contains("report without its status"), "{input}");
        }
    }
}

#[test]
fn a_status_of_others_is_no_status_of_ours() {
    assert_eq!(read_whole("k.csv", "key,status\na,active\nb,\n"), ["a", "b"]);
    assert_eq!(read("k.csv", "url,status\nx,failed\n", &column("url")).0, ["x"]);
    for (input, before) in [("key,status\na,active\nb,failed\n", 1), ("key,status\na,planned\nb,active\n", 1)] {
        let (records, error) = read_broken("k.csv", input);
        assert!(records.len() == before && error.is_usage(), "{error}");
    }
}

#[test]
fn a_first_row_without_end_is_given_up() {
    for cell in [",".repeat(200_000), format!("{},", "x".repeat(60_000)).repeat(30)] {
        let (records, error) = read_broken("k.csv", format!("{cell}\na\n"));
        assert!(records.is_empty() && error.to_string().contains("the first row is longer than 1 MiB"), "{error}");
    }
}
