//! Paths with placeholders: `/var/lib/kvsweep/{date}-{time}.csv`.
//!
//! | placeholder | stands for |
//! | --- | --- |
//! | `{date}` | `2026-11-24`, the day the job began, in UTC |
//! | `{time}` | `053527Z`, the second it began, in UTC |
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

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Placeholder(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateError {
    #[error("`{{{}}}` is not a placeholder\nhint: {instead}", Escaped(.name))]
    Unknown { name: String, instead: String },
    #[error("unmatched {0}\nhint: write {0}{0} for a literal brace")]
    Unpaired(char),
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// [`TemplateError`] for an unknown placeholder or a brace alone.
    pub(super) fn new(text: &str) -> Result<Self, TemplateError> {
        let (mut parts, mut rest, mut plain) = (Vec::new(), text, String::new());
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let (brace, after) = rest[at..].split_at(1);
            if let Some(after) = after.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            if brace == "}" {
                return Err(TemplateError::Unpaired('}'));
            }
            let (name, after) = after.split_once('}').ok_or(TemplateError::Unpaired('{'))?;
            let Some(known) = NAMES.into_iter().find(|known| *known == name) else {
                return Err(TemplateError::Unknown { name: name.to_owned(), instead: suggest(name, NAMES) });
            };
            parts.push(Part::Text(std::mem::take(&mut plain)));
            parts.push(Part::Placeholder(known));
            rest = after;
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        Ok(Self { parts })
    }

    /// Whether it names another file every second.
    pub(super) fn has_time(&self) -> bool {
        self.parts.contains(&Part::Placeholder("time"))
    }

    /// The text at a moment. One before 1970 or after 9999 is taken for the nearest that has a date.
    pub(super) fn fill(&self, now: SystemTime, profile: &ProfileName) -> String {
        let now = now.clamp(UNIX_EPOCH, UNIX_EPOCH + LAST);
        let stamp = humantime::format_rfc3339_seconds(now).to_string();
        let (date, time) = stamp.split_once('T').unwrap_or_default();
        let time = time.replace(':', "");
        let mut date_parts = date.splitn(3, '-');
        let [year, month, day] = [(); 3].map(|()| date_parts.next().unwrap_or_default());
        let filled = self.parts.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Placeholder("date") => date,
            Part::Placeholder("time") => &time,
            Part::Placeholder("year") => year,
            Part::Placeholder("month") => month,
            Part::Placeholder("day") => day,
            Part::Placeholder(_) => profile.as_str(),
        });
        filled.collect()
    }
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
        assert_eq!(filled("/var/{profile}/{date}-{time}.csv", now), "/var/prod/2023-11-14-221320Z.csv");
        assert_eq!(filled("{year}/{month}/{day}", now), "2023/11/14");
        assert_eq!(filled("{{date}}{{{day}}}", now), "{date}{14}");
        assert_eq!(filled("plain.csv", now), "plain.csv");
        assert_eq!(filled("{date}", u64::from(u32::MAX) * 1_000), "9999-12-31", "a clock that is wrong");
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
