//! Awkward names are deleted exactly, and what a careless client would have made of them stays.

use std::collections::BTreeSet;

use crate::awkward::{awkward, cannot_be_sent, mangled};
use crate::runtime::{Side, Workerd};

fn assert_exact(workerd: &Workerd) {
    let names = awkward();
    let wanted: BTreeSet<&str> = names.iter().map(String::as_str).filter(|name| !cannot_be_sent(name)).collect();
    let bystanders: BTreeSet<String> = names
        .iter()
        .flat_map(|name| mangled(name))
        .chain(["bystander".to_owned()])
        .filter(|name| !wanted.contains(name.as_str()) && !cannot_be_sent(name))
        .collect();
    workerd.rest.put(&wanted);
    workerd.rest.put(&bystanders);
    assert_eq!(workerd.rest.names().len(), wanted.len() + bystanders.len());

    workerd.write("keys.json", serde_json::to_vec(&names).expect("JSON"));
    let done = workerd.delete(["keys.json", "--report", "report.csv", "--json"]).run().code(3);
    assert_eq!(workerd.rest.names(), bystanders.into_iter().collect::<Vec<_>>());

    let refused = names.iter().filter(|name| cannot_be_sent(name)).count();
    let summary = done.summary();
    assert_eq!((&summary["deleted"], &summary["invalid"]), (&wanted.len().into(), &refused.into()));
    for row in workerd.rows("report.csv") {
        assert_eq!(row.status, if cannot_be_sent(&row.key) { "invalid" } else { "deleted" }, "{row:?}");
    }
}

#[test]
#[ignore = "needs workerd, which .ci/run installs and runs"]
fn awkward_names_are_deleted_exactly() {
    let workerd = Workerd::start("names", Side::Api);
    assert_exact(&workerd);
}

#[test]
#[ignore = "needs workerd, which .ci/run installs and runs"]
fn awkward_names_are_deleted_exactly_through_the_explorer() {
    let workerd = Workerd::start("explorer-names", Side::Explorer);
    assert_exact(&workerd);
}

#[test]
#[ignore = "needs workerd, which .ci/run installs and runs"]
fn what_is_not_there_is_deleted_too() {
    let workerd = Workerd::start("missing", Side::Api);
    workerd.rest.put(["there", "neighbour"]);
    let done = workerd.delete(["--report", "report.csv", "--json"]).stdin("gone\nthere\nnever/was\n").run().code(0);
    // As the real service: 200 either way, so nothing tells the two apart.
    assert_eq!((&done.summary()["deleted"], &done.summary()["absent"]), (&3.into(), &0.into()));
    assert!(workerd.rows("report.csv").iter().all(|row| row.http_status == Some(200)));
    assert_eq!(workerd.rest.names(), ["neighbour"]);
}
