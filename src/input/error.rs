//! Why reading stopped, and where.

use std::io;

use thiserror::Error;

use super::lookalike::Lookalike;
use super::options::Format;
use super::status_search::Slot;
use crate::format::compression::Compression;
use crate::format::open::OpenError;
use crate::format::{FormatError, FormatErrorKind, Position};
use crate::terminal::{Quoted, pluralized, shell_word, shortened_key};

/// Reading stopped here. Everything before it was read, nothing after it is, and no record number is used up: once the
/// input is fixed, the records that follow have the numbers that they would have had.
///
/// Boxed, because it is part of every record's result type.
#[derive(Debug, Error)]
#[error("{}", self.to_text())]
pub struct InputError(Box<Details>);

#[derive(Debug)]
struct Details {
    /// Empty as long as a format reads, which does not know it.
    input: String,
    records: u64,
    position: Option<Position>,
    kind: InputErrorKind,
}

impl InputError {
    fn new(position: Option<Position>, kind: InputErrorKind) -> Self {
        Self(Box::new(Details { input: String::new(), records: 0, position, kind }))
    }

    pub(super) fn at(position: Position, kind: InputErrorKind) -> Self {
        Self::new(Some(position), kind)
    }

    /// The same, of the input with this name, after so many records.
    pub(super) fn of(mut self, input: String, records: u64) -> Self {
        self.0.input = input;
        self.after(records)
    }

    pub(super) fn after(mut self, records: u64) -> Self {
        self.0.records = records;
        self
    }

    /// The same, where a failed read of compressed data is the decoder's error.
    pub(super) fn with_compression(self, compression: Compression) -> Self {
        match *self.0 {
            Details { input, records, position, kind: InputErrorKind::Read(error) } => {
                Self::new(position, InputErrorKind::read(compression, error)).of(input, records)
            }
            details => Self(Box::new(details)),
        }
    }

    pub fn kind(&self) -> &InputErrorKind {
        &self.0.kind
    }

    pub fn records(&self) -> u64 {
        self.0.records
    }

    /// Whether the command was wrong rather than the input broken: another option or another file is needed.
    pub fn is_usage(&self) -> bool {
        !matches!(
            self.kind(),
            InputErrorKind::Open(_)
                | InputErrorKind::Changed
                | InputErrorKind::Read(_)
                | InputErrorKind::Decompress { .. }
                | InputErrorKind::UnclosedQuote
                | InputErrorKind::FirstRowTooLong
                | InputErrorKind::Json(_)
                | InputErrorKind::NotJson(_)
                | InputErrorKind::Thread(_)
                | InputErrorKind::Panicked(_)
        )
    }

