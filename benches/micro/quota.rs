//! The limiter: permits taken and given back with 64 requests in flight, and the refusal that 64 workers meet.

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use kvsweep::Rate;
use kvsweep::internals::Budget;
use tokio::time::Instant;

const IN_FLIGHT: usize = 64;

pub(crate) fn measure(criterion: &mut Criterion) {
    let rates = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("a rate")).collect::<Vec<Rate>>();
    let mut group = criterion.benchmark_group("limiter");
    for (what, rates) in [
        ("64 in flight, no rate", Vec::new()),
        ("64 in flight, one rate", rates(&["1000000/1m"])),
        ("64 in flight, two rates", rates(&["1000000/1m", "200000/1s"])),
    ] {
        group.bench_function(what, |bencher| {
            // Time that is handed in: a permit every 10 µs.
            let mut now = Instant::now();
            let mut budget = Budget::new(&rates, now);
            let mut held = VecDeque::with_capacity(IN_FLIGHT);
            bencher.iter(|| {
                now += Duration::from_micros(10);
                if held.len() == IN_FLIGHT
                    && let Some(permit) = held.pop_front()
                {
                    budget.give_back(permit, now);
                }
                if let Ok(permit) = budget.try_take(now) {
                    held.push_back(permit);
                }
            });
        });
    }
    group.bench_function("64 refusals", |bencher| {
        let now = Instant::now();
        let mut budget = Budget::new(&rates(&["1/5m"]), now);
        let taken = budget.try_take(now).expect("the first permit");
        budget.give_back(taken, now);
        bencher.iter(|| (0..IN_FLIGHT).filter(|_| black_box(budget.try_take(now)).is_err()).count());
    });
    group.finish();
}
