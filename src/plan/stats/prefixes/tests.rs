use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Every prefix of a name, found the slow way.
fn slowly(name: &str) -> Vec<&str> {
    let is_separator = |byte: u8| b":/.-".contains(&byte);
    let looked_at = &name.as_bytes()[..name.len().min(MAX_BYTES)];
    let ends = (1..=looked_at.len())
        .filter(|&end| is_separator(looked_at[end - 1]) && looked_at.get(end).is_none_or(|&next| !is_separator(next)));
    ends.take(MAX_DEPTH).map(|end| &name[..end]).collect()
}

fn truth<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeMap<&'a str, u64> {
    let mut counts = BTreeMap::new();
    for prefix in names.into_iter().flat_map(slowly) {
        *counts.entry(prefix).or_default() += 1;
    }
    counts
}

fn counted<'a>(capacity: usize, names: impl IntoIterator<Item = &'a str>) -> Prefixes {
    let mut prefixes = Prefixes { capacity, ..Prefixes::default() };
    names.into_iter().for_each(|name| prefixes.add(name, 1));
    prefixes
}

/// Every prefix that is known, with its count and error.
fn known(prefixes: &Prefixes) -> BTreeMap<String, (u64, u64)> {
    prefixes.counts.iter().map(|(name, count)| (name.to_string(), (count.names, count.error))).collect()
}

/// What is promised of any stream of names.
fn assert_bounds(prefixes: &Prefixes, names: &[String]) {
    let truth = truth(names.iter().map(String::as_str));
    let known = known(prefixes);
    assert_eq!(prefixes.total(), names.len() as u64);
    assert!(known.len() <= prefixes.capacity);
    for (name, (count, error)) in &known {
        let really = truth[name.as_str()];
        assert!(*count <= really && really <= count + error, "{name:?} is {really}, not {count} to {count}+{error}");
        assert!(*error <= prefixes.error());
    }
    for (name, really) in &truth {
        assert!(known.contains_key(*name) || *really <= prefixes.error(), "{name:?} ({really}) is missing");
    }
    if truth.len() <= prefixes.capacity {
        assert_eq!((prefixes.error(), known.len()), (0, truth.len()));
    }
    let most = 2 * MAX_DEPTH * names.len() / prefixes.capacity + MAX_DEPTH;
    assert!(prefixes.error() <= most as u64, "{} of at most {most}", prefixes.error());
    assert_tree(&prefixes.biggest(20, 0.01), prefixes.total(), "");
}

/// A prefix holds at least what those that begin with it hold together.
fn assert_tree(level: &[Prefix], within: u64, above: &str) {
    assert!(level.iter().map(|prefix| prefix.keys).sum::<u64>() <= within);
    assert!(level.is_sorted_by(|a, b| a.keys >= b.keys));
    for prefix in level {
        assert!(prefix.name.starts_with(above) && prefix.name.len() > above.len(), "{prefix:?}");
        assert_tree(&prefix.longer, prefix.keys, &prefix.name);
    }
}

fn shown(level: &[Prefix]) -> Vec<String> {
    let line = |prefix: &Prefix| {
        let longer = shown(&prefix.longer).into_iter().map(|line| format!("  {line}"));
        std::iter::once(format!("{} {}", prefix.name, prefix.keys)).chain(longer).collect::<Vec<_>>()
    };
    level.iter().flat_map(line).collect()
}

#[test]
fn a_tree_shows_where_the_names_are() {
    let names = ["a:x:1", "b/1", "a:x:2", "a:y:3", "a:x:4", "b/2", "c", "long:way-1.1", "long:way-1.2", "a:y:5", "d:"];
    let prefixes = counted(CAPACITY, names);
    assert_eq!(
        shown(&prefixes.biggest(20, 0.01)),
        ["a: 5", "  a:x: 3", "  a:y: 2", "b/ 2", "long:way-1. 2"],
        "a prefix that only leads to a longer one is left out, and so is one of a single name"
    );
    assert_eq!(shown(&prefixes.biggest(2, 0.01)), ["a: 5", "  a:x: 3"]);
    assert_eq!(shown(&prefixes.biggest(20, 0.3)), ["a: 5"], "a tenth is not a third");
    assert_eq!(prefixes.error(), 0);
}

