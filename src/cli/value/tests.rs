use super::*;

#[test]
fn counts_are_whole_and_not_zero() {
    assert_eq!(count("10_000_000").unwrap().get(), 10_000_000);
    for text in ["", "0", "-1", "+1", "1.5", "1e6", "_", "ten", "18446744073709551616", "1,000"] {
        assert_eq!(count(text), Err(ValueError::Count), "{text:?}");
    }
}

#[test]
fn bulk_is_a_switch_or_a_batch_size() {
    let keys = |count| Ok(Batching::Bulk(BatchLimit { keys: NonZeroU32::new(count).unwrap(), bytes: MAX_BULK_BYTES }));
    assert_eq!(bulk("false"), Ok(Batching::Single));
    assert_eq!(bulk("true"), keys(10_000));
    assert_eq!(bulk("10_000"), keys(10_000));
    assert_eq!(bulk("1"), keys(1), "a number, not a yes");
    for text in ["", "0", "10001", "-1", "yes", "on", "True", "1.5", "4294967297"] {
        assert_eq!(bulk(text), Err(ValueError::Bulk), "{text:?}");
    }
}

#[test]
fn failures_are_counted_or_a_share() {
    assert_eq!(max_failures("7"), Ok(Some(FailureLimit::Count(NonZeroU64::new(7).unwrap()))));
    assert_eq!(max_failures("2.5%"), Ok(Some(FailureLimit::Percent(2.5))));
    assert_eq!(max_failures("100%"), Ok(Some(FailureLimit::Percent(100.0))));
    assert_eq!(max_failures("none"), Ok(None));
    for text in ["0%", "0.0%", "100.1%", "-5%", "nan%", "inf%", "%", "1e1%", "+5%", "5 %"] {
        assert_eq!(max_failures(text), Err(ValueError::Percentage), "{text:?}");
    }
    for text in ["", "0", "5%%%", "None", "none%"] {
        assert!(max_failures(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_job_name_is_one_line() {
    assert_eq!(job_name("nightly \"ключ\""), Ok("nightly \"ключ\"".to_owned()));
    for text in ["", "a\nb", "\u{1b}", &"x".repeat(201)] {
        assert_eq!(job_name(text), Err(ValueError::JobName), "{text:?}");
    }
}

#[test]
fn only_files_that_are_read_are_written() {
    assert_eq!(metrics_file("/var/lib/x/kvsweep.prom"), Ok("/var/lib/x/kvsweep.prom".into()));
    for text in ["", ".prom", "kvsweep.txt", "kvsweep.prom.tmp", "kvsweep.PROM", "prom"] {
        assert_eq!(metrics_file(text), Err(ValueError::MetricsFile), "{text:?}");
    }
}

#[test]
fn delimiters_are_one_byte() {
    for (text, byte) in [(";", b';'), ("tab", b'\t'), ("\\t", b'\t'), ("\t", b'\t'), ("|", b'|'), (" ", b' ')] {
        assert_eq!(delimiter(text), Ok(byte), "{text:?}");
    }
    for text in ["", "\"", "\n", "\r", "\r\n", ";;", "é", "·"] {
        assert_eq!(delimiter(text), Err(ValueError::Delimiter), "{text:?}");
    }
}

#[test]
fn a_part_is_given_or_taken_from_the_scheduler() {
    assert_eq!("2/4".parse(), Ok(ShardArg::Part(Shard::new(1, 4).unwrap())));
    assert_eq!("auto/4".parse(), Ok(ShardArg::Auto(NonZeroU32::new(4).unwrap())));
    for text in ["", "auto", "auto/", "auto4", "Auto/4", "auto/2/4", "auto/-4", "auto/ 4", "2", "auto/auto"] {
        assert_eq!(text.parse::<ShardArg>(), Err(ValueError::ShardShape), "{text:?}");
    }
    for text in ["auto/0", "auto/100001", "auto/4294967296", "5/4", "0/4"] {
        assert!(matches!(text.parse::<ShardArg>(), Err(ValueError::ShardRange(_))), "{text:?}");
    }
}

#[test]
fn durations_have_units() {
    for (text, millis) in [("30s", 30_000), ("1h30m", 5_400_000), ("500ms", 500), ("0", 0), ("0s", 0)] {
        assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text:?}");
    }
    assert_eq!(duration("30").unwrap_err().to_string(), "30 what? for example 30s or 30m");
    assert_eq!(duration("1.5"), Err(ValueError::NoUnit("1.5".to_owned())));
    for text in ["", " ", "s", "-5s", "5 parsecs", "5s-", "1e3s"] {
        assert_eq!(duration(text), Err(ValueError::Duration), "{text:?}");
    }
    for text in ["367days", "99999999999999999999s", "1000y", "18446744073709551615h"] {
        assert_eq!(duration(text), Err(ValueError::LongDuration), "{text:?}");
    }
    assert_eq!(nonzero_duration("0s"), Err(ValueError::ZeroDuration));
    assert_eq!(nonzero_duration("1ms"), Ok(Duration::from_millis(1)));
}

#[test]
fn rates_may_be_none() {
    assert_eq!(rate("none"), Ok(None));
    assert_eq!(rate("1200/5m"), Ok(Some(Rate::PER_USER)));
    assert_eq!(rate("None"), Err(RateError::Shape));
}

#[test]
fn quotas_slide_unless_fixed() {
    let window = Rate::PER_USER.window();
    assert_eq!(quota("1200/5m"), Ok(Quota::sliding(1200, window)));
    assert_eq!(quota("1200/5m/fixed"), Ok(Quota::fixed(1200, window)));
    assert_eq!(quota("fixed"), Err(RateError::Shape));
    assert!(quota("1200/5m/fluid").is_err());
}

#[test]
fn a_latency_is_one_duration_or_a_range() {
    let millis = |low, high| (Duration::from_millis(low), Duration::from_millis(high));
    assert_eq!(latency("20ms"), Ok(millis(20, 20)));
    assert_eq!(latency("0..80ms"), Ok(millis(0, 80)));
    assert_eq!(latency("80ms..20ms"), Err(ValueError::LatencyOrder));
    assert_eq!(latency("20..80ms"), Err(ValueError::NoUnit("20".to_owned())));
}

proptest::proptest! {
    #[test]
    fn no_text_panics_or_passes_the_limit(text in "[0-9a-z. %/-]{0,12}") {
        if let Ok(duration) = duration(&text) {
            proptest::prop_assert!(duration <= MAX_DURATION);
        }
    }
}

#[test]
fn a_moment_stands_still_and_a_duration_moves() {
    let now = UNIX_EPOCH + Duration::from_secs(1_000);
    let at = |text: &str| moment_after(now, text).map(|moment| moment.at);
    assert_eq!(at("1970-01-02T00:00:00Z"), Ok(86_400));
    assert_eq!(at("1h"), Ok(4_600));
    for text in ["", "tomorrow", "2026-13-01T00:00:00Z", "7"] {
        assert_eq!(at(text), Err(ValueError::When), "{text}");
    }
}
