//! Every reader over the same 10,000 keys, and the set that finds duplicates.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput};
use kvsweep::internals::{InputOptions, KeySet, Records, Source};

use crate::key::names;

const KEYS: u64 = 10_000;

pub(crate) fn measure(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let quoted: Vec<_> = names(KEYS).map(|name| serde_json::json!(name).to_string()).collect();
    let objects = names(KEYS).map(|name| serde_json::json!({"name": name}).to_string()).collect::<Vec<_>>();
    let files = [
        ("lines.txt", names(KEYS).collect::<Vec<_>>().join("\n")),
        ("plain.csv", format!("key\n{}\n", names(KEYS).collect::<Vec<_>>().join("\n"))),
        ("quoted.csv", format!("id,key\n1,{}\n", quoted.join("\n1,"))),
        ("strings.ndjson", quoted.join("\n")),
        ("objects.json", format!("[{}]", objects.join(","))),
    ];
    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Elements(KEYS));
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("a file to read");
        group.bench_function(name, |bencher| bencher.iter(|| assert!(read(&path) >= KEYS)));
    }
    group.finish();

    let mut group = criterion.benchmark_group("dedupe");
    group.throughput(Throughput::Elements(KEYS));
    let names: Vec<String> = names(KEYS).collect();
    group.bench_function("10000 new keys", |bencher| {
        bencher.iter(|| {
            let mut set = KeySet::with_seed([7; 16]);
            names.iter().filter(|name| set.insert(black_box(name))).count()
        });
    });
    let mut set = KeySet::with_seed([7; 16]);
    for name in &names {
        set.insert(name);
    }
    group.bench_function("10000 known keys", |bencher| {
        bencher.iter(|| names.iter().filter(|name| set.insert(black_box(name))).count());
    });
    group.finish();
}

fn read(path: &Path) -> u64 {
    let mut records = Records::new(vec![Source::File(path.to_owned())], InputOptions::default());
    let (mut batch, mut count, mut has_more) = (Vec::new(), 0, true);
    while has_more {
        has_more = records.next_batch(&mut batch, 256).expect("a readable file");
        count += black_box(&batch).len() as u64;
        batch.clear();
    }
    count
}
