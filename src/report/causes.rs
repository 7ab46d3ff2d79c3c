//! Why records failed or were kept: rows with the same cause, counted together.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::row::StoredRow;
use crate::outcome::Status;
use crate::record::{Content, Record};
use crate::terminal::{Escaped, pluralized, shortened_key};
use crate::text::truncated;

/// Distinct causes that are kept; later ones are only counted.
const MOST_CAUSES: usize = 10_000;

const MOST_NAMED: usize = 100;

const SAMPLES: usize = 3;

/// What rows with the same cause share, with the text with every number in it as `#`: positions and counts do not make another
/// cause.
type CauseKey = ((Status, Option<u16>, Option<u64>), String);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Kept, failed, unknown or invalid.
    pub status: Status,
    pub http_status: Option<u16>,
    pub error_code: Option<u64>,
    /// The text, with `#` in the place of numbers where they differ.
    pub error: String,
    pub count: u64,
    pub keys: Vec<String>,
}

/// `HTTP 403, code 10000: Authentication error (12 keys, such as user:1)`.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.http_status, self.error_code) {
            (Some(status), Some(code)) => write!(f, "HTTP {status}, code {code}: ")?,
            (Some(status), None) => write!(f, "HTTP {status}: ")?,
            (None, _) => {}
        }
        write!(f, "{} ({}", Escaped(&self.error), pluralized(self.count, "record"))?;
        match self.keys.first().filter(|key| !key.is_empty()) {
            Some(key) => write!(f, ", such as {})", shortened_key(key)),
            None => f.write_str(")"),
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Causes {
    found: HashMap<CauseKey, Cause>,
    others: u64,
    /// Records without a row: they cannot be sent, and the job has not begun.
    unsent: u64,
}

impl Causes {
    /// From the most frequent to the rarest.
    pub fn by_count(&self) -> Vec<&Cause> {
        let mut causes: Vec<&Cause> = self.found.values().collect();
        causes.sort_by(|a, b| {
            let rest = |cause: &Cause| (cause.status as u8, cause.http_status, cause.error_code);
            b.count.cmp(&a.count).then_with(|| rest(a).cmp(&rest(b))).then_with(|| a.error.cmp(&b.error))
        });
        causes
    }

    /// Those that a summary names, the most frequent first.
    pub fn most_frequent(&self) -> Vec<Cause> {
        self.by_count().into_iter().take(MOST_NAMED).cloned().collect()
    }

    /// Records whose cause was not kept, because there were too many different ones.
    pub fn others(&self) -> u64 {
        self.others
    }

    /// Records with another cause than the `shown` most frequent ones.
    pub(crate) fn beyond(&self, shown: usize) -> u64 {
        self.by_count().iter().skip(shown).map(|cause| cause.count).sum::<u64>() + self.others
    }

    /// How many records were counted that have no row.
    pub fn unsent(&self) -> u64 {
        self.unsent
    }

    pub fn add(&mut self, row: &StoredRow<'_>) {
        self.count((row.status, row.http_status, row.error_code), &row.key, &row.error);
    }

    /// Counts a record if it cannot be sent; it need not get a row.
    pub fn add_unsent(&mut self, record: &Record) {
        if let Content::Invalid(invalid) = &record.content {
            self.add_invalid(&invalid.key, &invalid.reason);
        }
    }

    pub fn add_invalid(&mut self, key: &str, why: &str) {
        self.unsent += 1;
        self.count((Status::Invalid, None, None), key, why);
    }

    fn count(&mut self, what: (Status, Option<u16>, Option<u64>), key: &str, error: &str) {
        let error = truncated(error);
        let error = if what.0 == Status::Invalid { without_position(&error) } else { &*error };
        // A filter is the user's own text: with another number in it, it is another filter.
        let pattern = if what.0 == Status::Kept { error.to_owned() } else { pattern(error).into_owned() };
        let (status, http_status, error_code) = what;
        let like = (what, pattern);
        if let Some(cause) = self.found.get_mut(&like) {
            cause.count += 1;
            if cause.error != error {
                cause.error = in_common(&cause.error, error);
            }
            if cause.keys.len() < SAMPLES {
                cause.keys.push(truncated(key).into_owned());
            }
        } else if self.found.len() < MOST_CAUSES {
            let keys = vec![truncated(key).into_owned()];
            let cause = Cause { status, http_status, error_code, error: error.to_owned(), count: 1, keys };
            self.found.insert(like, cause);
        } else {
            self.others += 1;
        }
    }
}

/// The reason of an invalid record without its position: `keys.csv line 7 column 3: the key is empty` is about an empty key.
/// The first such place counts, because what follows may quote the input.
fn without_position(error: &str) -> &str {
    static POSITION: LazyLock<Regex> = LazyLock::new(|| regex("(?:^| )line [0-9]+(?: column [0-9]+)?: "));
    POSITION.find(error).map_or(error, |position| &error[position.end()..])
}

/// A number, or what stands for one.
static NUMBER: LazyLock<Regex> = LazyLock::new(|| regex("[0-9]+|#"));

/// `text` with every number as `#`.
fn pattern(text: &str) -> Cow<'_, str> {
    NUMBER.replace_all(text, "#")
}

