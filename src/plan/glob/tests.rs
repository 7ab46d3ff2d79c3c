//! Globs against a matcher that is too simple to be wrong, and against a shell.

mod malformed;

use std::io::Write as _;
use std::process::Command;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use regex::RegexBuilder;

use super::*;
use crate::key::KeyName;
use crate::plan::filter::Filter;
use crate::record::{Content, Record, RecordNumber};

fn matches(glob: &str, name: &str) -> bool {
    match Glob::new(glob).unwrap_or_else(|error| panic!("{glob:?}: {error}")) {
        Glob::Name(only) => only == name,
        Glob::Regex(regex) => RegexBuilder::new(&regex).dot_matches_new_line(true).build().unwrap().is_match(name),
    }
}

/// Patterns, names that match and names that do not. Those without braces are shown to a shell as well.
const TABLE: &[(&str, &[&str], &[&str])] = &[
    (
        "config:*",
        &["config:", "config:1", "config:a/b:c", "config:a\nb", "config:é"],
        &["config", "Config:1", "xconfig:1"],
    ),
    ("*", &["", "a", "a/b", "\n", "🔑"], &[]),
    ("caf?", &["café", "cafe", "caf\n", "caf🔑"], &["caf", "cafés", "cafe\u{301}"]),
    ("??", &["éa", "🔑🔑", "a/"], &["é", "🔑", "aaa"]),
    ("[é]cole", &["école"], &["ecole", "écol", "Ã©cole"]),
    ("[!é]cole", &["ecole", "/cole", "\ncole"], &["école", "cole"]),
    ("[^é]cole", &["ecole"], &["école"]),
    ("[a-c]", &["a", "b", "c"], &["d", "A", "-", ""]),
    ("[а-я]*", &["ключ"], &["key", "Ключ"]),
    ("[a-]", &["a", "-"], &["b"]),
    ("[-a]", &["a", "-"], &["b"]),
    ("[!-a]", &["b"], &["a", "-"]),
    ("[a-c-e]", &["b", "-", "e"], &["d"]),
    ("[]a]", &["]", "a"], &["b", "[]a]"]),
    ("[!]a]", &["b", "["], &["]", "a"]),
    (r"[\]a]", &["]", "a"], &["\\", "b"]),
    (r"[\[\]]", &["[", "]"], &["\\"]),
    (r"[\!a]", &["!", "a"], &["b", "\\"]),
    (r"[a\-c]", &["a", "-", "c"], &["b", "\\"]),
    (r"[\\]", &["\\"], &["]", "a"]),
    ("[a!]", &["a", "!"], &["b"]),
    ("[a^]", &["a", "^"], &["b"]),
    ("[[]", &["["], &["]"]),
    ("[*?]", &["*", "?"], &["a", ""]),
    ("[/:]", &["/", ":"], &["a"]),
    ("[.]", &["."], &["a"]),
    ("[&&]", &["&"], &["a"]),
    ("[~~|]", &["~", "|"], &["a"]),
    ("[a-a]", &["a"], &["b", "-"]),
    ("[[:digit:]]", &["0", "9"], &["a", "", ":", "d", "٣"]),
    ("[[:digit:]]*", &["1a", "5"], &["a1"]),
    ("[![:digit:]]", &["a", "é"], &["1"]),
    ("[[:digit:][:upper:]_]", &["1", "A", "_"], &["a", "-"]),
    ("[[:digit:]-]", &["1", "-"], &["a"]),
    ("x[[:alpha:]]", &["xa", "xé", "xЖ"], &["x1", "x-", "x"]),
    ("[[:alnum:]]", &["a", "1", "é"], &["_", " ", ":"]),
    ("[[:space:]]x", &[" x", "\tx", "\nx"], &["x", "ax"]),
    ("[[:blank:]]x", &[" x", "\tx"], &["\nx"]),
    ("[[:punct:]]", &["!", ":", "_", "$"], &["a", " ", "1"]),
    ("[[:upper:]]", &["A", "É"], &["a", "é", "1"]),
    ("[[:lower:]]", &["a", "é"], &["A", "1"]),
    ("[[:xdigit:]]", &["f", "A", "0"], &["g"]),
    ("[[:cntrl:]]", &["\u{1}", "\u{7f}"], &["a", " "]),
    ("[[:graph:]]", &["a", "!", "é"], &[" ", "\u{1}"]),
    ("[[:print:]]", &["a", " ", "é"], &["\u{1}", "\n"]),
    ("[[:word:]]", &["a", "_", "1"], &["-"]),
    (r"\*", &["*"], &["a", "\\*"]),
    (r"a\?b", &["a?b"], &["axb"]),
    (r"\a\b", &["ab"], &["\\a\\b"]),
    (r"\\", &["\\"], &["\\\\"]),
    (r"\[a]", &["[a]"], &["a"]),
    ("a]b", &["a]b"], &["ab"]),
    ("a.b", &["a.b"], &["axb"]),
    ("a+(b)|c^$", &["a+(b)|c^$"], &["aab", "c"]),
    ("a,b", &["a,b"], &["a", "b"]),
    ("#a", &["#a"], &["a"]),
    ("**", &["", "a", "a/b"], &[]),
    ("a**b", &["ab", "a/x/b"], &["a", "b"]),
    ("**/a", &["/a", "x/y/a"], &["a", "xa"]),
    ("a/**", &["a/", "a/b/c"], &["a"]),
    ("*a*b*", &["ab", "xaxbx", "aab"], &["ba", "a"]),
    (r"\ a", &[" a"], &["a", "\\ a"]),
    (r"a\ ", &["a "], &["a"]),
    ("[ ]a[ ]", &[" a "], &["a"]),
    ("a b", &["a b"], &["ab"]),
    ("{a,b}", &["a", "b"], &["", "{a,b}", "a,b"]),
    ("{,:*}", &["", ":", ":a/b"], &["a"]),
    ("user{,:*}", &["user", "user:1"], &["users", "user1"]),
    ("{a,}", &["a", ""], &["b"]),
    ("{,}", &[""], &["a"]),
    ("x{a,b{c,d}}y", &["xay", "xbcy", "xbdy"], &["xby", "xacy"]),
    ("{{a,b},{c,d}}{1,2}", &["a1", "d2"], &["a", "ab"]),
    ("{a?,[!x]*}", &["aé", "b", "y/z"], &["x", "xa"]),
    (r"{\,,\},\{}", &[",", "}", "{"], &["", "\\"]),
    ("{[,],[}]}", &[",", "}"], &["", "]"]),
    (r"\{a\}", &["{a}"], &["a"]),
    ("x{, y}z", &["xz", "x yz"], &["xyz"]),
    ("{a ,b}c", &["a c", "bc"], &["ac"]),
    ("\\\u{feff}a\\\n\\\u{200b}", &["\u{feff}a\n\u{200b}"], &["a"]),
    ("❤\u{fe0f}", &["❤\u{fe0f}"], &["❤"]),
    ("*👨\u{200d}👩*", &["a👨\u{200d}👩"], &["👨👩"]),
    ("[{}]", &["{", "}"], &["a"]),
];

