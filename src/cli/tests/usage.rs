//! What is understood, what is refused, and what is said about it.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use tracing::level_filters::LevelFilter;

use super::*;
use crate::exit::ExitCode;
use crate::input::{Column, Format, Source};
use crate::pipeline::FailureLimit;
use crate::progress::ProgressMode;
use crate::quota::Rate;
use crate::report::{Sync, Target};
use crate::stderr::LineFormat;

/// The error that words after `kvsweep delete` end in.
fn refused(words: &[&str]) -> clap::Error {
    match delete(words) {
        Ok(args) => panic!("{words:?} passes: {args:?}"),
        Err(error) => {
            assert_eq!(ExitCode::for_usage(&error), ExitCode::Usage, "{words:?}");
            error
        }
    }
}

#[test]
fn nothing_said_means_the_defaults() {
    let args = delete(&[]).unwrap();
    assert!(args.inputs.is_empty());
    assert_eq!(args.format, None);
    assert_eq!((&args.report, args.sync), (&None, Sync::EverySecond));
    let limits = [Rate::PER_USER, Rate::PER_ADDRESS].map(Some);
    assert_eq!(
        (args.requests.rates.as_slice(), args.in_flight.concurrency, args.requests.retries),
        (&limits[..], 32, 8)
    );
    let seconds =
        [args.requests.timeout, args.requests.max_wait, args.in_flight.grace].map(|duration| duration.as_secs());
    assert_eq!((seconds, args.requests.deadline), ([30, 900, 10], None));
    assert_eq!((args.max_keys, args.max_failures), (None, Some(FailureLimit::Percent(50.0))));
    assert_eq!(args.connection.account.base_url, "https://api.cloudflare.com/client/v4");
    assert_eq!(args.output.progress_mode(), ProgressMode::Auto);
    assert_eq!(args.output.log.options().level, LevelFilter::WARN);
}

#[test]
fn everything_that_may_be_said_is_understood() {
    let line = "a.csv - b.gz --format csv --column user --delimiter tab --no-dedupe --yes --max-keys 1_000 \
                --max-failures 5% --report out.ndjson --resume --failures bad.csv --json --sync always \
                --rate 100/1m --rate 5/s,7/2s --concurrency 1024 --retries 0 --timeout 5s --max-wait 1h \
                --deadline 1h30m --grace 0s --account-id acc --namespace-id ns --api-token-file token \
                --base-url http://127.0.0.1:1 --cacert ca.pem --progress always -vv --log-format json";
    let args = delete(&line.split_whitespace().collect::<Vec<_>>()).unwrap();
    assert_eq!(args.inputs, [Source::File("a.csv".into()), Source::Stdin, Source::File("b.gz".into())]);
    assert_eq!(args.column, Some(Column::Name("user".to_owned())));
    assert_eq!((args.format, args.delimiter), (Some(Format::Csv), Some(b'\t')));
    assert!(args.no_dedupe && args.yes && args.resume && args.json);
    assert_eq!(args.max_keys, NonZeroU64::new(1_000));
    assert_eq!(args.max_failures, Some(FailureLimit::Percent(5.0)));
    assert_eq!(args.report, Some(Target::File("out.ndjson".into())));
    assert_eq!((args.failures, args.sync), (Some(PathBuf::from("bad.csv")), Sync::Always));
    let rates = ["100/1m", "5/1s", "7/2s"].map(|rate| Some(rate.parse().unwrap()));
    assert_eq!(args.requests.rates, rates);
    assert_eq!((args.in_flight.concurrency, args.requests.retries), (1_024, 0));
    assert_eq!(args.requests.deadline, Some(Duration::from_mins(90)));
    assert_eq!(args.in_flight.grace, Duration::ZERO);
    assert_eq!(args.connection.account.account_id.unwrap().as_str(), "acc");
    assert_eq!(args.connection.account.api_token_file, Some("token".into()));
    assert_eq!(args.output.progress_mode(), ProgressMode::Always);
    let log = args.output.log.options();
    assert_eq!((log.level, log.format), (LevelFilter::DEBUG, LineFormat::Json));
}

#[test]
fn quiet_silences_progress_unless_it_is_asked_for() {
    assert_eq!(delete(&["-q"]).unwrap().output.progress_mode(), ProgressMode::Never);
    let asked = delete(&["-q", "--progress", "always"]).unwrap();
    assert_eq!(asked.output.progress_mode(), ProgressMode::Always);
}