#[test]
fn separators_that_stand_together_are_one() {
    // The second name goes on where the first one's prefix ended.
    let prefixes = counted(CAPACITY, ["a:b", "a::b", "a::c", "a:"]);
    assert_eq!(known(&prefixes), [("a:".to_owned(), (2, 0)), ("a::".to_owned(), (2, 0))].into());
}

#[test]
fn big_prefixes_are_found_among_millions_of_small_ones() {
    // Every second name is under a prefix of its own, and the big ones come late.
    let names: Vec<String> = (0..16_000)
        .map(|n| match n {
            _ if n % 2 == 0 => format!("{n:08x}-{n}:x"),
            0..8_000 => format!("early:{n}-1"),
            _ => format!("late/{}:{n}-1", n % 3),
        })
        .collect();
    let prefixes = counted(512, names.iter().map(String::as_str));
    assert!(prefixes.error() > 0);
    assert_bounds(&prefixes, &names);
    let tree = prefixes.biggest(20, 0.05);
    let names: Vec<_> = tree.iter().map(|prefix| prefix.name.as_str()).collect();
    assert_eq!(names, ["early:", "late/"]);
    assert_eq!(tree[1].longer.len(), 3);
    let errors =
        tree.iter().map(|prefix| prefix.longer.iter().fold(prefix.error, |most, longer| most.max(longer.error)));
    assert_eq!(tree.iter().map(Prefix::largest_error).collect::<Vec<_>>(), errors.collect::<Vec<_>>());
    assert!(tree[1].largest_error() > 0, "the late ones came after many were forgotten");
}

#[test]
fn memory_is_bounded_however_many_prefixes_there_are() {
    let mut prefixes = Prefixes { capacity: 64, ..Prefixes::default() };
    for n in 0..5_000_u32 {
        prefixes.add(&format!("{}:{n}:", "x".repeat(80)), 1);
        assert!(prefixes.counts.len() <= 64 && prefixes.counts.keys().all(|prefix| prefix.len() <= MAX_BYTES));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn counts_are_within_their_bounds(
        names in prop::collection::vec("[ab]{0,2}([:/.-]{1,2}[abc]{0,2}){0,10}", 0..150),
        capacity in 8..80_usize,
        is_sorted: bool,
    ) {
        let mut names = names;
        if is_sorted {
            names.sort();
        }
        assert_bounds(&counted(capacity, names.iter().map(String::as_str)), &names);
    }

    #[test]
    fn skewed_names_are_counted_within_their_bounds(
        draws in prop::collection::vec((1..10_000_u32, 1..10_000_u32), 0..600),
        capacity in 16..64_usize,
    ) {
        // Few prefixes are common, most are rare.
        let skewed = |draw: u32| 10_000 / draw;
        let names: Vec<String> =
            draws.iter().map(|&(a, b)| format!("p{}:q{}/é", skewed(a), skewed(b))).collect();
        assert_bounds(&counted(capacity, names.iter().map(String::as_str)), &names);
    }
}

#[test]
fn prefixes_end_behind_their_separators() {
    let ends = |name: &str| prefixes(name).map(str::len).collect::<Vec<_>>();
    assert_eq!(ends("session:web:1"), [8, 12]);
    assert_eq!(ends("https://a.b/c"), [8, 10, 12]);
    assert_eq!(ends("1234567:::::::::x"), [16]);
    assert!(ends("no_separator").is_empty() && ends("").is_empty());
    assert_eq!(ends("ключ:1"), [9]);
    assert_eq!(ends("::"), [2]);
    assert_eq!(ends("a:b:c:d:e:f:g:h:i:j"), [2, 4, 6, 8, 10, 12, 14, 16]);
    assert_eq!(ends("a:b:c:d:e:f:g:h::::i"), [2, 4, 6, 8, 10, 12, 14, 19]);
    let long = format!("{}:1", "a".repeat(MAX_BYTES - 1));
    assert_eq!(ends(&long), [MAX_BYTES]);
    assert!(ends(&format!("a{long}")).is_empty());
}
