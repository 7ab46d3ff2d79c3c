//! Plans whose status has another name, or none.

use super::*;

fn column(column: &str) -> InputOptions {
    InputOptions { column: Some(column.parse().unwrap()), ..InputOptions::default() }
}

fn no_header(number: Option<&str>) -> InputOptions {
    let column = number.map(|number| number.parse().unwrap());
    InputOptions { column, header: Header::None, ..InputOptions::default() }
}

#[test]
fn a_plan_without_the_names_of_its_columns_gives_no_key() {
    let lines = InputOptions { format: Some(Format::Lines), ..InputOptions::default() };
    let auto = InputOptions::default();
    let table: [(&str, &str, &InputOptions, &str); 22] = [
        ("k.csv", "key,state\np,kept\nq,kept\n", &auto, "column 2 (split at ',')"),
        ("k.txt", "p;kept\nq;kept\n", &lines, "column 2 (split at ';')"),
        ("k.csv", "status,kv\nplanned,a\nkept,p\n", &column("kv"), "column 1 (split at ',')"),
        ("k.csv", "status,kv\nkept,p\nplanned,a\n", &column("kv"), "column 1 (split at ',')"),
        ("k.csv", "status,kv\nplanned,a\nkept,p\n", &no_header(Some("2")), "column 1 (split at ',')"),
        ("k.csv", "Plan,of,Monday\nid,kv,result\n1,a,planned\n2,p,kept\n", &no_header(Some("2")), "column 3"),
        ("k.csv", "key,result\na,planned\np,kept\n", &auto, "column 2 (split at ',')"),
        ("k.csv", "key,result\np,KEPT\na, Planned \n", &auto, "column 2 (split at ',')"),
        ("k.csv", "key,result\na,planned\np,\n", &auto, "column 2 (split at ',')"),
        ("k.csv", "key,status,result\na,active,planned\np,active,kept\n", &auto, "column 3"),
        ("k.csv", "a;planned\np;kept\n", &auto, "column 2 (split at ';')"),
        ("k.csv", "key\na;planned\np;kept\n", &auto, "column 2 (split at ';')"),
        ("k.csv", "Plan\nkv|result\na|planned\np|kept\n", &auto, "column 2 (split at '|')"),
        ("k.tsv", "kv\nx,planned\ny,absent\n", &column("kv"), "column 2 (split at ',')"),
        ("k", "a,planned\np,kept\n", &auto, "column 2 (split at ',')"),
        ("k", "p,kept\na,planned\n", &auto, "column 2 (split at ',')"),
        ("k.txt", "a\tplanned\np\tkept\n", &auto, "column 2 (split at tab)"),
        ("k.txt", "kv;result\na;planned\np;kept\n", &lines, "column 2 (split at ';')"),
        ("k", "a,planned", &auto, "column 2 (split at ',')"),
        (
            "k.ndjson",
            "{\"key\":\"p\",\"state\":\"kept\"}\n{\"state\":\"planned\",\"key\":\"a\"}\n",
            &auto,
            "the member \"state\"",
        ),
        (
            "k.json",
            "[{\"key\":\"p\",\"state\":\"kept\"},{\"key\":\"a\",\"state\":\"planned\"}]",
            &auto,
            "the member \"state\"",
        ),
        ("k.json", "{\"result\":[{\"name\":\"a\",\"x\":\"\\u0070lanned\"}]}", &auto, "the member \"x\""),
    ];
    for (name, input, options, place) in table {
        let (keys, error) = read(name, input, options);
        let error = error.unwrap_or_else(|| panic!("{input:?}: {keys:?}"));
        assert!(keys.is_empty() && error.is_usage(), "{input:?}: {keys:?}, {error}");
        let text = error.to_string();
        assert!(text.contains(place) && text.contains("holds the statuses of a kvsweep plan"), "{input:?}: {text}");
    }
}

