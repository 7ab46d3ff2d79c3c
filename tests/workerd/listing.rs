//! What the real runtime lists is what is deleted, although its keys go while it is listed.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::runtime::{Side, Workerd, many};

/// So many keys under `tmp:`, and two that are not.
fn fill(workerd: &Workerd, count: usize) -> BTreeSet<String> {
    let names: BTreeSet<String> = (0..count).map(|index| format!("tmp:{index}")).collect();
    workerd.rest.put(&names);
    workerd.rest.put(["keep", "tmp"]);
    names
}

#[test]
#[ignore = "needs workerd, which .ci/run installs and runs"]
fn deleting_what_is_being_listed_skips_no_key() {
    let workerd = Workerd::start("prefix", Side::Api);
    let names = fill(&workerd, many(5_000));
    let args = ["--prefix", "tmp:", "--report", "r.csv", "--concurrency", "64"];
    workerd.delete(args).run().code(0);
    let rows = workerd.rows("r.csv");
    assert!(rows.iter().all(|row| row.status == "deleted"));
    assert_eq!(rows.len(), names.len());
    assert_eq!(rows.into_iter().map(|row| row.key).collect::<BTreeSet<_>>(), names);
    assert_eq!(workerd.rest.names(), ["keep", "tmp"]);
}

#[test]
#[ignore = "needs workerd, which .ci/run installs and runs"]
fn a_listing_piped_into_a_delete_skips_no_key_either() {
    let workerd = Workerd::start("list-pipe", Side::Api);
    let names = fill(&workerd, 25_000);
    let mut listing = workerd.kvsweep(["list", "--rate", "none", "--prefix", "tmp:", "-q"]).spawn(Stdio::null());
    let stdout = listing.stdout.take().expect("a pipe");
    let mut delete = workerd.delete(["-", "--bulk", "--report", "r.csv", "-q"]).spawn(stdout.into());
    assert!(delete.wait().expect("it ends").success());
    assert!(listing.wait().expect("it ends").success());
    assert_eq!(workerd.rows("r.csv").into_iter().map(|row| row.key).collect::<BTreeSet<_>>(), names);
    assert_eq!(workerd.rest.names(), ["keep", "tmp"]);
}

#[test]
#[ignore = "needs workerd, which .ci/run installs and runs"]
fn a_cursor_that_workerd_cannot_read_ends_nothing_early() {
    for (namespace, side) in [("unread", Side::Api), ("explorer-unread", Side::Explorer)] {
        let workerd = Workerd::start(namespace, side);
        let names = fill(&workerd, 2_500);
        for cursor in ["!", "____"] {
            let list = ["list", "--prefix", "tmp:", "--output", "keys.csv", "--resume"];
            // The first page is within the rate, and the second is not.
            let mut first = workerd.kvsweep(list).args(["--rate", "1/1h"]).spawn(Stdio::null());
            while !workerd.has("keys.csv.cursor") {
                wait(Duration::from_millis(20));
            }
            first.kill().expect("it runs");
            first.wait().expect("it ends");
            let mut kept: Value = serde_json::from_str(&workerd.read("keys.csv.cursor")).expect("a checkpoint");
            kept["position"]["cursor"] = cursor.into();
            workerd.write("keys.csv.cursor", kept.to_string());
            workerd.kvsweep(list).args(["--rate", "none"]).run().code(0);
            let listed = workerd.read("keys.csv");
            assert!(listed.lines().skip(1).filter_map(|line| line.split(',').next()).eq(&names), "{cursor}");
            workerd.remove("keys.csv");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the process that is waited for is real")]
fn wait(time: Duration) {
    std::thread::sleep(time);
}