    fn to_text(&self) -> String {
        let Details { input, records, position, kind } = &*self.0;
        if let InputErrorKind::NoKeyColumn { .. } = kind {
            // The whole file is meant.
            return format!("{input} {kind}");
        }
        let position = position.map(|position| format!(" {position}")).unwrap_or_default();
        let after = if *records > 0 { format!(" (after record {records})") } else { String::new() };
        format!("{input}{position}{after}: {kind}")
    }
}

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InputErrorKind {
    #[error("cannot be opened: {0}")]
    Open(io::Error),
    #[error(
        "the file was changed after it was opened or checked, so nothing more of it is read\nhint: run again once the file no longer \
         changes; to resume a job that has begun, put its earlier content back"
    )]
    Changed,
    #[error("cannot be read: {0}")]
    Read(io::Error),
    #[error("the {compression} data is damaged or truncated: {error}\nhint: download or create the file again")]
    Decompress { compression: Compression, error: io::Error },
    #[error("this looks like {0}, not a list of keys\nhint: {hint}", hint = .0.hint())]
    NotKeys(Lookalike),
    #[error("the quote that opens here is never closed\nhint: close it, or pass --format lines if it is part of a key")]
    UnclosedQuote,
    #[error(
        "the first row is longer than 1 MiB, so this is not a CSV file of keys\nhint: pass another --format or --delimiter"
    )]
    FirstRowTooLong,
    #[error("{0}")]
    Json(String),
    #[error(
        "this line is not a JSON value: {0}\nhint: fix or remove the line, or pass --format lines if each line is a key"
    )]
    NotJson(String),
    #[error("the document is not a JSON array but {0}\nhint: pass --format ndjson if each line is a JSON value")]
    NotAnArray(&'static str),
    #[error("no column is named {}; the columns are {}\nhint: pass --column with one of these", Quoted(.wanted), quoted(.headed))]
    MissingColumn { wanted: String, headed: Vec<String> },
    #[error("several columns are named {}\nhint: pass --column with the number of one, from 1", Quoted(.0))]
    AmbiguousColumn(String),
    #[error("there is no column {wanted}: the first row has {}", pluralized(*.columns as u64, "column"))]
    NoSuchColumn { wanted: usize, columns: usize },
    #[error("--column {} needs a header row, but --no-header was given\nhint: pass --column with a number, from 1", Quoted(.0))]
    NameWithoutHeader(String),
    #[error(
        "the first row cannot be the header: {flaw} (its columns: {})\nhint: fix or remove the row, or pass --no-header if it is \
         data, or the right --delimiter", quoted(.headed)
    )]
    MalformedHeader { flaw: String, headed: Vec<String> },
    #[error(
        "has {} columns ({}), none named key, key_name or name\nhint: {}\nhint: pass --delimiter if these are not the columns",
        headed.len(), listed(.headed), key_column_hint(.headed, *.numbered)
    )]
    NoKeyColumn { headed: Vec<String>, numbered: Option<usize> },
    #[error(
        "the first row is one column, but a header if it is split at {}\nhint: pass --delimiter {}, or --no-header if the \
         row is a key", delimiter(*.0), delimiter(*.0)
    )]
    OtherDelimiter(u8),
    #[error("the first line only names the delimiter\nhint: remove the line and pass --delimiter {}", delimiter(*.0))]
    DelimiterLine(u8),
    #[error("{} cannot be the delimiter", Quoted(.0.encode_utf8(&mut [0; 4])))]
    Delimiter(char),
    #[error(
        "--column, --no-header and --delimiter are for CSV, but this is read as {0}\nhint: omit them, or pass --format csv"
    )]
    CsvOption(Format),
    #[error(
        "this is the report of a job that ran (a row is {}), not of a dry run\nhint: to resume that job, pass its inputs with \
         --report and --resume\nhint: to retry what failed, pass its --failures file", Quoted(.0)
    )]
    SettledReport(String),
    #[error(
        "this is the report of kvsweep restore (a row is {}), whose keys are to be kept\nhint: pass a list of keys, or the \
         report of kvsweep delete --dry-run", Quoted(.0)
    )]
    RestoreReport(String),
    #[error(
        "the status of this row of a plan is {}, but has to be planned, kept, duplicate, invalid or absent\nhint: correct the \
         row, or make a new plan with --dry-run", if .0.is_empty() { "empty".to_owned() } else { Quoted(.0).to_string() }
    )]
    UnknownStatus(String),
    #[error(
        "this is the report of a job that ran: a row is {}, and no job file says that it is a plan\nhint: keep the job file \
         (PLAN.job.json) beside a plan; to resume a job, pass its inputs with --report and --resume",
        Quoted(.0)
    )]
    FailedRow(String),
    #[error(
        "some rows have a status of a kvsweep report and others have none, so it is unclear which keys to delete\nhint: pass \
         the plan and the other keys as separate files, or rename the column status if this is not a plan"
    )]
    MixedReport,
    #[error(
        "{} holds the statuses of a kvsweep plan, but the input does not name its key and status\nhint: {}, or pass only the \
         keys if this is not a plan", slot(.0), match .0 {
            Slot::Column(..) => "name the columns key and status in the first row",
            Slot::Member(_) => "name the members key and status",
        }
    )]
    HiddenStatus(Slot),
    /// How many columns a row has, and the first line, which has one.
    #[error(
        "this row has {0} columns, but line {1} has one: that is a title, or a name here contains the delimiter\nhint: remove the \
         title, put names in quotes, or pass --format lines"
    )]
    Uneven(usize, u64),
    #[error("it contains a carriage return that is not part of CRLF\nhint: {}", Lookalike::CarriageReturns.hint())]
    StrayReturn,
    #[error(
        "this looks like a kvsweep report without its status, which says which keys to delete\nhint: keep the column status, \
         or remove all columns but the key if this is not a report"
    )]
    ReportWithoutStatus,
    #[error("this is a kvsweep report, and --column names another column than its key\nhint: omit --column")]
    OtherColumnOfReport,
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    #[error("reading stopped because of a bug in kvsweep: {0}\nhint: please report it")]
    Panicked(String),
}

