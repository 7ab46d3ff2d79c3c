//! Which keys are kept, and why.

use super::*;
use crate::key::KeyName;
use crate::record::RecordNumber;

fn kept(filter: &Filter, key: &str) -> Option<String> {
    let content = Content::Key(KeyName::new(key).unwrap());
    let mut record = Record { number: RecordNumber::FIRST, content };
    filter.apply(&mut record);
    match record.content {
        Content::Kept(kept) => Some(kept.rule),
        _ => None,
    }
}

fn filter(protect: &[&str], only: &[&str]) -> Filter {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Filter::new(owned(protect), owned(only)).unwrap()
}

#[test]
fn protected_keys_are_kept_with_the_reason() {
    let filter = filter(&["prod:*", "config"], &[]);
    assert_eq!(kept(&filter, "prod:a/b").as_deref(), Some("matches --protect prod:*"));
    assert_eq!(kept(&filter, "config").as_deref(), Some("matches --protect config"));
    assert_eq!(kept(&filter, "configs"), None);
    assert_eq!(kept(&filter, "Prod:a"), None, "names are compared exactly");
}

#[test]
fn a_filter_without_patterns_keeps_no_key() {
    assert!(filter(&[], &[]).is_empty());
    let of_profile = |only: &[&str]| {
        let only = only.iter().map(|text| (*text).to_owned()).collect();
        filter(&[], &[]).and(Origin::Profile("p".to_owned()), Vec::new(), only).unwrap()
    };
    assert!(of_profile(&[]).is_empty());
    let some = [filter(&["a"], &[]), filter(&[], &["a"]), of_profile(&["a"])];
    assert!(some.iter().all(|filter| !filter.is_empty()));
}

#[test]
fn protection_wins_over_only() {
    let filter = filter(&["*:keep"], &["tmp:*"]);
    assert_eq!(kept(&filter, "tmp:a"), None);
    assert!(kept(&filter, "tmp:keep").unwrap().contains("--protect"));
    assert_eq!(kept(&filter, "user:a").as_deref(), Some("matches no --only"));
}

#[test]
fn a_profile_only_ever_keeps_more() {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
    let both = filter(&["tmp:mine"], &["tmp:*", "log:*"]);
    let parts = vec![owned(&["*:keep"]).into(), Part { file: Some("p.txt".to_owned()), patterns: owned(&["log:x"]) }];
    let both = both.and(Origin::Profile("prod".to_owned()), parts, owned(&["tmp:*"])).unwrap();
    assert_eq!(kept(&both, "tmp:a"), None);
    for (key, reason) in [
        ("tmp:keep", "matches protect *:keep of the profile prod"),
        ("log:x", "matches log:x of protect-from p.txt of the profile prod"),
        ("log:a", "matches no only of the profile prod"),
        ("tmp:mine", "matches --protect tmp:mine"),
        ("other", "matches no --only"),
    ] {
        assert_eq!(kept(&both, key).as_deref(), Some(reason));
        assert!(!both.allows(key), "{key}");
    }
    assert!(both.allows("tmp:a"));
}

#[test]
fn each_pattern_is_named_with_where_it_is_from() {
    let part =
        |file: Option<&str>, pattern: &str| Part { file: file.map(str::to_owned), patterns: vec![pattern.to_owned()] };
    let protect = vec![part(None, "a*"), part(Some("p.txt"), "b*")];
    let flags = Filter::default().and(Origin::Flags, protect, vec!["*".to_owned()]).unwrap();
    let both = flags
        .and(Origin::Environment, vec![part(None, "d*"), part(Some("e.txt"), "e*")], vec!["?*".to_owned()])
        .unwrap()
        .and(Origin::Profile("prod".to_owned()), vec![Part::default(), part(Some("q.txt"), "c*")], Vec::new())
        .unwrap();
    let origins: Vec<_> = both.origins().into_iter().map(|(_, origin, patterns)| (origin, patterns.join(""))).collect();
    let origins: Vec<_> = origins.iter().map(|(origin, patterns)| (origin.as_str(), patterns.as_str())).collect();
    let expected = [
        ("--protect", "a*"),
        ("--protect-from p.txt", "b*"),
        ("--only", "*"),
        ("KVSWEEP_PROTECT", "d*"),
        ("KVSWEEP_PROTECT_FROM e.txt", "e*"),
        ("KVSWEEP_ONLY", "?*"),
        ("protect-from q.txt of the profile prod", "c*"),
    ];
    assert_eq!(origins, expected);
    assert_eq!(kept(&both, "a1").as_deref(), Some("matches --protect a*"));
    assert_eq!(kept(&both, "b1").as_deref(), Some("matches b* of --protect-from p.txt"));
    assert_eq!(kept(&both, "d1").as_deref(), Some("matches d* of KVSWEEP_PROTECT"));
    assert_eq!(kept(&both, "e1").as_deref(), Some("matches e* of KVSWEEP_PROTECT_FROM e.txt"));
}

#[test]
fn odd_names_are_matched_as_they_are() {
    for key in ["a\nb", "../x", "a//b", "/a", "a/", "\u{0}"] {
        assert!(kept(&filter(&["*"], &[]), key).is_some(), "{key:?}");
        let pattern: String = key.chars().flat_map(|c| ['\\', c]).collect();
        assert!(kept(&filter(&[&pattern], &[]), key).is_some(), "{key:?}");
    }
}

#[test]
fn the_first_pattern_that_matches_is_named_be_it_a_name_or_a_glob() {
    for patterns in [["config", "c*"], ["c*", "config"], [r"conf\ig", "{config,x}"]] {
        let rule = kept(&filter(&patterns, &[]), "config");
        assert_eq!(rule.as_deref(), Some(&*format!("matches --protect {}", patterns[0])));
    }
}

#[test]
fn a_hundred_thousand_names_are_no_regular_expression() {
    let names: Vec<String> = (0..100_000).map(|number| format!("config:{number}")).collect();
    let filter = Filter::new(names, Vec::new()).unwrap();
    assert_eq!(kept(&filter, "config:99999").as_deref(), Some("matches --protect config:99999"));
    assert_eq!(kept(&filter, "config:100000"), None);
}

#[test]
fn patterns_that_take_too_much_memory_are_an_error_and_not_a_wait() {
    let regexes = vec![r"\A(?:[\p{Alphabetic}].*)\z".to_owned(); 300];
    let error = compiled(&regexes, 1_000_000).unwrap_err().to_string();
    assert_eq!(error, "the 300 patterns with wildcards cannot be used together: they take more than 1 MB");
    assert!(compiled(&regexes[..2], 1_000_000).is_ok());
}

#[test]
fn a_bad_pattern_is_named() {
    let error = Filter::new(vec!["a[".into()], vec![]).unwrap_err();
    assert!(error.to_string().starts_with("invalid pattern `a[`: "), "{error}");
}
