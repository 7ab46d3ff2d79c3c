//! How a fault is spelled on a command line.

use std::ops::RangeInclusive;
use std::str::FromStr;

use thiserror::Error;

use super::{BulkResult, Canned, Fault, What, When};

/// Why a text is not a fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FaultError {
    /// Neither `=` nor `@`.
    #[error(
        "expected KIND=PROBABILITY, KIND@key:NAME, KIND@prefix:PREFIX or KIND@nth:FIRST-LAST, for example 503=0.05; \
         append xTIMES to KIND to limit how often it occurs, for example 503x3=1"
    )]
    Shape,
    /// An unknown kind.
    #[error(
        "`{0}` is not a kind of fault: use a status from 300 to 599, html with such a status (html403), {named}, or of a bulk call \
         unsuccessful with a status from 400 to 599 (unsuccessful500)",
        named = NAMED.map(|(name, _)| name).join(", ")
    )]
    Kind(String),
    /// Not a probability.
    #[error("`{0}` is not a probability from 0 to 1")]
    Probability(String),
    /// Not a number of times.
    #[error("`{0}` is not a number of times from 1")]
    Times(String),
    /// An unknown target.
    #[error("`{0}` is none of key:NAME, prefix:PREFIX and nth:FIRST-LAST (numbers from 1)")]
    Target(String),
}

type Named = (&'static str, fn() -> What);

const NAMED: [Named; 12] = [
    ("reset", || What::ResetBefore),
    ("reset-after", || What::ResetAfter),
    ("hang", || What::Hang),
    ("hang-after", || What::HangAfter),
    ("truncate", || What::Truncate),
    ("garbage", || What::Garbage),
    ("giant", || What::Giant),
    // RFC 2606 reserves `.invalid`: following it leads nowhere.
    ("redirect", || Canned::redirect("https://redirected.invalid/").into()),
    ("close", || What::CloseIdle),
    ("unsuccessful", || What::Unsuccessful(BulkResult::Partial)),
    ("wrong-names", || What::Unsuccessful(BulkResult::WrongNames)),
    ("wrong-count", || What::Unsuccessful(BulkResult::WrongCount)),
];

/// What a status follows, and the statuses that may.
const WITH_STATUS: [(&str, RangeInclusive<u16>); 3] =
    [("", 300..=599), ("html", 300..=599), ("unsuccessful", 400..=599)];

impl Fault {
    /// Every kind, as a command line spells it; a kind with a status once for each status.
    pub fn kinds() -> impl Iterator<Item = String> {
        let with_status = |(kind, statuses): (&'static str, RangeInclusive<u16>)| {
            statuses.map(move |status| format!("{kind}{status}"))
        };
        NAMED.into_iter().map(|(name, _)| name.to_owned()).chain(WITH_STATUS.into_iter().flat_map(with_status))
    }
}

/// `KIND[xTIMES]=PROBABILITY` or `KIND[xTIMES]@key:NAME`, `@prefix:PREFIX`, `@nth:NUMBER`, `@nth:FIRST-LAST`. A name
/// or prefix is all that follows its colon.
impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let at = text.find(['=', '@']).ok_or(FaultError::Shape)?;
        let (kind, rest) = text.split_at(at);
        let (kind, times) = with_times(kind)?;
        let what = what(kind).ok_or_else(|| FaultError::Kind(kind.to_owned()))?;
        let when = match rest.strip_prefix('=') {
            Some(probability) => chance(probability)?,
            None => target(&rest[1..])?,
        };
        Ok(Self { times, ..Self::new(when, what) })
    }
}

fn with_times(kind: &str) -> Result<(&str, Option<u32>), FaultError> {
    match kind.rsplit_once('x') {
        Some((kind, times)) if times.starts_with(|c: char| c.is_ascii_digit()) => match times.parse() {
            Ok(number) if number > 0 => Ok((kind, Some(number))),
            _ => Err(FaultError::Times(times.to_owned())),
        },
        _ => Ok((kind, None)),
    }
}

fn chance(text: &str) -> Result<When, FaultError> {
    let probability = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    probability.map(When::Probability).ok_or_else(|| FaultError::Probability(text.to_owned()))
}

fn target(text: &str) -> Result<When, FaultError> {
    let unknown = || FaultError::Target(text.to_owned());
    match text.split_once(':').ok_or_else(unknown)? {
        ("key", name) if !name.is_empty() => Ok(When::Key(name.to_owned())),
        ("prefix", prefix) => Ok(When::Prefix(prefix.to_owned())),
        ("nth", numbers) => {
            let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
            let range = first.parse().ok().zip(last.parse().ok());
            let range = range.filter(|(first, last)| (1..=*last).contains(first));
            range.map(|(first, last)| When::Nth(first..=last)).ok_or_else(unknown)
        }
        _ => Err(unknown()),
    }
}