/// `error`, with `#` for the numbers that are others in `shown`, which is like it in all else.
fn in_common(shown: &str, error: &str) -> String {
    let mut others = NUMBER.find_iter(shown).map(|number| number.as_str());
    let common = |number: &Captures| others.next().filter(|other| *other == &number[0]).unwrap_or("#");
    NUMBER.replace_all(error, common).into_owned()
}

#[expect(clippy::expect_used, reason = "the patterns are constant")]
fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a regular expression")
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::super::encode::tests::settled;
    use super::*;
    use crate::outcome::Detail;
    use crate::outcome::Settled;
    use crate::record::RecordNumber;

    fn add(causes: &mut Causes, key: &str, status: Status, http_status: Option<u16>, error: &str) {
        causes.add(&StoredRow {
            number: RecordNumber::FIRST,
            key: key.into(),
            status,
            http_status,
            error_code: None,
            error: error.into(),
            attempts: 1,
            elapsed_ms: 1,
            finished_at: UNIX_EPOCH,
        });
    }

    #[test]
    fn numbers_do_not_make_another_cause_but_all_else_does() {
        let mut causes = Causes::default();
        for line in 1..=5 {
            add(&mut causes, &format!("k{line}"), Status::Invalid, None, &format!("line {line}: empty"));
        }
        add(&mut causes, "d", Status::Kept, None, "matches --protect a1*");
        add(&mut causes, "e", Status::Kept, None, "matches --protect a2*");
        add(&mut causes, "a", Status::Failed, Some(400), "code 12: no");
        add(&mut causes, "b", Status::Failed, Some(400), "code 12: no");
        add(&mut causes, "c", Status::Failed, Some(403), "code 12: no");
        let found: Vec<_> =
            causes.by_count().into_iter().map(|c| (c.count, c.http_status, c.error.clone(), c.keys.len())).collect();
        assert_eq!(
            found,
            [
                (5, None, "empty".to_owned(), 3),
                (2, Some(400), "code 12: no".to_owned(), 2),
                (1, None, "matches --protect a1*".to_owned(), 1),
                (1, None, "matches --protect a2*".to_owned(), 1),
                (1, Some(403), "code 12: no".to_owned(), 1),
            ]
        );
    }

    #[test]
    fn each_way_to_count_a_record_counts_it() {
        let mut causes = Causes::default();
        causes.add_invalid("", "keys.csv line 7: the key is empty");
        let refused = Settled { http_status: Some(403), ..settled(1, "k", Status::Failed) };
        let detail = Some(Box::new(Detail { error_code: Some(10_000), error: "no".to_owned() }));
        causes.add(&StoredRow::from(&Settled { detail, ..refused.clone() }));
        causes.add(&StoredRow::from(&refused));
        causes.add(&StoredRow::from(&refused));
        causes.others = 3;
        let shown: Vec<_> = causes.by_count().into_iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "HTTP 403:  (2 records, such as k)",
                "HTTP 403, code 10000: no (1 record, such as k)",
                "the key is empty (1 record)",
            ]
        );
        assert_eq!([0, 1, 3].map(|shown| causes.beyond(shown)), [7, 5, 3]);
    }

    #[test]
    fn only_numbers_that_differ_are_left_out() {
        let shown = |errors: &[&str]| {
            let mut causes = Causes::default();
            for error in errors {
                add(&mut causes, "k", Status::Failed, None, error);
            }
            causes.by_count()[0].error.clone()
        };
        for (errors, expected) in [
            (&["not UTF-8 (byte 1)", "not UTF-8 (byte 12)", "not UTF-8 (byte 1)"][..], "not UTF-8 (byte #)"),
            (&["600 bytes; at most 512", "513 bytes; at most 512"], "# bytes; at most 512"),
            (&["#1 of 22 é", "#3 of 22 é", "#1 of 4 é"], "## of # é"),
            (&["7", "7"], "7"),
            (&["7", "70"], "#"),
        ] {
            assert_eq!(shown(errors), expected);
        }
    }

    #[test]
    fn where_an_invalid_record_stands_is_no_reason() {
        for (error, reason) in [
            ("keys.csv line 7: the key is empty", "the key is empty"),
            (
                "a line 3: b.csv line 12 column 4: not a JSON value: x (column 4)",
                "b.csv line 12 column 4: not a JSON value: x (column 4)",
            ),
            ("my line file.csv line 7 column 3: no: line 9: more", "no: line 9: more"),
            ("stdin line 1: odd", "odd"),
            ("listed: the key is empty", "listed: the key is empty"),
            ("online 4: x", "online 4: x"),
        ] {
            assert_eq!(without_position(error), reason, "{error}");
        }
    }

    #[test]
    fn too_many_causes_are_only_counted() {
        let mut causes = Causes::default();
        let word = |mut n: usize| {
            let mut word = String::new();
            while n > 0 {
                word.push(char::from(b'a' + u8::try_from(n % 26).unwrap()));
                n /= 26;
            }
            word
        };
        for n in 1..=MOST_CAUSES + 7 {
            add(&mut causes, "k", Status::Failed, None, &format!("{}!", word(n)));
        }
        add(&mut causes, "k", Status::Failed, None, "b!");
        assert_eq!((causes.by_count().len(), causes.others()), (MOST_CAUSES, 7));
    }
}
