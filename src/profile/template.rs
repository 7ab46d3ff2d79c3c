//! Paths with placeholders: `/var/lib/kvsweep/{date}-{time}.csv`.
//!
//! | placeholder | stands for |
//! | --- | --- |
//! | `{date}` | `2026-11-24`, the day the job began, in UTC |
//! | `{time}` | `053527.482113Z`, the microsecond it began, in UTC |
//! | `{year}`, `{month}`, `{day}` | `2026`, `11`, `24` |
//! | `{profile}` | the profile's name |
//! | `{{`, `}}` | a brace |

use std::time::SystemTime;

use super::name::ProfileName;
use super::suggest::suggest;
use crate::clock::rfc3339_micros;
use crate::terminal::Escaped;

/// The text at a moment, and whether it is another one every second. A moment before 1970 or after 9999 is taken for the nearest
/// that has a date.
///
/// # Errors
/// What is wrong with it, safe to show.
pub(super) fn fill(text: &str, now: SystemTime, profile: &ProfileName) -> Result<(String, bool), String> {
    let stamp = rfc3339_micros(now).to_string();
    let (date, time) = stamp.split_once('T').unwrap_or_default();
    let time = time.replace(':', "");
    let mut date_parts = date.splitn(3, '-');
    let [year, month, day] = [(); 3].map(|()| date_parts.next().unwrap_or_default());
    let values = [
        ("date", date),
        ("time", &time),
        ("year", year),
        ("month", month),
        ("day", day),
        ("profile", profile.as_str()),
    ];
    let (mut rest, mut filled, mut has_time) = (text, String::new(), false);
    while let Some(at) = rest.find(['{', '}']) {
        filled.push_str(&rest[..at]);
        let (brace, after) = rest[at..].split_at(1);
        if let Some(after) = after.strip_prefix(brace) {
            filled.push_str(brace);
            rest = after;
            continue;
        }
        let placeholder = after.split_once('}').filter(|_| brace == "{");
        let (name, after) =
            placeholder.ok_or_else(|| format!("unmatched {brace}\nhint: write {brace}{brace} for a literal brace"))?;
        let Some((_, value)) = values.iter().find(|(known, _)| *known == name) else {
            let instead = suggest(name, values.map(|(known, _)| known));
            return Err(format!("`{{{}}}` is not a placeholder\nhint: {instead}", Escaped(name)));
        };
        filled.push_str(value);
        has_time |= name == "time";
        rest = after;
    }
    filled.push_str(rest);
    Ok((filled, has_time))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn filled(text: &str, seconds: u64) -> String {
        let now = UNIX_EPOCH + Duration::from_secs(seconds);
        fill(text, now, &"prod".parse().unwrap()).unwrap().0
    }

    #[test]
    fn placeholders_stand_for_the_moment_in_utc() {
        let now = 1_700_000_000;
        assert_eq!(filled("/var/{profile}/{date}-{time}.csv", now), "/var/prod/2023-11-14-221320.000000Z.csv");
        assert_eq!(filled("{year}/{month}/{day}", now), "2023/11/14");
        assert_eq!(filled("{{date}}{{{day}}}", now), "{date}{14}");
        assert_eq!(filled("plain.csv", now), "plain.csv");
        assert_eq!(filled("{date}", 1 << 38), "9999-12-31", "a clock that is wrong");
    }

    #[test]
    fn what_stands_for_nothing_is_named() {
        let error = |text| fill(text, UNIX_EPOCH, &"p".parse().unwrap()).unwrap_err();
        assert_eq!(error("{dat}.csv"), "`{dat}` is not a placeholder\nhint: did you mean date?");
        assert!(error("{}").starts_with("`{}` is not a placeholder\nhint: known are date, time"), "{}", error("{}"));
        assert_eq!(error("a{date"), "unmatched {\nhint: write {{ for a literal brace");
        assert_eq!(error("a}b"), "unmatched }\nhint: write }} for a literal brace");
    }

    #[test]
    fn only_the_time_differs_every_second() {
        let has_time = |text| fill(text, UNIX_EPOCH, &"p".parse().unwrap()).unwrap().1;
        assert!(has_time("{date}-{time}"));
        assert!(!has_time("{date}{{time}}"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_one_without_braces_stays(text in r"\PC{0,20}|[{}a-z]{0,12}") {
            let filled = fill(&text, UNIX_EPOCH, &"p".parse().unwrap());
            if !text.contains(['{', '}']) {
                proptest::prop_assert_eq!(filled, Ok((text, false)));
            }
        }
    }
}