#[test]
fn contradictions_are_refused() {
    for line in [
        "--resume --overwrite --report r.csv",
        "--json --report -",
        "--rate none --rate 5/s",
        "--rate none,5/s",
        "--dry-run --resume --report r.csv",
        "--dry-run --failures f.csv",
        "--dry-run --sandbox",
        "-q -v",
        "--resume --report -",
        "--resume --report none",
        "--binding B --namespace-id ns",
        "--namespace T --namespace-id ns",
        "--namespace T --binding B",
        "--env staging",
        "--env staging --namespace-id ns",
        "--format lines --column 2",
        "--format json --no-header",
        "--format ndjson --delimiter ;",
        "--no-header --column user",
        "--report a.csv --failures a.csv",
        "keys.csv --report keys.csv --overwrite",
        "keys.csv --failures keys.csv --overwrite",
        "keys.csv --report r.csv --failures keys.csv",
    ] {
        let error = refused(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(error.kind(), ErrorKind::ArgumentConflict, "{line}: {error}");
    }
    assert_eq!(refused(&["--resume"]).kind(), ErrorKind::MissingRequiredArgument);
}

#[test]
fn what_only_looks_like_a_contradiction_passes() {
    for line in [
        "--yes --dry-run",
        "--dry-run --report - ",
        "--json --report none",
        "--json --report r.csv",
        "--rate none",
        "--no-header --column 2",
        "--sandbox --yes --report r.csv",
        "--overwrite --failures f.csv",
        "./- ./none - --report ./-x",
    ] {
        delete(&line.split_whitespace().collect::<Vec<_>>()).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

#[test]
fn values_out_of_range_are_refused() {
    for line in [
        "--concurrency 0",
        "--concurrency 1025",
        "--rate 0/1s",
        "--rate 5",
        "--retries -1",
        "--timeout 30",
        "--timeout 0s",
        "--deadline 0s",
        "--max-wait 500days",
        "--max-keys 0",
        "--max-failures 101%",
        "--column 0",
        "--delimiter ab",
        "--format xml",
        "--account-id a/b",
        "--namespace-id ..",
        "--progress sometimes",
    ] {
        let error = refused(&line.split(' ').collect::<Vec<_>>());
        let kinds = [ErrorKind::ValueValidation, ErrorKind::InvalidValue, ErrorKind::UnknownArgument];
        assert!(kinds.contains(&error.kind()), "{line}: {error}");
    }
    for empty in ["--base-url=", "--report=", "--column="] {
        refused(&[empty]);
    }
}

#[test]
fn mistakes_are_answered_with_help() {
    let said = [
        &["--timeout", "30"][..],
        &["--resum"],
        &["--rate", "none", "--rate", "5/s"],
        &["--concurrency", "4096"],
        &["--resume"],
    ]
    .map(|words| refused(words).to_string());
    insta::assert_snapshot!(said.join("\n----\n"));
}

#[test]
fn no_flag_takes_a_secret_and_none_is_repeated() {
    const SECRET: &str = "v1.0-s3cr3t";
    for flag in ["--api-token", "--token", "--api-key", "--key", "--api-tokn"] {
        for words in [&[flag, SECRET][..], &[&format!("{flag}={SECRET}")], &[SECRET, flag], &[flag]] {
            let said = refused(words).to_string();
            assert!(!said.contains(SECRET), "{words:?}: {said}");
            let knows_better = said.contains("CLOUDFLARE_API_TOKEN") && said.contains("--api-token-file");
            assert!(knows_better || flag == "--api-tokn", "{words:?}: {said}");
        }
    }
    insta::assert_snapshot!(refused(&["--api-token", SECRET]));
}

#[test]
fn the_sandbox_has_its_own_flags() {
    let line = "sandbox --port 0 --keys a.csv --keys b.csv --token any --quota 1200/5m --quota 5/s/fixed \
                --latency 20ms..80ms --fault 503=0.05 --fault 503@prefix:user: --title t --seed 7 \
                --daily-deletes 1000 --legacy-bulk -v";
    let cli = parse(&line.split_whitespace().collect::<Vec<_>>()).unwrap();
    let Command::Sandbox(args) = cli.command else {
        panic!("not a sandbox: {cli:?}");
    };
    assert_eq!((args.port, args.keys.len(), args.quotas.len()), (0, 2, 2));
    assert_eq!(args.faults, ["503=0.05", "503@prefix:user:"]);
    assert_eq!(args.latency.unwrap().1, Duration::from_millis(80));
    assert_eq!((args.title.as_str(), args.seed), ("t", 7));
    assert!(args.legacy_bulk && args.daily_deletes == NonZeroU64::new(1_000));
    assert_eq!(args.log.options().level, LevelFilter::INFO);
}

#[test]
fn help_and_version_are_no_mistakes() {
    for words in [&["--version"][..], &["-V"], &["-h"], &["--help"], &["delete", "-h"], &["help", "delete"]] {
        let error = parse(words).unwrap_err();
        assert_eq!(ExitCode::for_usage(&error), ExitCode::Success, "{words:?}");
    }
    assert_eq!(ExitCode::for_usage(&parse(&[]).unwrap_err()), ExitCode::Usage);
    assert_eq!(ExitCode::for_usage(&parse(&["delet"]).unwrap_err()), ExitCode::Usage);
}