impl InputErrorKind {
    pub(super) fn read(compression: Compression, error: io::Error) -> Self {
        match compression {
            Compression::None => Self::Read(error),
            Compression::Gzip | Compression::Zstd => Self::Decompress { compression, error },
        }
    }
}

/// As it is given to `--delimiter` in a shell.
fn delimiter(byte: u8) -> String {
    if byte == b'\t' { "tab".to_owned() } else { format!("'{}'", char::from(byte)) }
}

fn slot(slot: &Slot) -> String {
    match slot {
        Slot::Column(byte, column) => format!("column {} (split at {})", column + 1, delimiter(*byte)),
        Slot::Member(name) => format!("the member {}", Quoted(name)),
    }
}

const MOST_LISTED: usize = 20;

fn quoted(names: &[String]) -> String {
    let mut shown: Vec<String> = names
        .iter()
        .take(MOST_LISTED)
        .map(|name| match name.char_indices().nth(60) {
            Some((cut, _)) => format!("{}…", Quoted(&name[..cut])),
            None => Quoted(name).to_string(),
        })
        .collect();
    if names.len() > MOST_LISTED {
        shown.push(format!("and {} more", names.len() - MOST_LISTED));
    }
    shown.join(", ")
}

fn listed(names: &[String]) -> String {
    let is_plain = |name: &str| !name.is_empty() && !name.contains([',', ' ', '"']);
    let shown = names.iter().take(MOST_LISTED).map(|name| match shortened_key(name) {
        name if is_plain(&name) => name,
        name => format!("\"{name}\""),
    });
    let shown: Vec<_> = shown.collect();
    let more = if names.len() > MOST_LISTED { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// The column that holds the keys most likely, as a word of a shell.
fn key_column_hint(names: &[String], numbered: Option<usize>) -> String {
    let is_likely = |name: &&String| ["key", "name"].iter().any(|word| name.to_lowercase().contains(word));
    let of_number = numbered.and_then(|index| names.get(index));
    let name = of_number.or_else(|| names.iter().find(is_likely)).or(names.first());
    match name {
        // A number is a position, whatever the columns are called.
        Some(name) if name.parse::<u64>().is_err() => {
            format!("pass --column {}, or --no-header if row 1 is data", shell_word(name.as_ref()))
        }
        _ => "pass --no-header if row 1 is data, or name the column of the keys key".to_owned(),
    }
}

impl From<InputErrorKind> for InputError {
    fn from(kind: InputErrorKind) -> Self {
        Self::new(None, kind)
    }
}

impl From<OpenError> for InputError {
    fn from(OpenError { compression, error }: OpenError) -> Self {
        InputErrorKind::read(compression, error).into()
    }
}

impl From<FormatError> for InputError {
    fn from(FormatError { position, kind }: FormatError) -> Self {
        let kind = match kind {
            FormatErrorKind::Read(error) => InputErrorKind::Read(error),
            FormatErrorKind::UnclosedQuote => InputErrorKind::UnclosedQuote,
            FormatErrorKind::RowTooLong => InputErrorKind::FirstRowTooLong,
            FormatErrorKind::NotAnArray(what) => InputErrorKind::NotAnArray(what),
            FormatErrorKind::Syntax(what) => InputErrorKind::Json(what),
        };
        Self::at(position, kind)
    }
}
