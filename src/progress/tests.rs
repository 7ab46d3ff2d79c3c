//! The display as a whole: what leaves on stderr, and when.

use std::io;
use std::sync::{Arc, Mutex};

use tokio::time::advance;

use super::*;
use crate::outcome::Status;
use crate::pipeline::PauseCause;

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

fn target(out: impl Write + Send + 'static) -> (ProgressDrawTarget, Size) {
    let size = || (80, 24);
    (screen::target(out, size), size)
}

fn of_1000() -> ProgressOptions {
    ProgressOptions { total: Some(1_000), ..ProgressOptions::default() }
}

fn settle(progress: &mut Progress, keys: u64) {
    for _ in 0..keys {
        progress.on(&Event::Settled(Status::Deleted));
    }
}

#[tokio::test(start_paused = true)]
async fn off_a_terminal_there_is_a_line_every_half_minute() {
    let sink = Sink::default();
    let mut progress = Progress::with_lines(of_1000(), Box::new(sink.clone()));
    for _ in 0..29 {
        settle(&mut progress, 4);
        advance(Duration::from_secs(1)).await;
        progress.tick();
    }
    assert_eq!(sink.take(), "");
    advance(Duration::from_secs(1)).await;
    settle(&mut progress, 4);
    assert_eq!(
        sink.take(),
        "117/1,000 (11.7%) · 3.9/s · about 3m 47s to go\n",
        "after the first event after the interval"
    );
    for _ in 0..60 {
        advance(Duration::from_secs(1)).await;
        progress.tick();
    }
    assert_eq!(sink.take().lines().count(), 2);
    progress.finish();
    advance(LINE_INTERVAL).await;
    progress.tick();
    assert_eq!(sink.take(), "");
}

#[tokio::test(start_paused = true)]
async fn a_pause_counts_down_on_the_bar() {
    let sink = Sink::default();
    let mut progress = Progress::with_bar(of_1000(), &screen(), target(sink.clone()));
    settle(&mut progress, 500);
    sink.take();
    let until = Instant::now() + Duration::from_mins(5);
    let cause = PauseCause::Throttled;
    progress.on(&Event::Paused { until, cause });
    for (seconds, expected) in [(48, "4m 12s"), (1, "4m 11s")] {
        advance(Duration::from_secs(seconds)).await;
        progress.tick();
        let drawn = sink.take();
        assert!(drawn.contains(&format!("paused by Cloudflare, resuming in {expected}")), "{drawn:?}");
        assert!(drawn.contains("500/1,000 (50.0%)"), "{drawn:?}");
        assert!(drawn.contains(&format!("[{}>", "=".repeat(39))), "half of 78 columns: {drawn:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_bar_is_drawn_ten_times_a_second_at_most() {
    let sink = Sink::default();
    let mut progress = Progress::with_bar(of_1000(), &screen(), target(sink.clone()));
    settle(&mut progress, 1);
    assert_ne!(sink.take(), "");
    settle(&mut progress, 900);
    progress.tick();
    assert_eq!(sink.take(), "");
    advance(REFRESH).await;
    progress.tick();
    assert!(sink.take().contains("901/1,000"));
}

#[tokio::test(start_paused = true)]
async fn a_finished_bar_is_gone() {
    let sink = Sink::default();
    let mut progress = Progress::with_bar(of_1000(), &screen(), target(sink.clone()));
    settle(&mut progress, 1);
    sink.take();
    progress.finish();
    let cleared = sink.take();
    assert!(cleared.contains("\x1b[2K") && !cleared.contains("1,000"), "{cleared:?}");
    advance(REFRESH).await;
    settle(&mut progress, 1);
    progress.finish();
    assert_eq!(sink.take(), "");
}

#[tokio::test(start_paused = true)]
async fn without_a_total_the_keys_are_counted() {
    let sink = Sink::default();
    let mut progress = Progress::with_bar(ProgressOptions::default(), &screen(), target(sink.clone()));
    progress.tick();
    advance(REFRESH).await;
    settle(&mut progress, 1);
    assert!(sink.take().contains(" 1 key"), "drawn with a spinner");
}

#[tokio::test(start_paused = true)]
async fn what_is_written_meanwhile_does_not_tear_the_bar() {
    let sink = Sink::default();
    let screen = screen();
    let mut progress = Progress::with_bar(of_1000(), &screen, target(sink.clone()));
    settle(&mut progress, 1);
    sink.take();
    screen.suspend(|| sink.clone().write_all(b"warning: x\n").unwrap());
    let drawn = sink.take();
    let (before, after) = drawn.split_once("warning: x\n").unwrap();
    assert!(before.contains("\x1b[2K") && !before.contains("1,000"), "cleared first: {before:?}");
    assert!(after.contains("1/1,000"), "drawn again after it: {after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_terminal_that_is_gone_does_not_end_the_job() {
    let screen = screen();
    let mut bar = Progress::with_bar(of_1000(), &screen, target(Broken));
    let mut lines = Progress::with_lines(of_1000(), Box::new(Broken));
    for progress in [&mut bar, &mut lines] {
        for _ in 0..3 {
            advance(LINE_INTERVAL).await;
            settle(progress, 1);
        }
        progress.finish();
    }
    assert_eq!(screen.suspend(|| 7), 7);
}

#[tokio::test(start_paused = true)]
async fn the_mode_decides_what_is_shown() {
    let shown = |mode, stderr_is_terminal| {
        let options = ProgressOptions { mode, stderr_is_terminal, ..of_1000() };
        match Progress::new(options, &screen()).display {
            Display::Nothing => "nothing",
            Display::Bar { .. } => "bar",
            Display::Lines { .. } => "lines",
        }
    };
    assert_eq!(shown(ProgressMode::Auto, true), "bar");
    assert_eq!(shown(ProgressMode::Auto, false), "lines");
    assert_eq!(shown(ProgressMode::Always, false), "bar");
    assert_eq!(shown(ProgressMode::Never, true), "nothing");
}

#[tokio::test(start_paused = true)]
async fn lines_beside_a_json_log_are_json() {
    let sink = Sink::default();
    let options = ProgressOptions { lines: LineFormat::Json, ..of_1000() };
    let mut progress = Progress::with_lines(options, Box::new(sink.clone()));
    advance(LINE_INTERVAL).await;
    settle(&mut progress, 1);
    let line: serde_json::Value = serde_json::from_str(&sink.take()).unwrap();
    assert_eq!((&line["done"], &line["total"]), (&1.into(), &1_000.into()));
}
