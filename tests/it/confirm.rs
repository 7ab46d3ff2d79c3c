//! The question on the terminal: without the right answer nothing is changed, whichever command asks.

use serde_json::json;

use crate::lab::{Lab, NAMESPACE};

/// A namespace without its keys, a list of them, and a backup.
fn lab(keys: usize) -> Lab {
    let lab = Lab::new();
    let names: Vec<String> = (0..keys).map(|number| format!("key:{number}")).collect();
    lab.write("keys.txt", names.join("\n"));
    let backup = names.iter().map(|name| json!({ "key": name, "value": "v" }).to_string() + "\n");
    lab.write("b.ndjson", backup.collect::<String>());
    lab
}

#[test]
fn a_restore_asks_as_a_delete_does() {
    for (keys, no, yes, question) in [
        (3, &["n\n", "\n", "3\n"][..], "y\n", "3 keys? [y/N]"),
        (10_000, &["10,001\n"], "yes\n", "10,000 keys? [y/N]"),
        (10_001, &["yes\n", "10000\n"], "10001\n", "Type the number of keys (10,001) to "),
    ] {
        let lab = lab(keys);
        for (args, left) in [
            (&["restore", "b.ndjson"][..], keys),
            (&["restore", "b.ndjson", "--overwrite-values"], keys),
            (&["delete", "keys.txt", "--bulk"], 0),
        ] {
            let before = lab.server.len();
            let asked = |answer: &str| {
                lab.kvsweep(args).args(["--report", "none", "--rate", "none"]).on_terminal().stdin(answer).run()
            };
            for no in no {
                let done = asked(no).code(2);
                assert!(done.stdout.contains(question) && done.stdout.contains(NAMESPACE), "{args:?}: {}", done.stdout);
                assert_eq!(lab.server.len(), before, "{args:?} {no:?}");
            }
            asked(yes).code(0);
            assert_eq!(lab.server.len(), left, "{args:?}");
        }
    }
}
