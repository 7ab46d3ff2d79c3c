//! Patterns that are no globs, and what is said of them.

use super::*;

#[test]
fn a_malformed_glob_is_named_with_the_place() {
    for (glob, error) in [
        ("", GlobError::Empty),
        (" a", GlobError::Blank(1)),
        ("a ", GlobError::Blank(2)),
        ("a\t", GlobError::Blank(2)),
        ("a\r", GlobError::Blank(2)),
        ("é*\n", GlobError::Blank(3)),
        ("\u{a0}a", GlobError::Blank(1)),
        (" ", GlobError::Blank(1)),
        (r"a\\ ", GlobError::Blank(4)),
        ("\u{feff}config:*", GlobError::Invisible(1, 0xfeff)),
        ("config:*\u{feff}", GlobError::Invisible(9, 0xfeff)),
        ("a*\u{feff}config:*", GlobError::Invisible(3, 0xfeff)),
        ("\u{feff}# no comment", GlobError::Invisible(1, 0xfeff)),
        ("\u{200b}a", GlobError::Invisible(1, 0x200b)),
        ("*\u{2060}", GlobError::Invisible(2, 0x2060)),
        ("a\u{200d}", GlobError::Invisible(2, 0x200d)),
        ("a\u{ad}", GlobError::Invisible(2, 0xad)),
        ("\u{fe0f}a", GlobError::Invisible(1, 0xfe0f)),
        ("\u{3164}", GlobError::Invisible(1, 0x3164)),
        ("a*\nb*", GlobError::Invisible(3, 0x0a)),
        ("a*\r\nb*", GlobError::Invisible(3, 0x0d)),
        ("a*\tb*", GlobError::Invisible(3, 0x09)),
        ("a*\0", GlobError::Invisible(3, 0)),
        ("\u{1b}[31m", GlobError::Invisible(1, 0x1b)),
        ("{a:*, b:*}", GlobError::Blank(6)),
        ("{ a,b}", GlobError::Blank(2)),
        ("{{x, y},b}z", GlobError::Blank(5)),
        ("{a ,b}", GlobError::Blank(3)),
        ("x{a,{b ,c}}", GlobError::Blank(7)),
        ("{a,b\u{200b}}", GlobError::Invisible(5, 0x200b)),
        (r"é\", GlobError::Escape(2)),
        ("a[", GlobError::OpenBracket(2)),
        ("éé[a-", GlobError::OpenBracket(3)),
        ("[]", GlobError::OpenBracket(1)),
        ("[!]", GlobError::OpenBracket(1)),
        (r"[a\]", GlobError::OpenBracket(1)),
        (r"[\", GlobError::OpenBracket(1)),
        ("[[:digit:]", GlobError::OpenBracket(1)),
        ("é[xz-a]", GlobError::Reversed(4)),
        ("[[:digit:]-z]", GlobError::ClassInRange(11)),
        ("[a-[:digit:]]", GlobError::ClassInRange(4)),
        ("[[:digits:]]", GlobError::NoClass(2, "digits".to_owned())),
        ("[[:Digit:]]", GlobError::NoClass(2, "Digit".to_owned())),
        ("[[:digit]]", GlobError::BareClass(2, "digit".to_owned())),
        ("é[:digit:]", GlobError::BareClass(2, "digit".to_owned())),
        ("[[=a=]]", GlobError::Collating(2)),
        ("[[.a.]]", GlobError::Collating(2)),
        ("a{b,c", GlobError::OpenBrace(2)),
        ("{a,{b,c}", GlobError::OpenBrace(1)),
        ("a}", GlobError::CloseBrace(2)),
        ("{a,b}}", GlobError::CloseBrace(6)),
        ("x{id}", GlobError::OneAlternative(2)),
        ("{}", GlobError::OneAlternative(1)),
        ("{[,]}", GlobError::OneAlternative(1)),
    ] {
        assert_eq!(Glob::new(glob), Err(error), "{glob:?}");
    }
    let deep = |levels: usize| format!("{}a,b{}", "{".repeat(levels), "}".repeat(levels));
    let nested = |levels: usize| (0..levels).fold("a".to_owned(), |inner, _| format!("{{{inner},b}}"));
    assert_eq!(Glob::new(&deep(60)), Err(GlobError::TooDeep(51)));
    assert!(matches(&nested(50), "a"), "what may be nested can be compiled");
    assert_eq!(Glob::new(&nested(51)), Err(GlobError::TooDeep(51)));
}

#[test]
fn an_invisible_character_is_named() {
    let error = Glob::new("\u{feff}config:*").unwrap_err().to_string();
    let expected = "the invisible character U+FEFF (byte order mark) at character 1 is not escaped\nhint: remove it, or write \
                    `\\` before it if it is part of the name";
    assert_eq!(error, expected);
}

#[test]
fn what_is_invisible_is_known() {
    let table: [std::ops::RangeInclusive<u32>; 18] = [
        0xad..=0xad,
        0x34f..=0x34f,
        0x61c..=0x61c,
        0x115f..=0x1160,
        0x17b4..=0x17b5,
        0x180b..=0x180f,
        0x200b..=0x200f,
        0x202a..=0x202e,
        0x2060..=0x206f,
        0x2800..=0x2800,
        0x3164..=0x3164,
        0xfe00..=0xfe0f,
        0xfeff..=0xfeff,
        0xffa0..=0xffa0,
        0xfff0..=0xfffb,
        0x1bca0..=0x1bca3,
        0x1d173..=0x1d17a,
        0xe0000..=0xe0fff,
    ];
    for range in table {
        for (code, is_known) in
            [(range.start() - 1, false), (*range.start(), true), (*range.end(), true), (range.end() + 1, false)]
        {
            let c = char::from_u32(code).unwrap();
            assert_eq!(super::super::is_invisible(c), is_known, "{c:?}");
        }
    }
}
