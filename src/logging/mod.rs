//! The log on stderr: how much of it, in which form, and the gate that every line passes.
//!
//! A line of the log takes the progress bar off the screen while it is written, and no character of it can move
//! the cursor or hide text. Other crates are not heard below warnings, but for the connections of `hyper_util`, which hold no
//! header: what others say in detail may include headers, and with them secrets.

mod gate;
mod message;

use std::{fmt, io};

use indicatif::MultiProgress;
use thiserror::Error;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use crate::clock::{rfc3339_millis, wall_now};
use crate::stderr::{self, LineFormat};
use gate::{Escapes, Gate};
use message::Style;

pub(crate) use message::print_message;

/// What the log is to be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOptions {
    /// Of our own lines: errors and warnings; from INFO (`-v`) on what the job does, with times; from DEBUG (`-vv`) on every
    /// request, with the module that says so; at TRACE (`-vvv`) the libraries' connections too.
    pub level: LevelFilter,
    pub format: LineFormat,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { level: LevelFilter::WARN, format: LineFormat::default() }
    }
}

/// The log could not be started.
#[derive(Debug, Error)]
#[error("the log was started twice; start it once, at the beginning of the process")]
pub struct LoggingError(#[source] tracing::subscriber::SetGlobalDefaultError);

/// Sends the log of the whole process to stderr, around whatever `screen` shows. Whoever logs never waits.
///
/// # Errors
/// [`LoggingError`] when a log was started before.
pub fn start(options: LogOptions, screen: &MultiProgress) -> Result<(), LoggingError> {
    let subscriber = subscriber(options, screen.clone(), stderr::lines);
    tracing::subscriber::set_global_default(subscriber).map_err(LoggingError)
}

fn subscriber<W: io::Write + 'static>(
    options: LogOptions,
    screen: MultiProgress,
    open: impl Fn() -> W + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    let escapes = match options.format {
        LineFormat::Text => Escapes::Text(Style::of_stderr()),
        LineFormat::Json => Escapes::Json,
    };
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(move || Gate { screen: screen.clone(), escapes, inner: open() })
        .with_ansi(false)
        // It would report a broken stderr on stderr, and panic.
        .log_internal_errors(false);
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match options.format {
        LineFormat::Text => layer.event_format(Line(options.level)).boxed(),
        LineFormat::Json => {
            let layer = layer.json().flatten_event(true).with_current_span(false).with_span_list(false);
            layer.with_timer(WallTime).boxed()
        }
    };
    tracing_subscriber::registry().with(layer.with_filter(filter(options.level)))
}

fn filter(level: LevelFilter) -> Targets {
    let others = if level >= LevelFilter::DEBUG { LevelFilter::WARN } else { LevelFilter::ERROR };
    let connections = if level == LevelFilter::TRACE { LevelFilter::DEBUG } else { others };
    Targets::new()
        .with_target(env!("CARGO_CRATE_NAME"), level)
        .with_target("hyper_util", connections)
        .with_default(others)
}

/// RFC 3339 in UTC, with milliseconds.
struct WallTime;

impl FormatTime for WallTime {
    fn format_time(&self, out: &mut Writer<'_>) -> fmt::Result {
        write!(out, "{}", rfc3339_millis(wall_now()))
    }
}

/// A line for people: `warning: message field=value`, with the time from `-v` on and the module from `-vv` on.
struct Line(LevelFilter);

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if self.0 >= LevelFilter::INFO {
            WallTime.format_time(&mut out)?;
            out.write_char(' ')?;
        }
        let mut text = String::new();
        context.field_format().format_fields(Writer::new(&mut text), event)?;
        let meta = event.metadata();
        // A hint that belongs to no message.
        if !text.starts_with("hint: ") {
            out.write_str(match *meta.level() {
                Level::ERROR => "error: ",
                Level::WARN => "warning: ",
                Level::INFO => "info: ",
                Level::DEBUG => "debug: ",
                Level::TRACE => "trace: ",
            })?;
            if self.0 >= LevelFilter::DEBUG {
                write!(out, "{}: ", meta.target())?;
            }
        }
        writeln!(out, "{text}")
    }
}

#[cfg(test)]
mod tests;
