//! How single values are read: what a flag's text means, and what is wrong with it.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::ValueEnum as _;
use clap::builder::{PathBufValueParser, PossibleValuesParser, TypedValueParser};
use thiserror::Error;

use crate::api::{MAX_BULK_BYTES, MAX_BULK_KEYS};
use crate::clock::wall_now;
use crate::input::{Format, Source};
use crate::listing::Moment;
use crate::pipeline::{BatchLimit, Batching, FailureLimit};
use crate::plan::glob::{GlobError, check, check_of_list};
use crate::quota::{Rate, RateError};
use crate::report::Target;
use crate::sandbox::Quota;
use crate::shard::{Shard, ShardError};
use crate::terminal::count as count_of;

/// The longest duration that is taken: far beyond any job, far below where adding it to a moment overflows.
const MAX_DURATION: Duration = Duration::from_hours(366 * 24);

/// The longest `--job-name`, in bytes.
const MAX_JOB_NAME: usize = 200;

/// A text that is not what its flag takes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ValueError {
    #[error("expected a whole number from 1, for example 5000 or 10_000_000")]
    Count,
    #[error("expected a whole number from {} to {}", count_of(*.0), count_of(*.1))]
    Whole(u64, u64),
    #[error("expected a whole number from 1 to {MAX_BULK_KEYS}, true or false")]
    Bulk,
    #[error("expected a number of keys from 1, a percentage such as 5%, or none")]
    MaxFailures,
    #[error("a percentage must be above 0% and at most 100%")]
    Percentage,
    /// A number alone.
    #[error("{0} what? for example {0}s or {0}m")]
    NoUnit(String),
    #[error("expected a duration above zero, for example 30s")]
    ZeroDuration,
    #[error("at most 366 days are allowed")]
    LongDuration,
    #[error("expected a duration such as 500ms, 30s, 5m or 1h30m")]
    Duration,
    #[error("the lower end comes first, for example 20ms..80ms")]
    LatencyOrder,
    #[error("expected a time such as 2026-12-31T00:00:00Z, or a duration from now such as 7d")]
    When,
    #[error("expected 1 to {MAX_JOB_NAME} bytes without control characters")]
    JobName,
    #[error("the name must end in .prom: the textfile collector reads no other")]
    MetricsFile,
    #[error("invalid pattern: {0}")]
    Glob(#[from] GlobError),
    #[error("expected one ASCII character that is neither a quote nor a line end, or tab")]
    Delimiter,
    #[error("an empty prefix matches every key of the namespace, as an unset variable would; {0} for that")]
    EmptyPrefix(&'static str),
    #[error("expected K/N, for example 2/4 for the second of four, or auto/N to take K from the scheduler")]
    ShardShape,
    #[error(transparent)]
    ShardRange(ShardError),
}

/// A whole number from 1; `_` may separate its digits.
pub(crate) fn count(text: &str) -> Result<NonZeroU64, ValueError> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
        return Err(ValueError::Count);
    }
    text.replace('_', "").parse().map_err(|_| ValueError::Count)
}

/// Reads a whole number within bounds: what clap and Rust say of others is not for users.
pub(crate) fn whole<T: TryFrom<u64>>(
    min: u64,
    max: u64,
) -> impl Fn(&str) -> Result<T, ValueError> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse().ok().filter(|number| (min..=max).contains(number));
        number.and_then(|number| T::try_from(number).ok()).ok_or(ValueError::Whole(min, max))
    }
}

/// `--bulk`: how many keys a request may name, [`MAX_BULK_KEYS`] for `true`.
pub(crate) fn bulk(text: &str) -> Result<Batching, ValueError> {
    let keys = match text {
        "false" => return Ok(Batching::Single),
        "true" => NonZeroU32::new(MAX_BULK_KEYS),
        _ => count(text).ok().and_then(|count| NonZeroU32::try_from(count).ok()),
    };
    let keys = keys.filter(|keys| keys.get() <= MAX_BULK_KEYS).ok_or(ValueError::Bulk)?;
    Ok(Batching::Bulk(BatchLimit { keys, bytes: MAX_BULK_BYTES }))
}

/// `--max-failures`; `None` is no limit.
pub(crate) fn max_failures(text: &str) -> Result<Option<FailureLimit>, ValueError> {
    if text == "none" {
        return Ok(None);
    }
    let Some(percent) = text.strip_suffix('%') else {
        return count(text).map(|count| Some(FailureLimit::Count(count))).map_err(|_| ValueError::MaxFailures);
    };
    // Without this `1e1`, `inf` and `+5` would be numbers too.
    if !percent.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(ValueError::Percentage);
    }
    match percent.parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(Some(FailureLimit::Percent(percent))),
        _ => Err(ValueError::Percentage),
    }
}

/// A duration with its unit, from nothing to 366 days.
pub(crate) fn duration(text: &str) -> Result<Duration, ValueError> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(ValueError::NoUnit(text.to_owned()));
    }
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= MAX_DURATION => Ok(duration),
        Ok(_) | Err(humantime::DurationError::NumberOverflow) => Err(ValueError::LongDuration),
        Err(_) => Err(ValueError::Duration),
    }
}