fn what(kind: &str) -> Option<What> {
    if let Some((_, what)) = NAMED.iter().find(|(name, _)| *name == kind) {
        return Some(what());
    }
    let (name, digits) = kind.split_at(kind.find(|c: char| c.is_ascii_digit())?);
    let (_, statuses) = WITH_STATUS.into_iter().find(|(with_status, _)| *with_status == name)?;
    let status = digits.parse().ok().filter(|status| statuses.contains(status))?;
    Some(match name {
        "html" => Canned::html(status).into(),
        "unsuccessful" => What::Unsuccessful(BulkResult::PartialFailure(status)),
        _ => usual(status).into(),
    })
}

/// What the service usually says with a status.
fn usual(status: u16) -> Canned {
    match status {
        401 | 403 => Canned::error(status, 10000, "Authentication error"),
        404 => Canned::error(status, 10009, "key not found"),
        429 => Canned::error(status, 971, "Please wait and consider throttling your request speed")
            .with_header("retry-after", "1"),
        500.. => Canned::error(status, 10001, "service temporarily unavailable"),
        _ => Canned::error(status, 10012, "malformed request"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read() {
        let bulk = |prefix: &str, result| Fault::new(When::Prefix(prefix.into()), What::Unsuccessful(result));
        let unavailable = || What::from(Canned::error(503, 10001, "service temporarily unavailable"));
        for (text, expected) in [
            ("503=0.05", Fault::new(When::Probability(0.05), unavailable())),
            ("503x2@key:box3", Fault::new(When::Key("box3".into()), unavailable()).times(2)),
            ("reset@key:a=b@c:d", Fault::new(When::Key("a=b@c:d".into()), What::ResetBefore)),
            ("reset-after=1", Fault::new(When::Probability(1.0), What::ResetAfter)),
            ("hang@nth:3", Fault::new(When::Nth(3..=3), What::Hang)),
            ("hang-after@nth:3-7", Fault::new(When::Nth(3..=7), What::HangAfter)),
            ("html403@prefix:secret.", Fault::new(When::Prefix("secret.".into()), Canned::html(403).into())),
            ("unsuccessfulx1@prefix:", bulk("", BulkResult::Partial).times(1)),
            ("unsuccessful404@prefix:a", bulk("a", BulkResult::PartialFailure(404))),
            ("unsuccessful500x2@prefix:a", bulk("a", BulkResult::PartialFailure(500)).times(2)),
            ("wrong-namesx1@prefix:a", bulk("a", BulkResult::WrongNames).times(1)),
            ("wrong-count@prefix:a", bulk("a", BulkResult::WrongCount)),
            ("close=0", Fault::new(When::Probability(0.0), What::CloseIdle)),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for kind in ["truncate", "garbage", "giant", "redirect", "401", "404", "400", "429", "599"] {
            assert!(format!("{kind}=0.5").parse::<Fault>().is_ok(), "{kind}");
        }
    }

    /// The compiler asks for a spelling of whatever is added to [`What`].
    #[test]
    fn every_kind_can_be_spelled() {
        let number = |what: &What| match what {
            What::Answer(_) => 0,
            What::ResetBefore => 1,
            What::ResetAfter => 2,
            What::Hang => 3,
            What::HangAfter => 4,
            What::Truncate => 5,
            What::Garbage => 6,
            What::Giant => 7,
            What::CloseIdle => 8,
            What::Unsuccessful(BulkResult::Partial) => 9,
            What::Unsuccessful(BulkResult::PartialFailure(_)) => 10,
            What::Unsuccessful(BulkResult::WrongNames) => 11,
            What::Unsuccessful(BulkResult::WrongCount) => 12,
        };
        let spelled = Fault::kinds().map(|kind| number(&what(&kind).unwrap_or_else(|| panic!("{kind}"))));
        let spelled: std::collections::BTreeSet<u32> = spelled.collect();
        assert!(spelled.into_iter().eq(0..=12));
    }

    #[test]
    fn what_is_not_a_fault_says_why() {
        for (text, error) in [
            ("503", FaultError::Shape),
            ("", FaultError::Shape),
            ("200=0.1", FaultError::Kind("200".into())),
            ("html=0.1", FaultError::Kind("html".into())),
            ("unsuccessful399=0.1", FaultError::Kind("unsuccessful399".into())),
            ("explode=0.1", FaultError::Kind("explode".into())),
            ("503x=0.1", FaultError::Kind("503x".into())),
            ("503x2x=0.1", FaultError::Kind("503x2x".into())),
            ("melt=0.1", FaultError::Kind("melt".into())),
            ("503=1.1", FaultError::Probability("1.1".into())),
            ("503=NaN", FaultError::Probability("NaN".into())),
            ("503x0=1", FaultError::Times("0".into())),
            ("503@key:", FaultError::Target("key:".into())),
            ("503@name", FaultError::Target("name".into())),
            ("503@nth:0", FaultError::Target("nth:0".into())),
            ("503@nth:4-3", FaultError::Target("nth:4-3".into())),
        ] {
            assert_eq!(text.parse::<Fault>(), Err(error), "{text}");
        }
    }
}
