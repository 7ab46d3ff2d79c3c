//! The file of the keys that failed is an input again.

use kvsweep::sandbox::{Canned, What};

use super::{asked, at, in_turns, lab_with, one_by_one};

#[test]
fn failed_and_unknown_keys_are_ready_to_be_an_input() {
    for name in ["failures.csv", "failures.ndjson"] {
        // Names that each format has to quote.
        let bad = ["failed, \"quoted\"", "unknown\u{1b}\\"];
        let keys = in_turns(bad);
        let faults = vec![at(bad[0], Canned::error(400, 10_012, "no")), at(bad[1], What::ResetBefore)];
        let lab = lab_with(&keys, faults);
        one_by_one(&lab).args(["--retries", "0", "--failures", name]).run().code(3);
        let rows = lab.rows("report.csv");
        let states: Vec<_> = rows.iter().map(|row| (row.key.as_str(), row.status.as_str())).collect();
        assert!(states.contains(&(bad[0], "failed")) && states.contains(&(bad[1], "unknown")), "{states:?}");

        lab.server.set_faults([]);
        let before = bad.map(|key| asked(&lab, key));
        lab.delete([name, "--report", "second.csv"]).run().code(0);
        let again = lab.rows("second.csv");
        let mut again: Vec<_> = again.iter().map(|row| (row.key.as_str(), row.status.as_str())).collect();
        again.sort_unstable();
        assert_eq!(again, bad.map(|key| (key, "deleted")));
        assert_eq!(bad.map(|key| asked(&lab, key)), before.map(|times| times + 1));
        assert_eq!(lab.server.keys(), ["bystander"]);
    }
}