/// As [`duration`], but more than nothing.
pub(crate) fn nonzero_duration(text: &str) -> Result<Duration, ValueError> {
    match duration(text)? {
        Duration::ZERO => Err(ValueError::ZeroDuration),
        duration => Ok(duration),
    }
}

/// One `--rate`; `None` is `none`, no limit at all, which stands alone.
pub(crate) fn rate(text: &str) -> Result<Option<Rate>, RateError> {
    if text == "none" { Ok(None) } else { text.parse().map(Some) }
}

/// One `--quota` of the sandbox: `1200/5m` in any window of that length, `1200/5m/fixed` in one window after the other.
pub(crate) fn quota(text: &str) -> Result<Quota, RateError> {
    let fixed = text.strip_suffix("/fixed");
    let rate: Rate = fixed.unwrap_or(text).parse()?;
    let quota = if fixed.is_some() { Quota::fixed } else { Quota::sliding };
    Ok(quota(rate.count().get(), rate.window()))
}

/// `--latency` of the sandbox: the least and the most time that a response takes.
pub(crate) fn latency(text: &str) -> Result<(Duration, Duration), ValueError> {
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    let (low, high) = (duration(low)?, duration(high)?);
    if low > high { Err(ValueError::LatencyOrder) } else { Ok((low, high)) }
}

/// `--expiring-before`: a moment, or how far from now one is.
pub(crate) fn moment(text: &str) -> Result<Moment, ValueError> {
    moment_after(wall_now(), text)
}

fn moment_after(now: SystemTime, text: &str) -> Result<Moment, ValueError> {
    let moment = match (humantime::parse_rfc3339(text), duration(text)) {
        (Ok(moment), _) => moment,
        (_, Ok(duration)) => now + duration,
        _ => return Err(ValueError::When),
    };
    Ok(Moment { input: text.to_owned(), at: moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() })
}

pub(crate) fn job_name(text: &str) -> Result<String, ValueError> {
    let fits = (1..=MAX_JOB_NAME).contains(&text.len()) && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(ValueError::JobName) }
}

pub(crate) fn metrics_file(text: &str) -> Result<PathBuf, ValueError> {
    let path = PathBuf::from(text);
    if path.extension().is_some_and(|extension| extension == "prom") { Ok(path) } else { Err(ValueError::MetricsFile) }
}

/// `--protect` and `--only`.
pub(crate) fn glob(text: &str) -> Result<String, ValueError> {
    check(text)?;
    Ok(text.to_owned())
}

/// A line of `KVSWEEP_PROTECT` and `KVSWEEP_ONLY`.
pub(super) fn glob_of_list(text: &str) -> Result<String, ValueError> {
    check_of_list(text)?;
    Ok(text.to_owned())
}

/// `--format`; `None` is `auto`.
pub(crate) fn format_parser() -> impl TypedValueParser<Value = Option<Format>> {
    let formats = Format::value_variants().iter().filter_map(clap::ValueEnum::to_possible_value);
    let names = std::iter::once("auto".into()).chain(formats);
    PossibleValuesParser::new(names).map(|name| Format::from_str(&name, false).ok())
}

/// An `INPUT`: `-` is stdin; a file called `-` is `./-`.
pub(crate) fn source_parser() -> impl TypedValueParser<Value = Source> {
    PathBufValueParser::new().map(Source::from)
}

/// `--report`: `-` is stdout and `none` is no report; files of these names are `./-` and `./none`.
pub(crate) fn report_parser() -> impl TypedValueParser<Value = Target> {
    PathBufValueParser::new().map(Target::from)
}

/// One ASCII character; `tab` and `\t` stand for a tab.
pub(crate) fn delimiter(text: &str) -> Result<u8, ValueError> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        b"\"" | b"\r" | b"\n" => Err(ValueError::Delimiter),
        &[byte] if byte.is_ascii() => Ok(byte),
        _ => Err(ValueError::Delimiter),
    }
}

/// How names of keys begin; `everything` is what to do for all of them.
pub(crate) fn prefix(
    everything: &'static str,
) -> impl Fn(&str) -> Result<String, ValueError> + Clone + Send + Sync + 'static {
    move |text| if text.is_empty() { Err(ValueError::EmptyPrefix(everything)) } else { Ok(text.to_owned()) }
}

/// `--shard`: which part of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardArg {
    /// `2/4`
    Part(Shard),
    /// `auto/4`: the scheduler numbers this task among so many.
    Auto(NonZeroU32),
}

impl FromStr for ShardArg {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let shard = match text.strip_prefix("auto/") {
            Some(count) => format!("1/{count}").parse::<Shard>().map(|shard| Self::Auto(shard.count())),
            None => text.parse().map(Self::Part),
        };
        shard.map_err(|error| match error {
            ShardError::Shape => ValueError::ShardShape,
            ShardError::Count | ShardError::Number { .. } => ValueError::ShardRange(error),
        })
    }
}

#[cfg(test)]
mod tests;