#[test]
fn every_case_of_the_table_matches_as_it_says() {
    for (glob, matching, others) in TABLE {
        for name in *matching {
            assert!(matches(glob, name), "{glob:?} matches {name:?}");
        }
        for name in *others {
            assert!(!matches(glob, name), "{glob:?} does not match {name:?}");
        }
    }
}

#[test]
fn a_shell_agrees_where_it_has_the_syntax() {
    let bash = |script: &str, args: &[&str]| {
        let run =
            Command::new("bash").env("LC_ALL", "C.UTF-8").args(["-c", script, "bash"]).args(args).output().ok()?;
        run.status.success().then(|| String::from_utf8(run.stdout).unwrap())
    };
    if bash("case é in ?) echo -n yes ;; esac", &[]).as_deref() != Some("yes") {
        // Not `eprintln!`, which is shown of failed tests only.
        let _ = std::io::stderr().write_all(b"skipped: there is no bash with a UTF-8 locale here\n");
        return;
    }
    let mut args = Vec::new();
    let mut expected = String::new();
    for (glob, matching, others) in TABLE.iter().filter(|(glob, ..)| !glob.contains(['{', '}'])) {
        for (names, answer) in [(matching, 'y'), (others, 'n')] {
            for name in *names {
                args.extend([*glob, *name]);
                expected.push(answer);
            }
        }
    }
    let script = "while [ $# -gt 0 ]; do case $2 in $1) printf y ;; *) printf n ;; esac; shift 2; done";
    let answers = bash(script, &args).expect("bash");
    assert_eq!(answers.len(), expected.len());
    let differ: Vec<_> = args
        .chunks(2)
        .zip(answers.chars().zip(expected.chars()))
        .filter(|(_, (answer, expected))| answer != expected)
        .map(|(pair, (answer, _))| (pair, answer))
        .collect();
    assert!(differ.is_empty(), "{differ:?}");
}

