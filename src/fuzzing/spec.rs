//! What stands on the command line: rates, durations, counts, faults, patterns.

use std::time::Duration;

use crate::cli::value::{count, delimiter, duration, latency, max_failures, nonzero_duration, quota, rate};
use crate::key::KeyName;
use crate::pipeline::FailureLimit;
use crate::plan::filter::Filter;
use crate::quota::Rate;
use crate::record::{Content, Record, RecordNumber};
use crate::sandbox::Fault;

/// The text of a flag; where there is a line end, a pattern and behind it the key that it is held against.
pub fn spec(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(parsed) = text.parse::<Rate>() {
        assert!((Duration::from_millis(1)..=Duration::from_hours(24)).contains(&parsed.window()), "{parsed}");
        assert_eq!(parsed.to_string().parse(), Ok(parsed), "what is shown can be said");
        assert_eq!(rate(text), Ok(Some(parsed)));
    }
    if let Ok(time) = duration(text) {
        assert!(time <= Duration::from_hours(366 * 24), "{time:?}");
        assert_eq!(nonzero_duration(text).is_ok(), !time.is_zero());
    }
    if let Ok(number) = count(text) {
        assert_eq!(max_failures(text), Ok(Some(FailureLimit::Count(number))));
    }
    if let Ok(Some(FailureLimit::Percent(percent))) = max_failures(text) {
        assert!(percent > 0.0 && percent <= 100.0, "{percent}");
    }
    if let Ok(byte) = delimiter(text) {
        assert!(byte.is_ascii() && !b"\"\r\n".contains(&byte), "{byte}");
    }
    let _ = (latency(text), quota(text), text.parse::<Fault>());
    let (pattern, key) = text.split_once('\n').unwrap_or((text, text));
    let (Ok(protect), Ok(only)) = (filter(pattern, true), filter(pattern, false)) else { return };
    let Ok(key) = KeyName::new(key) else { return };
    let matches = !is_kept(&only, &key);
    assert_eq!(is_kept(&protect, &key), matches, "{pattern:?} protects what it does not select");
    if !pattern.contains(['*', '?', '[', ']', '{', '}', '\\']) {
        assert_eq!(matches, pattern == key.as_str(), "{pattern:?} is no pattern");
    }
}

fn filter(pattern: &str, protects: bool) -> Result<Filter, crate::plan::filter::PatternError> {
    let pattern = vec![pattern.to_owned()];
    if protects { Filter::new(pattern, Vec::new()) } else { Filter::new(Vec::new(), pattern) }
}

fn is_kept(filter: &Filter, key: &KeyName) -> bool {
    let mut record = Record { number: RecordNumber::FIRST, content: Content::Key(key.clone()) };
    filter.apply(&mut record);
    matches!(record.content, Content::Kept(_))
}
