use super::*;
use crate::key::KeyName;
use crate::record::{Invalid, Kept, RecordNumber};

fn stats(names: &[&str]) -> Stats {
    let mut stats = Stats::default();
    for (number, name) in (1..).zip(names) {
        let number = RecordNumber::new(number).unwrap();
        let content = match KeyName::new(*name) {
            Ok(key) => Content::Key(key),
            Err(error) => Content::Invalid(Box::new(Invalid {
                key: (*name).to_owned(),
                rule: error.rule().into(),
                reason: format!("keys.txt line {number}: {error}"),
            })),
        };
        stats.add(&Record { number, content });
    }
    stats
}

fn text(stats: &Stats, width: usize) -> String {
    stats.lines(width).join("\n")
}

#[test]
fn stats_show_what_a_careful_person_looks_for() {
    let long = "k".repeat(513);
    let mut names: Vec<String> = (0..9).map(|n| format!("session:web:{n:04}")).collect();
    names.extend((0..4).map(|n| format!("session:app:{n}")));
    names.extend(["..", &long, &long, ".", "page/\u{1b}[31m/1", "page/\u{1b}[31m/2", "plain"].map(str::to_owned));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let stats = stats(&names);
    insta::assert_snapshot!(text(&stats, 80), @r"
    first keys
      session:web:0000
      session:web:0001
      session:web:0002
    last keys
      page/\u{1b}[31m/1
      page/\u{1b}[31m/2
      plain
    name length  5 to 16 bytes, median 16
    largest prefixes
      13  81.2%  session:
       9  56.2%    session:web:
       4  25.0%    session:app:
       2  12.5%  page/\u{1b}[31m/
       1   6.2%  (others)
    invalid records, by reason
      2  `.` and `..` cannot be sent: URL parsers remove them
         record 14: .. (keys.txt line 14)
         record 17: . (keys.txt line 17)
      2  the key is longer than 512 bytes
         record 15: kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk… (keys.txt line 15)
         record 16: kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk… (keys.txt line 16)
    ");
    insta::assert_snapshot!(text(&stats, 30), @r"
    first keys
      session:web:0000
      session:web:0001
      session:web:0002
    last keys
      page/\u{1b}[31m/1
      page/\u{1b}[31m/2
      plain
    name length  5 to 16 bytes, median 16
    largest prefixes
      13  81.2%  session:
       9  56.2%    session:web:
       4  25.0%    session:app:
       2  12.5%  page/\u{1b}[31m/
       1   6.2%  (others)
    invalid records, by reason
      2  `.` and `..` cannot be
         sent: URL parsers remove
         them
         record 14: .. (keys.txt …
         record 17: . (keys.txt l…
      2  the key is longer than
         512 bytes
         record 15: kkkkkkkkkkk…
         record 16: kkkkkkkkkkk…
    ");
}

#[test]
fn few_keys_are_told_once() {
    let ends = |names: &[&str]| {
        let stats = stats(names);
        (stats.first().map(str::to_owned).collect::<Vec<_>>(), stats.last().map(str::to_owned).collect::<Vec<_>>())
    };
    assert_eq!(ends(&["a", "b"]), (vec!["a".to_owned(), "b".to_owned()], vec![]));
    assert_eq!(ends(&["a", "b", "c", "d"]).1, ["d"]);
    assert_eq!(ends(&["a", "b", "c", "d", "e", "f", "g"]).1, ["e", "f", "g"]);
    insta::assert_snapshot!(text(&stats(&["a", "b"]), 80), @r"
    keys
      a
      b
    name length  1 byte
    ");
    assert!(stats(&[]).lines(80).is_empty());
}

#[test]
fn rules_beyond_the_most_are_counted_together() {
    let mut stats = Stats::default();
    for n in 1..=40_u64 {
        let kept = Kept { key: KeyName::new("a").unwrap(), rule: format!("matches --protect {n}") };
        let content = Content::Kept(Box::new(kept));
        stats.add(&Record { number: RecordNumber::new(n).unwrap(), content });
    }
    assert_eq!((stats.kept.by_count().len(), stats.kept.others()), (32, 8));
    assert!(text(&stats, 80).ends_with("\n  32 for other reasons"), "{}", text(&stats, 80));
}

#[test]
fn names_that_are_too_long_for_the_line_are_cut() {
    let wide = "ключ".repeat(20);
    let prefix = format!("{}:end:", "x".repeat(60));
    let names = [format!("{prefix}1"), format!("{prefix}2"), wide];
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for line in stats(&names).lines(40) {
        assert!(line.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum::<usize>() <= 41, "{line}");
    }
    let text = text(&stats(&names), 40);
    assert!(text.contains("…") && text.contains("xx:end:\n"), "{text}");
}

#[test]
fn the_object_has_exact_names() {
    let mut names: Vec<String> = (0..3).map(|n| format!("a\u{1b}/b:{n}")).collect();
    names.extend(["a\u{1b}/c", "", "d"].map(str::to_owned));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut stats = stats(&names);
    let kept = Kept { key: KeyName::new("kept").unwrap(), rule: "matches --protect k*".to_owned() };
    stats.add(&Record { number: RecordNumber::new(7).unwrap(), content: Content::Kept(Box::new(kept)) });
    assert!(text(&stats, 80).contains("kept keys, by rule\n  1  matches --protect k*\n     record 7: kept\n"));
    let object = serde_json::to_value(stats).unwrap();
    let wanted = serde_json::json!({
        "keys": 5,
        "first_keys": ["a\u{1b}/b:0", "a\u{1b}/b:1", "a\u{1b}/b:2"],
        "last_keys": ["a\u{1b}/c", "d"],
        "name_bytes": {"shortest": 1, "median": 6, "longest": 6},
        "padded_keys": 0,
        "prefixes": [{
            "prefix": "a\u{1b}/", "keys": 4, "error": 0, "share": 0.8,
            "longer": [{"prefix": "a\u{1b}/b:", "keys": 3, "error": 0, "share": 0.6, "longer": []}],
        }],
        "prefixes_sampled": 5,
        "prefixes_error": 0,
        "invalid": [{
            "reason": "the key is empty", "records": 1,
            "examples": [{"record": 5, "key": "", "error": "keys.txt line 5: the key is empty"}],
        }],
        "invalid_for_other_reasons": 0,
        "kept": [{
            "reason": "matches --protect k*", "records": 1,
            "examples": [{"record": 7, "key": "kept", "error": "matches --protect k*"}],
        }],
        "kept_for_other_reasons": 0,
    });
    assert_eq!(object, wanted);
}

#[test]
fn of_many_names_a_sample_is_counted_and_it_is_said() {
    let mut stats = Stats::default();
    for (number, n) in (1..).zip(0..200_000_u32) {
        // The order is one that every sixteenth would be deceived by.
        let prefix = if n % 16 == 0 { "rare:" } else { "common:" };
        let content = Content::Key(KeyName::new(format!("{prefix}{n}")).unwrap());
        stats.take(Record { number: RecordNumber::new(number).unwrap(), content });
    }
    let sampled = stats.sampled().unwrap();
    assert_eq!(sampled, 50_000 + 150_000 / 16);
    let biggest = stats.prefixes.biggest(10, 0.01);
    let shares: Vec<_> = biggest.iter().map(|prefix| prefix.keys as f64 / stats.prefixes.total() as f64).collect();
    assert!((shares[0] - 15.0 / 16.0).abs() < 0.01 && (shares[1] - 1.0 / 16.0).abs() < 0.01, "{biggest:?}");
    let text = text(&stats, 80);
    assert!(text.contains("largest prefixes  (about, from a sample of 59,375 names)\n  187,000  9"), "{text}");
    assert_eq!(stats.last().collect::<Vec<_>>(), ["common:199997", "common:199998", "common:199999"]);
    assert_eq!(stats.lengths(), Some((6, 12, 13)));
}

#[test]
fn the_middle_is_that_of_the_sorted_names() {
    let lengths = |lengths: &[usize]| {
        let names: Vec<String> = lengths.iter().map(|length| "k".repeat(*length)).collect();
        stats(&names.iter().map(String::as_str).collect::<Vec<_>>()).lengths()
    };
    assert_eq!(lengths(&[]), None);
    assert_eq!(lengths(&[7]), Some((7, 7, 7)));
    assert_eq!(lengths(&[512, 1, 30, 30, 4]), Some((1, 30, 512)));
    assert_eq!(lengths(&[9, 3, 5, 4]), Some((3, 4, 9)));
}
