//! A review as one self-contained page of HTML: it makes no request, and what it runs is only what its
//! own policy names by hash.

use std::fmt;
use std::time::{Duration, SystemTime};

use askama::Template;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::digest::{SHA256, digest};

use super::heading;
use super::text::duration_ms;
use super::timeline;
use super::{Cause, FAILURE_ROWS, ReportedFile, Review};
use crate::clock::rfc3339_seconds;
use crate::report::StoredRow;
use crate::terminal::{Escaped, count, duration, percent, pluralized};

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/page.js");

const CAUSES: usize = 25;

const HEIGHT: f64 = 100.0;

/// What the page is filled from. Every text in it is made visible and then escaped by the template.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    style: &'a str,
    script: &'a str,
    style_hash: String,
    script_hash: String,
    title: String,
    summary: String,
    about: Vec<(&'static str, Vec<String>)>,
    notes: Vec<String>,
    states: Vec<State>,
    facts: Vec<(&'static str, String)>,
    picture: Option<Picture>,
    causes: Vec<&'a Cause>,
    kept: Vec<&'a Cause>,
    rest_of_causes: Option<String>,
    failures: Vec<&'a StoredRow<'static>>,
    rest_of_failures: Option<String>,
    commands: &'a [(String, String)],
    /// What was to be done with the keys, and how it is said of those it was done with.
    verb: &'static str,
    done: &'static str,
    files: &'a [ReportedFile],
    version: &'static str,
}

struct State {
    name: &'static str,
    class: String,
    count: String,
    share: String,
    /// Where its part of the bar begins and how wide it is, of 1000.
    x: f64,
    width: f64,
}

#[expect(clippy::struct_excessive_bools, reason = "each is an entry of the legend")]
struct Picture {
    alternative: String,
    columns: Vec<Column>,
    pauses: Vec<Gap>,
    width: usize,
    from: Moment,
    to: Moment,
    most: String,
    column: String,
    any_idle: bool,
    any_waited: bool,
    any_failed: bool,
    any_unknown: bool,
    any_retried: bool,
    table: Vec<(Moment, String, String, String)>,
}

struct Column {
    x: usize,
    title: String,
    done: f64,
    failed: f64,
    unknown: f64,
    retried: f64,
}

struct Gap {
    class: &'static str,
    x: f64,
    width: f64,
    title: String,
}

/// A key with its beginning, if it is long.
struct Text {
    whole: String,
    beginning: Option<String>,
}

/// A moment in UTC, and as `<time>` has it, from which the page's script makes local time.
struct Moment {
    iso: String,
    text: String,
}

/// The page. `commands` are what to do next: what it does, and the command, a shell's line as it is.
pub(crate) fn html(review: &Review, commands: &[(String, String)]) -> Result<String, fmt::Error> {
    let (_, verb) = review.done();
    let page = Page {
        style: STYLE,
        script: SCRIPT,
        style_hash: sha256(STYLE),
        script_hash: sha256(SCRIPT),
        title: heading::title(review),
        summary: heading::summary(review),
        about: heading::about(review),
        notes: heading::notes(review),
        states: states(review),
        facts: facts(review),
        picture: picture(review),
        causes: review.causes.by_count().into_iter().take(CAUSES).collect(),
        kept: review.kept.by_count().into_iter().take(CAUSES).collect(),
        rest_of_causes: rest_of_causes(review),
        failures: failures(review),
        rest_of_failures: rest_of_failures(review),
        commands,
        verb,
        done: if verb == "deleted" { "deleted or absent" } else { verb },
        files: &review.files,
        version: env!("CARGO_PKG_VERSION"),
    };
    page.render().map_err(|_| fmt::Error)
}

fn sha256(text: &str) -> String {
    BASE64_STANDARD.encode(digest(&SHA256, text.as_bytes()))
}

fn shown(text: &str) -> String {
    Escaped(text).to_string()
}

/// Characters of a key that are shown at first.
const BEGINNING: usize = 60;

fn text(foreign: &str) -> Text {
    let whole = shown(foreign);
    let beginning = whole.char_indices().nth(BEGINNING).map(|(end, _)| format!("{}…", &whole[..end]));
    Text { whole, beginning }
}

/// `2026-11-30 11:31:05`, in UTC.
fn utc(iso: impl fmt::Display) -> Moment {
    let iso = iso.to_string();
    let text = iso.trim_end_matches('Z').replacen('T', " ", 1);
    Moment { iso, text }
}

fn states(review: &Review) -> Vec<State> {
    let whole = review.whole();
    let total = whole.unwrap_or(review.tally.total());
    let occurring = review.states();
    // What occurred is seen, however rare: its part is at least six of a thousand.
    let width = |&(_, number): &(_, u64)| (number as f64 / total as f64 * 1000.0).max(6.0);
    let all: f64 = occurring.iter().map(width).sum();
    let mut x = 0.0;
    let state = |state: &(&'static str, u64)| {
        let &(name, number) = state;
        let width = width(state) / all * 1000.0;
        let share = whole.map(|whole| percent(number, whole)).unwrap_or_default();
        let state = State { name, class: name.replace(' ', "-"), count: count(number), share, x, width };
        x += width;
        state
    };
    occurring.iter().map(state).collect()
}

fn facts(review: &Review) -> Vec<(&'static str, String)> {
    if review.tally.sent() == 0 {
        return Vec::new();
    }
    let quantile = |quantile| duration_ms(review.elapsed_ms(quantile));
    let (pauses, together, _) = review.timeline.pauses();
    let pauses = match pauses {
        0 => "none of 2s or more".to_owned(),
        _ => format!("{} of 2s or more, {} together", count(pauses), duration(together)),
    };
    let mut facts = vec![
        ("Time per key, median", quantile(0.5)),
        ("90% within", quantile(0.9)),
        ("99% within", quantile(0.99)),
        ("Longest", quantile(1.0)),
        ("Retries", review.retries(" · ")),
        ("Pauses", pauses),
    ];
    facts.extend(review.timeline.idle_to_text().map(|idle| ("Not running", idle)));
    facts
}

fn picture(review: &Review) -> Option<Picture> {
    let timeline = &review.timeline;
    let bins = timeline.bins();
    let most = bins.iter().map(|bin| bin.total()).max().filter(|&most| most > 0)?;
    let width_ms = u64::try_from(timeline.width().as_millis()).unwrap_or(u64::MAX).max(1);
    let begins = |index: usize| timeline.start_ms() + index as u64 * width_ms;
    let height = |number: u64| number as f64 / most as f64 * HEIGHT;
    let column = |(index, bin): (usize, &super::Bin)| Column {
        x: index,
        title: format!(
            "{}: {}, {} failed, {} unknown, {} retried",
            timeline::moment(begins(index)),
            pluralized(bin.total(), "key"),
            count(bin.failed - bin.unknown),
            count(bin.unknown),
            count(bin.retried)
        ),
        done: height(bin.done),
        failed: height(bin.failed - bin.unknown),
        unknown: height(bin.unknown),
        retried: bin.retried as f64 / bin.total().max(1) as f64,
    };
    let (pauses, together, longest) = timeline.pauses();
    let gap = |pause: &super::Pause| Gap {
        x: (pause.from_ms - timeline.start_ms()) as f64 / width_ms as f64,
        width: pause.length_ms as f64 / width_ms as f64,
        class: if pause.is_idle { "idle" } else { "gap" },
        title: format!(
            "{} for {} from {}",
            if pause.is_idle { "Not running" } else { "Nothing finished" },
            duration(Duration::from_millis(pause.length_ms)),
            timeline::moment(pause.from_ms)
        ),
    };
    let together_in_table = bins.len().div_ceil(24);
    let row = |(index, bins): (usize, &[super::Bin])| {
        let sum = |of: fn(&super::Bin) -> u64| count(bins.iter().map(of).sum());
        let time = utc(timeline::moment(begins(index * together_in_table)));
        (time, sum(|bin| bin.done), sum(|bin| bin.failed), sum(|bin| bin.retried))
    };
    let column_time = duration_ms(width_ms);
    Some(Picture {
        alternative: format!(
            "Keys over time, {} columns of {column_time}: at most {} in one; {} of two seconds or more, {} together.",
            bins.len(),
            pluralized(most, "key"),
            pluralized(pauses, "pause"),
            duration(together)
        ),
        columns: bins.iter().enumerate().filter(|(_, bin)| bin.total() > 0).map(column).collect(),
        pauses: longest.iter().map(gap).filter(|gap| gap.width > 0.2).collect(),
        width: bins.len(),
        from: utc(timeline::moment(timeline.start_ms())),
        to: utc(timeline::moment(timeline.start_ms() + u64::try_from(timeline.span().as_millis()).unwrap_or_default())),
        most: pluralized(most, "key"),
        column: column_time,
        any_idle: longest.iter().any(|pause| pause.is_idle),
        any_waited: longest.iter().any(|pause| !pause.is_idle),
        any_failed: bins.iter().any(|bin| bin.failed > bin.unknown),
        any_unknown: bins.iter().any(|bin| bin.unknown > 0),
        any_retried: bins.iter().any(|bin| bin.retried > 0),
        table: bins.chunks(together_in_table.max(1)).enumerate().map(row).collect(),
    })
}

fn rest_of_causes(review: &Review) -> Option<String> {
    let rest = review.causes.beyond(CAUSES);
    (rest > 0).then(|| format!("{} with other, rarer causes.", pluralized(rest, "more record")))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the template has references")]
fn number(number: &u64) -> String {
    count(*number)
}

fn moment(moment: &SystemTime) -> Moment {
    utc(rfc3339_seconds(*moment))
}

fn answer(failure: &StoredRow<'_>) -> String {
    match (failure.http_status, failure.error_code) {
        (Some(status), Some(code)) => format!("{status} · {code}"),
        (Some(status), None) => status.to_string(),
        (None, Some(code)) => code.to_string(),
        (None, None) => "–".to_owned(),
    }
}

fn failures(review: &Review) -> Vec<&StoredRow<'static>> {
    let mut failures: Vec<_> = review.failures.iter().collect();
    failures.sort_by_key(|failure| failure.number);
    failures
}

fn rest_of_failures(review: &Review) -> Option<String> {
    let more = review.tally.trouble() - review.failures.len() as u64;
    (more > 0).then(|| {
        format!("The first {} are listed; {} more are in the report itself.", count(FAILURE_ROWS as u64), count(more))
    })
}