#[test]
fn a_glob_without_a_wildcard_is_a_name() {
    assert_eq!(Glob::new(r"a\*é/"), Ok(Glob::Name("a*é/".to_owned())));
    for glob in ["a*", "a?", "[a]", "{a,a}"] {
        assert!(matches!(Glob::new(glob), Ok(Glob::Regex(_))), "{glob}");
    }
}

/// All alternatives of a glob, each without braces.
fn expanded(glob: &[char]) -> Vec<Vec<char>> {
    let (mut depth, mut open, mut at) = (0, 0, 0);
    let mut commas = Vec::new();
    while at < glob.len() {
        match glob[at] {
            '\\' => at += 1,
            '[' => at = set(glob, at).1 - 1,
            '{' => {
                depth += 1;
                if depth == 1 {
                    open = at;
                }
            }
            ',' if depth == 1 => commas.push(at),
            '}' => {
                depth -= 1;
                if depth == 0 {
                    let ends = commas.iter().copied().chain([at]);
                    let begins = [open].into_iter().chain(commas.iter().copied());
                    let one = |(begin, end): (usize, usize)| {
                        expanded(&[&glob[..open], &glob[begin + 1..end], &glob[at + 1..]].concat())
                    };
                    return begins.zip(ends).flat_map(one).collect();
                }
            }
            _ => {}
        }
        at += 1;
    }
    vec![glob.to_vec()]
}

/// What the set that begins at `at` holds, as a function, and the place after it.
fn set(glob: &[char], at: usize) -> (Box<dyn Fn(char) -> bool>, usize) {
    let negated = glob[at + 1] == '!';
    let begin = at + 1 + usize::from(negated);
    let (mut place, mut ranges, mut digits) = (begin, Vec::new(), false);
    let one = |place: &mut usize| {
        *place += usize::from(glob[*place] == '\\');
        *place += 1;
        glob[*place - 1]
    };
    while glob[place] != ']' || place == begin {
        if glob[place..].starts_with(&['[', ':']) {
            digits = true;
            place += "[:digit:]".len();
            continue;
        }
        let first = one(&mut place);
        let is_range = glob[place] == '-' && glob[place + 1] != ']';
        place += usize::from(is_range);
        ranges.push((first, if is_range { one(&mut place) } else { first }));
    }
    let holds = move |c: char| {
        let inside = ranges.iter().any(|&(from, to)| from <= c && c <= to) || digits && c.is_ascii_digit();
        inside != negated
    };
    (Box::new(holds), place + 1)
}

/// Whether a glob without braces matches: a character after the other.
fn simply_matches(glob: &[char], name: &[char]) -> bool {
    match (glob.first(), name.first()) {
        (None, _) => name.is_empty(),
        (Some('*'), _) => (0..=name.len()).any(|taken| simply_matches(&glob[1..], &name[taken..])),
        (Some(_), None) => false,
        (Some('?'), Some(_)) => simply_matches(&glob[1..], &name[1..]),
        (Some('['), Some(&c)) => {
            let (holds, next) = set(glob, 0);
            holds(c) && simply_matches(&glob[next..], &name[1..])
        }
        (Some('\\'), Some(c)) => glob[1] == *c && simply_matches(&glob[2..], &name[1..]),
        (Some(literal), Some(c)) => literal == c && simply_matches(&glob[1..], &name[1..]),
    }
}

const LETTERS: [char; 16] = ['a', 'b', 'c', 'é', 'e', '🔑', 'ж', '7', '/', ':', '.', '-', '\n', '\u{301}', ']', '*'];

