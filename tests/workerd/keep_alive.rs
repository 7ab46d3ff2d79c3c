//! Many requests over few connections, which workerd closes after 5 s of silence.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use crate::run::Done;
use crate::runtime::{Side, Workerd};

/// Longer than workerd keeps a silent connection (5 s).
const SILENCE: Duration = Duration::from_secs(6);

const KEYS: usize = 2_000;

#[test]
#[ignore = "needs workerd, which .ci/run installs and runs"]
fn two_thousand_keys_one_by_one_survive_connections_that_were_closed_while_idle() {
    let workerd = Workerd::start("keep-alive", Side::Api);
    let keys: Vec<String> = (0..KEYS).map(|index| format!("session:{index:04}")).collect();
    workerd.rest.put(&keys);
    workerd.rest.put(["keep"]);
    let (first, second) = keys.split_at(KEYS / 2);

    let mut kvsweep = workerd.delete(["-", "--report", "report.csv", "--json"]);
    let mut child = kvsweep.spawn(Stdio::piped());
    let mut stdin = child.stdin.take().expect("a pipe");
    writeln!(stdin, "{}", first.join("\n")).expect("the job reads");
    while workerd.rest.names().len() > KEYS - first.len() + 1 {
        wait(Duration::from_millis(250));
    }
    wait(SILENCE);
    writeln!(stdin, "{}", second.join("\n")).expect("the job reads");
    drop(stdin);
    let done = Done::from(child.wait_with_output().expect("the binary's output")).code(0);

    assert_eq!(workerd.rest.names(), ["keep"]);
    let summary = done.summary();
    assert_eq!((&summary["deleted"], &summary["unknown"], &summary["failed"]), (&KEYS.into(), &0.into(), &0.into()));
    assert_eq!(summary["retries"], 0, "a connection that the server had closed was used again");
    let mut reported: Vec<String> = workerd.rows("report.csv").into_iter().map(|row| row.key).collect();
    reported.sort();
    assert_eq!(reported, keys);
}

#[expect(clippy::disallowed_methods, reason = "the time is the server's, and real")]
fn wait(time: Duration) {
    std::thread::sleep(time);
}
