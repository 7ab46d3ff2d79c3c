//! What a person sees of a running job: a bar on a terminal, a line every half minute elsewhere, or nothing.
//!
//! It listens to the pipeline's events and is never asked. What is counted is in `state`, how it reads in `text`,
//! how it reaches the terminal in `screen`.

mod screen;
mod speed;
mod state;
mod text;

use std::cell::RefCell;
use std::io::Write;
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::{Instant, interval};

use crate::clock::wall_now;
use crate::pipeline::Event;
use crate::stderr::{self, LineFormat};
use state::State;

pub(crate) use state::{Alternative, Estimate};

use screen::{Size, stderr_size};
pub(crate) use screen::{clear_line, stderr_is_terminal};

/// How long what is shown may be out of date: the bar is drawn ten times a second.
const REFRESH: Duration = Duration::from_millis(100);

/// How far apart the lines are that stand in for a bar.
const LINE_INTERVAL: Duration = Duration::from_secs(30);

/// No line of the bar is longer.
const MAX_COLUMNS: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ProgressMode {
    /// A bar on a terminal, a line every 30 s elsewhere.
    #[default]
    Auto,
    /// The bar, even where stderr is no terminal.
    Always,
    /// Nothing.
    Never,
}

/// What the display has to know before the job begins.
#[derive(Default)]
pub(crate) struct ProgressOptions {
    pub mode: ProgressMode,
    pub stderr_is_terminal: bool,
    pub lines: LineFormat,
    pub total: Option<u64>,
    /// A floor for the time left: a burst is faster than the rate that follows it.
    pub expected: Option<Estimate>,
    pub in_bulk: Option<Alternative>,
}

/// The display of one job.
///
/// [`Progress::on`] costs a few additions, and ten times a second a drawing. [`Progress::tick`] is to be called
/// about as often, so that a pause counts down while nothing happens.
pub(crate) struct Progress {
    state: State,
    display: Display,
    next_refresh: Instant,
}

enum Display {
    Nothing,
    Bar { bar: ProgressBar, screen: MultiProgress, size: Size },
    Lines { out: Box<dyn Write + Send>, format: LineFormat, next: Instant },
}

/// The handle that the log and the bar share, so that they do not tear each other. It shows nothing until a
/// [`Progress`] with a bar is made on it.
pub fn screen() -> MultiProgress {
    MultiProgress::with_draw_target(ProgressDrawTarget::hidden())
}

impl Progress {
    pub(crate) fn new(options: ProgressOptions, screen: &MultiProgress) -> Self {
        let draws = match options.mode {
            ProgressMode::Never => return Self::with_display(options, Display::Nothing),
            ProgressMode::Always => true,
            ProgressMode::Auto => options.stderr_is_terminal,
        };
        if draws {
            Self::with_bar(options, screen, (screen::target(stderr::drawing(), stderr_size), stderr_size))
        } else {
            Self::with_lines(options, Box::new(stderr::lines()))
        }
    }

    fn with_bar(options: ProgressOptions, screen: &MultiProgress, (target, size): (ProgressDrawTarget, Size)) -> Self {
        screen.set_draw_target(target);
        let bar = screen.add(match options.total {
            Some(total) => ProgressBar::new(total).with_style(style("{msg}")),
            None => ProgressBar::new_spinner().with_style(style("{spinner} {msg}").tick_chars("-\\|/ ")),
        });
        let screen = screen.clone();
        Self::with_display(options, Display::Bar { bar, screen, size })
    }

    fn with_lines(options: ProgressOptions, out: Box<dyn Write + Send>) -> Self {
        let display = Display::Lines { out, format: options.lines, next: Instant::now() + LINE_INTERVAL };
        Self::with_display(options, display)
    }

    fn with_display(options: ProgressOptions, display: Display) -> Self {
        let now = Instant::now();
        let state = State::new(options.total, options.expected, now).compared(options.in_bulk);
        Self { state, display, next_refresh: now }
    }

    pub(crate) fn on(&mut self, event: &Event) {
        if matches!(self.display, Display::Nothing) {
            return;
        }
        let now = Instant::now();
        self.state.on(event, now);
        self.refresh(now);
    }

    pub(crate) fn listed(&mut self, keys: u64) {
        self.state.listed(keys);
        self.refresh(Instant::now());
    }

    pub(crate) fn tick(&mut self) {
        self.refresh(Instant::now());
    }

    /// Takes the bar off the screen: the summary says the rest. Events after this are not shown.
    pub(crate) fn finish(&mut self) {
        if let Display::Bar { bar, screen, .. } = std::mem::replace(&mut self.display, Display::Nothing) {
            bar.finish_and_clear();
            screen.remove(&bar);
        }
    }

    fn refresh(&mut self, now: Instant) {
        if now < self.next_refresh {
            return;
        }
        self.next_refresh = now + REFRESH;
        match &mut self.display {
            Display::Nothing => {}
            Display::Bar { bar, size, .. } => {
                let view = self.state.view(now, wall_now());
                let text = view.lines(usize::from(size().0).min(MAX_COLUMNS));
                // The builders set without drawing, so that a refresh draws once.
                let bar = bar.clone().with_position(view.done).with_message(text);
                bar.tick();
            }
            Display::Lines { out, format, next } => {
                // Taking the view also samples the speed.
                let view = self.state.view(now, wall_now());
                if now < *next {
                    return;
                }
                *next = now + LINE_INTERVAL;
                let line = match format {
                    LineFormat::Text => view.to_string(),
                    LineFormat::Json => view.to_json(wall_now()),
                };
                // A stderr that is gone does not end the job.
                let _ = out.write_all(format!("{line}\n").as_bytes());
            }
        }
    }
}

/// Does `work`, and keeps the display up to date meanwhile. It must not be borrowed across a wait.
pub(crate) async fn with_progress<T>(progress: &RefCell<Progress>, work: impl Future<Output = T>) -> T {
    let ticks = async {
        let mut ticks = interval(REFRESH);
        loop {
            ticks.tick().await;
            progress.borrow_mut().tick();
        }
    };
    tokio::select! {
        done = work => done,
        never = ticks => match never {},
    }
}

#[expect(clippy::expect_used, reason = "the templates are constants of this file, drawn in its tests")]
fn style(template: &'static str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("a constant template")
}

#[cfg(test)]
mod tests;
