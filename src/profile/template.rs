//! Paths with placeholders: `/var/lib/kvsweep/{date}-{time}.csv`.
//!
//! | placeholder | stands for |
//! | --- | --- |
//! | `{date}` | `2026-11-24`, the day the job began, in UTC |
//! | `{time}` | `053527.482113Z`, the microsecond it began, in UTC |
//! | `{year}`, `{month}`, `{day}` | `2026`, `11`, `24` |
//! | `{profile}` | the profile's name |
//! | `{{`, `}}` | a brace |

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thiserror::Error;

use super::name::ProfileName;
use super::suggest::suggest;
use crate::terminal::Escaped;

const NAMES: [&str; 6] = ["date", "time", "year", "month", "day", "profile"];

/// The last second that has a date: 9999-12-31T23:59:59Z.
const LAST: Duration = Duration::from_secs(253_402_300_799);

/// A text whose placeholders are all known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(String);

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateError {
    #[error("`{{{}}}` is not a placeholder\nhint: {instead}", Escaped(.name))]
    Unknown { name: String, instead: String },
    #[error("unmatched {0}\nhint: write {0}{0} for a literal brace")]
    Unpaired(char),
}

impl Template {
    pub(super) fn new(text: &str) -> Result<Self, TemplateError> {
        expand(text, |name| NAMES.contains(&name).then_some(""))?;
        Ok(Self(text.to_owned()))
    }

    /// Whether it names another file for each job.
    pub(super) fn has_time(&self) -> bool {
        expand(&self.0, |name| (name != "time").then_some("")).is_err()
    }

    /// The text at a moment. One before 1970 or after 9999 is taken for the nearest that has a date.
    pub(super) fn fill(&self, now: SystemTime, profile: &ProfileName) -> String {
        let now = now.clamp(UNIX_EPOCH, UNIX_EPOCH + LAST);
        let stamp = humantime::format_rfc3339_micros(now).to_string();
        let (date, time) = stamp.split_once('T').unwrap_or_default();
        let time = time.replace(':', "");
        let mut date_parts = date.splitn(3, '-');
        let [year, month, day] = [(); 3].map(|()| date_parts.next().unwrap_or_default());
        let values = [date, &time, year, month, day, profile.as_str()];
        let value = |name: &str| NAMES.iter().position(|known| *known == name).map(|index| values[index]);
        // Each was looked up when the text was read.
        expand(&self.0, value).unwrap_or_default()
    }
}

/// The text with the value of each placeholder; an error for one without a value, and for a brace alone.
fn expand<'v>(text: &str, value: impl Fn(&str) -> Option<&'v str>) -> Result<String, TemplateError> {
    let (mut rest, mut out) = (text, String::new());
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let (brace, after) = rest[at..].split_at(1);
        if let Some(after) = after.strip_prefix(brace) {
            out.push_str(brace);
            rest = after;
            continue;
        }
        if brace == "}" {
            return Err(TemplateError::Unpaired('}'));
        }
        let (name, after) = after.split_once('}').ok_or(TemplateError::Unpaired('{'))?;
        let unknown = || TemplateError::Unknown { name: name.to_owned(), instead: suggest(name, NAMES) };
        out.push_str(value(name).ok_or_else(unknown)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str, seconds: u64) -> String {
        let now = UNIX_EPOCH + Duration::from_secs(seconds);
        Template::new(text).unwrap().fill(now, &"prod".parse().unwrap())
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
        let error = |text| Template::new(text).unwrap_err().to_string();
        assert_eq!(error("{dat}.csv"), "`{dat}` is not a placeholder\nhint: did you mean date?");
        assert!(error("{}").starts_with("`{}` is not a placeholder\nhint: known are date, time"), "{}", error("{}"));
        assert_eq!(error("a{date"), "unmatched {\nhint: write {{ for a literal brace");
        assert_eq!(error("a}b"), "unmatched }\nhint: write }} for a literal brace");
    }

    #[test]
    fn only_the_time_differs_every_second() {
        assert!(Template::new("{date}-{time}").unwrap().has_time());
        assert!(!Template::new("{date}{{time}}").unwrap().has_time());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_one_without_braces_stays(text in r"\PC{0,20}|[{}a-z]{0,12}") {
            if let Ok(template) = Template::new(&text) {
                let filled = template.fill(UNIX_EPOCH, &"p".parse().unwrap());
                if !text.contains(['{', '}']) {
                    proptest::prop_assert_eq!(filled, text);
                }
            }
        }
    }
}
