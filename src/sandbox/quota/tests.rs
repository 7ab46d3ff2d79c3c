use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// The waits in milliseconds that requests at these milliseconds get; 0 for those within the quota.
fn waits(quota: Quota, arrivals: &[u64]) -> Vec<u128> {
    let start = Instant::now();
    let meters = Quotas::new(&[quota], start);
    arrivals
        .iter()
        .map(|at| meters.judge(start + Duration::from_millis(*at)).wait)
        .map(|wait| wait.unwrap_or_default().as_millis())
        .collect()
}

fn unblocked(quota: Quota) -> Quota {
    Quota { block: Duration::ZERO, ..quota }
}

#[test]
fn a_sliding_window_begins_with_every_request() {
    let quota = unblocked(Quota::sliding(2, SECOND));
    assert_eq!(waits(quota.clone(), &[0, 600, 1_000, 1_600]), [0, 0, 0, 0]);
    // 900 and 1100 are 200 ms apart but the third is within a second of the first.
    assert_eq!(waits(quota.clone(), &[900, 950, 1_100]), [0, 0, 850]);
    // A refused request counts, too: those of 999 and 1,000 fill the window.
    assert_eq!(waits(quota, &[0, 0, 999, 1_000, 1_998, 1_999]), [0, 0, 1, 0, 2, 999]);
}

#[test]
fn fixed_windows_follow_one_another() {
    let quota = unblocked(Quota::fixed(2, SECOND));
    assert_eq!(waits(quota.clone(), &[900, 950, 1_100, 1_200]), [0, 0, 0, 0]);
    assert_eq!(waits(quota, &[0, 0, 400, 999, 1_000, 1_000, 1_000]), [0, 0, 600, 1, 0, 0, 1_000]);
}

#[test]
fn going_over_blocks_every_call() {
    let quota = Quota { block: 5 * SECOND, ..Quota::fixed(1, SECOND) };
    // The block is not made longer by calls during it.
    assert_eq!(waits(quota, &[0, 100, 2_000, 4_999, 5_100]), [0, 5_000, 3_100, 101, 0]);
    let quota = Quota::sliding(2, SECOND);
    // Staying away for the whole block leaves an empty window.
    assert_eq!(waits(quota.clone(), &[0, 0, 10, 1_010, 1_010]), [0, 0, 1_000, 0, 0]);
    // Coming back too soon leads from one block into the next.
    assert_eq!(waits(quota, &[0, 0, 10, 500, 900, 1_010]), [0, 0, 1_000, 510, 600, 1_000]);
}

#[test]
fn headers_tell_how_each_quota_stands() {
    let start = Instant::now();
    let quotas = ["1200/5m", "2/1s/name=burst"].map(|text| text.parse().unwrap());
    let meters = Quotas::new(&quotas, start);
    let shown = |at: u64| {
        let verdict = meters.judge(start + Duration::from_millis(at));
        let mut headers = HeaderMap::new();
        verdict.add_headers(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"default\";q=1200;w=300, \"burst\";q=2;w=1");
        headers["ratelimit"].to_str().unwrap().to_owned()
    };
    assert_eq!(shown(0), "\"default\";r=1199;t=300, \"burst\";r=1;t=1");
    assert_eq!(shown(500), "\"default\";r=1198;t=300, \"burst\";r=0;t=1");
    assert_eq!(shown(600), "\"default\";r=1197;t=300, \"burst\";r=0;t=1");
    assert_eq!(meters.refused.load(Ordering::Relaxed), 1);
    let mut headers = HeaderMap::new();
    Quotas::new(&[], start).judge(start).add_headers(&mut headers);
    assert!(headers.is_empty());
}

#[test]
fn quotas_are_read() {
    assert_eq!("1200/5m".parse(), Ok(Quota::sliding(1_200, 300 * SECOND)));
    assert_eq!("1200/5m/fixed".parse(), Ok(Quota::fixed(1_200, 300 * SECOND)));
    let burst = Quota { name: "burst".into(), block: 10 * SECOND, ..Quota::sliding(200, SECOND) };
    assert_eq!("200/1s/sliding/block=10s/name=burst".parse(), Ok(burst));
    for (text, error) in [
        ("1200", QuotaError::Shape),
        ("0/5m", QuotaError::Count("0".into())),
        ("x/5m", QuotaError::Count("x".into())),
        ("5/0s", QuotaError::Duration("0s".into())),
        ("5/soon", QuotaError::Duration("soon".into())),
        ("5/1s/block=x", QuotaError::Duration("x".into())),
        ("5/1s/hopping", QuotaError::Part("hopping".into())),
        ("5/1s/name=a\"b", QuotaError::Part("name=a\"b".into())),
    ] {
        assert_eq!(text.parse::<Quota>(), Err(error), "{text}");
    }
}

/// An honest count of every request: for both kinds, what was allowed while no block lasted keeps the quota.
#[test]
fn a_random_crowd_is_judged_as_a_recount_does() {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
    let mut rng = StdRng::seed_from_u64(7);
    let start = Instant::now();
    let meters =
        [Quota::sliding(5, SECOND), Quota::fixed(5, SECOND)].map(|quota| Quotas::new(&[unblocked(quota)], start));
    let (mut arrivals, mut now) = (Vec::<u64>::new(), 0);
    for _ in 0..5_000 {
        now += rng.random_range(0..400);
        arrivals.push(now);
        let recent = |from: u64| arrivals.iter().rev().take_while(|at| **at >= from).count();
        let expected = [recent((now + 1).saturating_sub(1_000)) <= 5, recent(now / 1_000 * 1_000) <= 5];
        let judged = meters.each_ref().map(|meter| meter.judge(start + Duration::from_millis(now)).wait.is_none());
        assert_eq!(judged, expected, "at {now} ms");
    }
    assert!(meters.iter().all(|meter| (1..5_000).contains(&meter.refused.load(Ordering::Relaxed))));
}