/// A well-formed glob, and a name that it may match.
fn draw(rng: &mut StdRng, depth: usize, glob: &mut String, name: &mut String) {
    for _ in 0..rng.random_range(0..5) {
        let letter = LETTERS[rng.random_range(0..LETTERS.len())];
        match rng.random_range(0..12) {
            0 | 1 => {
                glob.push_str(if rng.random_bool(0.2) { "**" } else { "*" });
                name.extend((0..rng.random_range(0..4)).map(|_| LETTERS[rng.random_range(0..LETTERS.len())]));
            }
            2 => {
                glob.push('?');
                name.push(letter);
            }
            3 | 4 => {
                let members = ["é", "a-c", "0-9", "]", r"\]", "[:digit:]", r"\-", "/", "ж-я", "!", ",", "{", "}", "*"];
                let negated = rng.random_bool(0.3);
                glob.push_str(if negated { "[!" } else { "[" });
                // A range must not begin with what stands before it.
                let count = rng.random_range(1..4);
                for nth in 0..count {
                    let member = members[rng.random_range(0..members.len())];
                    let fits = (member != "]" || nth == 0) && (member != "!" || nth > 0 || negated);
                    glob.push_str(if fits { member } else { "b" });
                }
                glob.push(']');
                name.push(letter);
            }
            5 | 6 if depth > 0 => {
                glob.push('{');
                let (count, mut names) = (rng.random_range(2..4), Vec::new());
                for nth in 0..count {
                    glob.push_str(if nth > 0 { "," } else { "" });
                    let mut one = String::new();
                    draw(rng, depth - 1, glob, &mut one);
                    names.push(one);
                }
                glob.push('}');
                name.push_str(&names[rng.random_range(0..names.len())]);
            }
            7 => {
                glob.push('\\');
                glob.push(letter);
                name.push(letter);
            }
            _ => {
                if letter == '*' || letter == '\n' {
                    glob.push('\\');
                }
                glob.push(letter);
                name.push(letter);
            }
        }
    }
}

#[test]
fn ten_thousand_globs_match_what_a_simple_matcher_says() {
    let mut rng = StdRng::seed_from_u64(15);
    let (mut pairs, mut matching) = (0, 0);
    while pairs < 10_000 {
        let (mut glob, mut name) = (String::new(), String::new());
        draw(&mut rng, 2, &mut glob, &mut name);
        if glob.is_empty() {
            continue;
        }
        if rng.random_bool(0.3) && !name.is_empty() {
            let mut chars: Vec<char> = name.chars().collect();
            let place = rng.random_range(0..chars.len());
            chars[place] = LETTERS[rng.random_range(0..LETTERS.len())];
            name = chars.into_iter().collect();
        }
        let (chars, characters): (Vec<char>, Vec<char>) = (glob.chars().collect(), name.chars().collect());
        let expected = expanded(&chars).iter().any(|glob| simply_matches(glob, &characters));
        assert_eq!(matches(&glob, &name), expected, "{glob:?} and {name:?}");
        pairs += 1;
        matching += u32::from(expected);
    }
    assert!((3_000..9_000).contains(&matching), "{matching} of {pairs} pairs match: one side is hardly tested");
}

#[test]
fn a_filter_names_the_first_of_several_globs_that_match() {
    let mut rng = StdRng::seed_from_u64(2);
    let (mut sets, mut kept) = (0, 0);
    while sets < 1_000 {
        let mut drawn = || {
            let (mut glob, mut name) = (String::new(), String::new());
            draw(&mut rng, 1, &mut glob, &mut name);
            (glob, name)
        };
        let (globs, mut names): (Vec<String>, Vec<String>) =
            (0..8).map(|_| drawn()).filter(|(glob, _)| !glob.is_empty()).unzip();
        names.retain(|name| !name.is_empty());
        let filter = Filter::new(globs.clone(), Vec::new()).unwrap_or_else(|error| panic!("{globs:?}: {error}"));
        for name in names {
            let characters: Vec<char> = name.chars().collect();
            let matches = |glob: &&String| {
                expanded(&glob.chars().collect::<Vec<_>>()).iter().any(|glob| simply_matches(glob, &characters))
            };
            let expected = globs.iter().find(matches).map(|glob| format!("matches --protect {glob}"));
            // A dot alone is no key.
            let Ok(key) = KeyName::new(name.as_str()) else { continue };
            let mut record = Record { number: RecordNumber::FIRST, content: Content::Key(key) };
            filter.apply(&mut record);
            let rule = match record.content {
                Content::Kept(kept) => Some(kept.rule),
                _ => None,
            };
            assert_eq!(rule, expected, "{globs:?} and {name:?}");
            kept += u32::from(expected.is_some());
        }
        sets += 1;
    }
    assert!(kept > 1_000, "{kept}");
}
