//! The names themselves, and what a careless client would make of them.

/// What cannot be a key: folded away by URL parsers, or longer than the service takes.
pub fn cannot_be_sent(name: &str) -> bool {
    name.is_empty() || name == "." || name == ".." || name.len() > 512
}

/// What a JavaScript object keeps in another place, or has anyway.
pub const PROPERTIES: [&str; 13] = [
    "0",
    "1",
    "007",
    "-1",
    "4294967294",
    "4294967295",
    "9007199254740993",
    "__proto__",
    "constructor",
    "prototype",
    "hasOwnProperty",
    "toString",
    "length",
];

/// Every class of name that something on the way treats specially, with a few that cannot be sent.
pub fn awkward() -> Vec<String> {
    let mut names: Vec<String> = [
        "ключ",
        "キー",
        "🔑👩‍👩‍👧",
        "e\u{301}",
        "\u{e9}",
        "\u{212b}",
        "Straße",
        "KEY",
        "key",
        "\u{202e}abc",
        "\u{feff}bom",
        "\u{200b}",
        "/",
        "//",
        "/a",
        "a/",
        "a/b/c",
        "a//b",
        "a/../b",
        "a/./b",
        "../..",
        "../x",
        "./x",
        "x/..",
        "...",
        "....",
        ". .",
        ".. ",
        " ..",
        ".\t.",
        "..\n",
        "..;",
        "../../../namespaces",
        "%2e%2e",
        "%2E%2E",
        "%2e",
        ".%2e",
        "%2F",
        "%252F",
        "%",
        "%%",
        "%zz",
        "%00",
        "\"",
        "\"\"",
        "'",
        "a,b",
        "a;b",
        "\\",
        "..\\..",
        "\\n",
        "?",
        "a?b=c",
        "#",
        "a#b",
        "&",
        "=",
        "+",
        "a+b",
        "a b",
        ";",
        "?#&=+;",
        " ",
        "  leading",
        "trailing  ",
        "\t",
        "a\tb",
        "\r",
        "\n",
        "a\r\nb",
        "a\nb",
        "\n\n",
        "\0",
        "a\0b",
        "\x7f",
        "\x1b[31m",
        "\u{85}",
        "\u{2028}",
        "=cmd|' /C calc'!A0",
        "-",
        "--yes",
        "*",
        "{}",
        "[]",
        "null",
        "http://example.com/",
        "@",
        ":",
        "~",
    ]
    .map(str::to_owned)
    .to_vec();
    names.extend(PROPERTIES.map(str::to_owned));
    names.extend(["k".repeat(512), "é".repeat(256), "🔑".repeat(128), "/".repeat(512), "\0".repeat(512)]);
    names.extend([".".to_owned(), "..".to_owned(), "k".repeat(513), "é".repeat(257)]);
    names
}

/// What a careless client makes of a name: none of these may be touched.
pub fn mangled(name: &str) -> Vec<String> {
    let decoded = name.replace("%2e", ".").replace("%2E", ".").replace("%2F", "/").replace("%252F", "%2F");
    let cut = |at: &[char]| name.split(at).next().unwrap_or_default().to_owned();
    vec![
        name.trim().to_owned(),
        name.to_lowercase(),
        name.to_uppercase(),
        decoded,
        name.replace(['\t', '\r', '\n'], ""),
        name.replace('\\', "/"),
        name.replace('+', " "),
        name.replace(' ', "+"),
        name.replace("e\u{301}", "\u{e9}").replace('\u{212b}', "\u{c5}"),
        name.replace("a/../", "").replace("./", ""),
        name.trim_start_matches('\u{feff}').to_owned(),
        name.trim_matches('/').to_owned(),
        name.replace("//", "/"),
        name.replace('"', ""),
        cut(&['?', '#']),
        cut(&['\0']),
        cut(&['\n', '\r']),
        name.chars().take(512).collect(),
    ]
}
