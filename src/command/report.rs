//! `kvsweep report`: a summary of finished reports as text, JSON or HTML.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use crate::exit::ExitCode;
use crate::files::{IfExists, OutputFile};
use crate::input::Source;
use crate::outcome::Settled;
use crate::report::{FailuresFile, Outputs, ReportError, RowWriter, StoredRow, Sync};
use crate::review::{Diff, Reports, Review, page};
use crate::terminal::{Escaped, count, pluralized};

use super::error::Error;
use super::next_steps::next_steps;
use super::print::{print_json, print_lines, print_prose};
use super::same_file::Files;
use super::usage::UsageError;

/// Which reports to summarise, and where to.
#[derive(Debug)]
pub struct ReportJob {
    pub reports: Vec<PathBuf>,
    /// The plan to compare them with.
    pub plan: Option<PathBuf>,
    pub html: Option<PathBuf>,
    pub failures: Option<PathBuf>,
    pub existing: IfExists,
    pub format: PrintFormat,
}

/// How a summary is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrintFormat {
    Text,
    Json,
    Markdown,
}

pub(super) fn run(reviewing: &ReportJob) -> Result<ExitCode, Error> {
    let ReportJob { html, failures, existing, format, .. } = reviewing;
    files(reviewing).check()?;
    // What cannot be written is an error before the long reading.
    if let Some(path) = html
        && *existing == IfExists::Refuse
        && path.symlink_metadata().is_ok()
    {
        return Err(UsageError::PageExists(path.clone()).into());
    }
    let page = html.clone().map(|path| OutputFile::open(path, *existing)).transpose()?;
    let failures = failures.clone().map(|path| FailuresFile::open(path, *existing)).transpose()?;
    let failures_path = failures.as_ref().map(|file| file.path().to_owned());

    let reports = Reports::open(reviewing.reports.clone())?;
    // Keys in a list are deleted.
    if let Some(path) = failures_path.as_ref().filter(|_| reports.are_of_restore()) {
        return Err(UsageError::FailuresOfRestore(path.clone()).into());
    }
    for file in reports.files().iter().filter(|file| file.extent.torn > 0) {
        let path = file.path.to_string_lossy();
        let bytes = pluralized(file.extent.torn, "byte");
        tracing::warn!("{}: the last row is incomplete ({bytes}) and was skipped", Escaped(&path));
    }
    if let Some(plan) = &reviewing.plan {
        let diff = Diff::of(plan, &reports)?;
        print_result(*format, &diff, || diff.to_text())?;
        return Ok(if diff.differs() {
            let (left, unplanned) = (count(diff.planned_not_gone()), count(diff.unplanned.total()));
            tracing::error!(
                "the plan was not carried out exactly: {left} planned and not deleted, {unplanned} not planned"
            );
            ExitCode::Incomplete
        } else {
            ExitCode::Success
        });
    }
    // The text says so itself.
    if reports.inputs() > 1 && *format != PrintFormat::Text {
        let inputs = count(reports.inputs() as u64);
        tracing::warn!("the reports belong to {inputs} different inputs; their counts are added up");
    }
    let review = match failures {
        None => Review::of(&reports, |_| ())?,
        Some(failures) => with_failures(&reports, failures)?,
    };
    if let Some(page) = page {
        let text = page::html(&review, &next_steps(&review));
        let text = text.map_err(io::Error::other).map_err(Error::system("make the page"))?;
        write_page(page, &text)?;
    }
    print_result(*format, &review, || {
        if *format == PrintFormat::Markdown {
            return review.to_markdown();
        }
        let mut lines = review.to_text();
        let written = [("failures", &failures_path), ("page", html)];
        let written: Vec<_> = written.into_iter().filter_map(|(what, path)| Some((what, path.as_ref()?))).collect();
        if !written.is_empty() {
            lines.push(String::new());
        }
        lines.extend(written.iter().map(|(what, path)| format!("{what}: {}", Escaped(&path.to_string_lossy()))));
        lines
    })?;
    Ok(ExitCode::Success)
}

/// What is read and written.
fn files(reviewing: &ReportJob) -> Files {
    let mut files = Files::default();
    reviewing.reports.iter().chain(&reviewing.plan).for_each(|path| files.reads(&Source::File(path.clone())));
    for (flag, path) in [("--html", &reviewing.html), ("--failures", &reviewing.failures)] {
        if let Some(path) = path {
            files.writes(flag, path, &[]);
        }
    }
    files
}

fn print_result(
    format: PrintFormat,
    value: &impl serde::Serialize,
    lines: impl FnOnce() -> Vec<String>,
) -> Result<(), Error> {
    let printed = match format {
        PrintFormat::Json => print_json(value),
        PrintFormat::Markdown => print_lines(lines()),
        PrintFormat::Text => print_prose(lines()),
    };
    printed.map_err(Error::system("write the summary"))
}

/// The same writer as a job's.
fn with_failures(reports: &Reports, failures: FailuresFile) -> Result<Review, Error> {
    let outputs = Outputs { report: None, failures: Some(failures), sync: Sync::EverySecond };
    let (mut rows, mut written) = (RowWriter::begin(outputs)?, Ok(()));
    let review = Review::of(reports, |row| {
        if written.is_ok() {
            written = rows.write(&[settled(row)]);
        }
    });
    written?;
    let review = review?;
    rows.finish()?;
    Ok(review)
}

fn settled(row: &StoredRow<'_>) -> Settled {
    Settled {
        number: row.number,
        key: (*row.key).into(),
        status: row.status,
        http_status: row.http_status,
        detail: None,
        attempts: row.attempts,
        elapsed: Duration::from_millis(row.elapsed_ms),
        finished_at: row.finished_at,
    }
}

fn write_page(mut page: OutputFile, text: &str) -> Result<(), Error> {
    page.begin(0)?;
    (&page).write_all(text.as_bytes()).map_err(Error::path("write", page.path()))?;
    Ok(page.check_in_place()?)
}

impl From<crate::review::ReviewError> for Error {
    fn from(error: crate::review::ReviewError) -> Self {
        match error {
            crate::review::ReviewError::Report(error) => ReportError::into(error),
            usage => UsageError::Review(usage).into(),
        }
    }
}
