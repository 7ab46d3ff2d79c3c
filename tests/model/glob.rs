//! Patterns that are drawn as trees, so that matching one needs no parser.

use rand::RngExt;
use rand::rngs::StdRng;

/// A part of a pattern.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    Char(char),
    AnyRun,
    AnyChar,
    Set { negated: bool, members: Vec<char> },
    OneOf(Vec<Vec<Part>>),
}

/// The pattern as a user writes it.
pub(crate) fn text(pattern: &[Part]) -> String {
    pattern.iter().map(part_text).collect()
}

fn part_text(part: &Part) -> String {
    match part {
        Part::Char(char) if !char.is_alphanumeric() => format!("\\{char}"),
        Part::Char(char) => char.to_string(),
        Part::AnyRun => "*".to_owned(),
        Part::AnyChar => "?".to_owned(),
        Part::Set { negated, members } => {
            let members: String = members.iter().flat_map(|char| ['\\', *char]).collect();
            format!("[{}{members}]", if *negated { "!" } else { "" })
        }
        Part::OneOf(branches) => {
            let branches: Vec<String> = branches.iter().map(|branch| text(branch)).collect();
            format!("{{{}}}", branches.join(","))
        }
    }
}

/// Whether the pattern matches the whole name, character by character.
pub(crate) fn matches(pattern: &[Part], name: &[char]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return name.is_empty() };
    match first {
        Part::AnyRun => (0..=name.len()).any(|taken| matches(rest, &name[taken..])),
        Part::OneOf(branches) => branches.iter().any(|branch| {
            let whole: Vec<Part> = branch.iter().chain(rest).cloned().collect();
            matches(&whole, name)
        }),
        single => name.split_first().is_some_and(|(char, others)| {
            let fits = match single {
                Part::Char(expected) => expected == char,
                Part::Set { negated, members } => members.contains(char) != *negated,
                _ => true,
            };
            fits && matches(rest, others)
        }),
    }
}

/// A pattern that matches some of the names: one of them with parts replaced.
pub(crate) fn draw(rng: &mut StdRng, names: &[String]) -> Vec<Part> {
    let name = if names.is_empty() { "none" } else { &names[rng.random_range(0..names.len())] };
    let name: Vec<char> = name.chars().take(24).collect();
    let mut pattern = Vec::new();
    let mut runs = 0;
    for (index, char) in name.iter().enumerate() {
        match rng.random_range(0..12) {
            0 => pattern.push(Part::AnyChar),
            1 if !char.is_control() => {
                pattern.push(Part::Set { negated: false, members: vec!['q', *char, 'é'] });
            }
            2 => pattern.push(Part::Set { negated: true, members: vec!['\u{3a9}', 'Q'] }),
            3 => pattern.push(Part::OneOf(vec![vec![Part::Char(*char)], Vec::new(), vec![Part::Char('z')]])),
            4 if runs < 2 && index > 0 => {
                runs += 1;
                pattern.push(Part::AnyRun);
                if rng.random_range(0..2) == 0 {
                    break;
                }
            }
            _ => pattern.push(Part::Char(*char)),
        }
    }
    if runs == 0 && rng.random_range(0..2) == 0 {
        pattern.push(Part::AnyRun);
    }
    pattern
}