/// A file is read to its end before anything is sent; on a pipe, the title goes ahead.
#[test]
fn a_title_hides_no_plan() {
    for input in ["Plan\nkv,result\na,planned\np,kept\n", "Plan\nby X\n\"a\",planned\n\"p\",kept"] {
        let (keys, error) = read_broken("k.txt", input);
        assert!(keys.iter().all(|key| !key.contains(',')) && error.is_usage(), "{keys:?}, {error}");
    }
}

#[test]
fn what_only_resembles_a_plan_is_a_list_of_keys() {
    let auto = InputOptions::default();
    for (name, input, options, expected) in [
        ("k.txt", "planned\nkept\n", &auto, &["planned", "kept"][..]),
        ("k.csv", "planned\nkept\n", &auto, &["planned", "kept"]),
        ("k.csv", "key,n\nplanned,1\nkept,2\n", &auto, &["planned", "kept"]),
        ("k.csv", "key,state\na,planned\nb,active\n", &auto, &["a", "b"]),
        ("k.csv", "url,status\nx,failed\ny,deleted\n", &column("url"), &["x", "y"]),
        ("k.csv", "key,state\na,absent\nb,invalid\n", &auto, &["a", "b"]),
        ("k.csv", "a;planned\nb;active\n", &auto, &["a;planned", "b;active"]),
        ("k.txt", "job|planned\njob|active\n", &auto, &["job|planned", "job|active"]),
        ("k.txt", "job|failed\n", &auto, &["job|failed"]),
        ("k.ndjson", "\"a,planned\"\n\"p,kept\"\n", &auto, &["a,planned", "p,kept"]),
        ("k.ndjson", "{\"key\":\"a\",\"s\":\"planned\"}\n{\"key\":\"b\",\"s\":1}\n", &auto, &["a", "b"]),
        ("k.ndjson", "{\"key\":\"a\",\"s\":\"\\ud800\",\"n\":1e999}\n", &auto, &["a"]),
        ("k.json", "[{\"key\":\"planned\",\"v\":\"x\"}]", &auto, &["planned"]),
    ] {
        let (keys, error) = read(name, input, options);
        assert!(error.is_none(), "{input:?}: {error:?}");
        assert_eq!(keys, expected, "{input:?}");
    }
}

#[test]
fn no_row_comes_before_it_is_known_that_it_is_a_key() {
    for planned in [1, 9_000, 10_000, 30_000] {
        let row = |number: usize| format!("k{number},{}\n", if number == planned { "planned" } else { "kept" });
        let input = (1..=30_000).map(row).collect::<String>();
        let (keys, error) = read("k.csv", format!("key,result\n{input}"), &InputOptions::default());
        assert!(error.is_some_and(|error| error.is_usage()), "{planned}");
        assert!(keys.is_empty(), "{planned}");
    }
    let rows = "k,failed\n".repeat(30_000);
    let (keys, error) = read("k.csv", format!("key,result\n{rows}"), &InputOptions::default());
    assert!(keys.len() == 30_000 && error.is_none(), "{error:?}");
    // What breaks off is no longer held back.
    let (keys, error) = read("k.csv", "key,result\na,failed\n\"b", &InputOptions::default());
    assert!(keys == ["a"] && error.is_some_and(|error| !error.is_usage()), "{keys:?}");
}

/// What keys hold is the user's own.
#[test]
fn metadata_is_no_status() {
    for (name, input) in [
        ("k.ndjson", "{\"key\":\"a\",\"metadata\":\"planned\"}\n{\"key\":\"b\",\"metadata\":\"kept\"}\n"),
        ("k.json", "{\"result\":[{\"name\":\"a\",\"metadata\":\"planned\"},{\"name\":\"b\",\"metadata\":\"kept\"}]}"),
    ] {
        let (keys, error) = read(name, input, &InputOptions::default());
        assert!(error.is_none(), "{input}: {error:?}");
        assert_eq!(keys, ["a", "b"]);
    }
}
