//! From a key to its path segment.

use criterion::{Criterion, Throughput};
use kvsweep::KeyName;

/// Keys as people have them: of about thirty bytes, with a slash and colons.
pub(crate) fn names(count: u64) -> impl Iterator<Item = String> {
    (1..=count).map(|record| format!("session:user/{record:08}:{:08x}", record.wrapping_mul(2_654_435_761)))
}

pub(crate) fn measure(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    let usual = names(1).next().unwrap_or_default();
    for (what, name) in [("usual", usual.as_str()), ("all escaped", &"é".repeat(256)), ("plain", &"x".repeat(512))] {
        let key = KeyName::new(name).expect("a valid key");
        group.throughput(Throughput::Bytes(name.len() as u64));
        let mut segment = String::with_capacity(2_048);
        group.bench_function(what, |bencher| {
            bencher.iter(|| {
                segment.clear();
                key.push_segment(&mut segment);
                segment.len()
            });
        });
    }
    group.finish();
}
