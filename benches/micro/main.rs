//! What single steps of a key's way cost: reading, encoding, deduplication, the budget, the answer, the report's row.
#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up has nothing to go on with")]

mod answer;
mod input;
mod key;
mod quota;
mod report;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    input::measure(&mut criterion);
    key::measure(&mut criterion);
    quota::measure(&mut criterion);
    answer::measure(&mut criterion);
    report::measure(&mut criterion);
    criterion.final_summary();
}
