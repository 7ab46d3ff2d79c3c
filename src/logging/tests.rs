//! What reaches stderr at each verbosity, and in which form.

use std::io::{Read, Seek};

use indicatif::ProgressDrawTarget;

use super::*;

const ALL: [LevelFilter; 5] =
    [LevelFilter::ERROR, LevelFilter::WARN, LevelFilter::INFO, LevelFilter::DEBUG, LevelFilter::TRACE];

/// What `say` leaves on stderr.
fn logged(level: LevelFilter, format: LineFormat, say: impl FnOnce()) -> String {
    let mut file = tempfile::tempfile().unwrap();
    let stderr = file.try_clone().unwrap();
    let screen = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
    let options = LogOptions { level, format };
    tracing::subscriber::with_default(subscriber(options, screen, move || stderr.try_clone().unwrap()), say);
    let mut log = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut log).unwrap();
    log
}

fn say_everything() {
    tracing::error!("one");
    tracing::warn!("two");
    tracing::info!("three");
    tracing::debug!("four");
    tracing::trace!("five");
    tracing::error!(target: "hyper::client", "theirs one");
    tracing::warn!(target: "hyper::client", "theirs two");
    tracing::info!(target: "h2::codec", authorization = "Bearer s3cret", "theirs three");
    tracing::debug!(target: "h2::codec", authorization = "Bearer s3cret", "theirs four");
    tracing::trace!(target: "hyper::client", authorization = "Bearer s3cret", "theirs five");
    tracing::debug!(target: "hyper_util::client::legacy::pool", "theirs six");
    tracing::trace!(target: "hyper_util::client", authorization = "Bearer s3cret", "theirs seven");
}

#[test]
fn each_verbosity_adds_a_level_of_ours_and_little_of_others() {
    let lines = ALL.map(|verbosity| logged(verbosity, LineFormat::Text, say_everything).lines().count());
    assert_eq!(lines, [2, 3, 4, 6, 8]);
}

#[test]
fn no_verbosity_shows_what_other_crates_say_of_headers() {
    for verbosity in ALL {
        for format in [LineFormat::Text, LineFormat::Json] {
            let log = logged(verbosity, format, say_everything);
            assert!(!log.contains("s3cret") && !log.contains("authorization"), "{verbosity:?}: {log}");
        }
    }
}

#[test]
fn a_line_for_people_is_plain() {
    let log = logged(LevelFilter::WARN, LineFormat::Text, || {
        tracing::warn!(key = ?"a\u{1b}[31m", status = 503, "the key is tried again");
        tracing::error!("the server said {}", "\u{202e}no\u{1b}[2J");
    });
    insta::assert_snapshot!(log, @r#"
    warning: the key is tried again key="a\u{1b}[31m" status=503
    error: the server said \u{202e}no\x1b[2J
    "#);
}

#[test]
fn times_come_with_v_and_modules_with_vv() {
    let line = |verbosity| logged(verbosity, LineFormat::Text, || tracing::info!("hello"));
    let verbose = line(LevelFilter::INFO);
    let (time, rest) = verbose.split_once(' ').unwrap();
    assert!(humantime::parse_rfc3339(time).is_ok(), "{verbose}");
    assert_eq!(rest, "info: hello\n");
    let debug = line(LevelFilter::DEBUG);
    assert_eq!(debug.split_once(' ').unwrap().1, "info: kvsweep::logging::tests: hello\n");
}

#[test]
fn json_has_one_object_a_line() {
    let log = logged(LevelFilter::WARN, LineFormat::Json, || {
        tracing::warn!(key = ?"a\nb", attempts = 3, "hidden \u{202e} text");
        tracing::error!("second");
    });
    let entries: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries.len(), 2);
    assert!(humantime::parse_rfc3339(entries[0]["timestamp"].as_str().unwrap()).is_ok());
    assert_eq!(entries[0]["level"], "WARN");
    assert_eq!(entries[0]["message"], "hidden \u{202e} text");
    assert_eq!(entries[0]["attempts"], 3);
    assert_eq!(entries[1]["target"], "kvsweep::logging::tests");
    assert!(!log.contains('\u{202e}'));
}
