//! One process at a time writes a report; several share one quota.

use std::time::Duration;

use kvsweep::sandbox::{Fault, Quota, SandboxOptions, What, When};

use crate::lab::{Lab, wait_until};

#[test]
fn one_process_at_a_time_writes_a_report() {
    let lab = Lab::new();
    let keys = lab.keys(20);
    lab.server.set_faults([Fault::new(When::Probability(1.0), What::Hang)]);
    let run = || lab.delete(["keys.txt", "--report", "report.csv", "--resume", "--timeout", "1h"]);
    let mut first = lab.start("first", run());
    wait_until("the first one sends", || !lab.deletes().is_empty());
    let before = lab.server.requests();

    for second in [run(), lab.delete(["keys.txt", "--report", "report.csv", "--overwrite"])] {
        let done = second.run().code(11);
        let pid = first.child().id();
        assert!(done.stderr.contains(&format!("process {pid} since 20")), "{}", done.stderr);
    }
    let others = lab.deletes().len();
    assert!(others <= 20 && lab.server.requests() - before <= 19, "another process sent something");

    first.kill();
    lab.server.set_faults([]);
    run().run().code(0);
    let rows = lab.rows("report.csv");
    lab.assert_all_deleted(keys.iter().map(String::as_str), &rows);
}

#[test]
fn of_two_that_begin_at_once_with_a_new_report_one_is_told_to_wait() {
    let latency = Some((Duration::from_millis(200), Duration::from_millis(200)));
    let lab = Lab::with(SandboxOptions { latency, ..SandboxOptions::default() });
    lab.keys(3);
    lab.server.set_faults([Fault::new(When::Probability(1.0), What::Hang)]);
    let run = |name| lab.start(name, lab.delete(["keys.txt", "--report", "report.csv", "--resume", "--timeout", "1h"]));
    let (mut one, mut two) = (run("one"), run("two"));
    wait_until("one of them ends", || one.has_ended() || two.has_ended());
    let (ended, other) = if one.has_ended() { (one, two) } else { (two, one) };
    let done = ended.done().code(11);
    assert!(done.stderr.contains("report.csv is being written by"), "{}", done.stderr);
    other.kill();
}

const WINDOW: Duration = Duration::from_secs(6);
const COUNT: u32 = 300;
const PROCESSES: usize = 3;
const KEYS_EACH: usize = 400;
const CONCURRENCY: usize = 32;

#[expect(clippy::print_stdout, reason = "the figures are what is asked for")]
fn three_processes_share(quota: Quota) {
    let kind = format!("{:?}", quota.kind);
    let latency = Some((Duration::from_millis(5), Duration::from_millis(15)));
    let lab = Lab::with(SandboxOptions { quotas: vec![quota], latency, ..SandboxOptions::default() });
    let runs: Vec<_> = (0..PROCESSES)
        .map(|process| {
            let keys: Vec<String> = (0..KEYS_EACH).map(|index| format!("{process}:{index}")).collect();
            lab.server.preload(keys.iter().map(String::as_str));
            lab.write(&format!("{process}.txt"), keys.join("\n"));
            let (input, report) = (format!("{process}.txt"), format!("{process}.csv"));
            let args =
                ["delete", "--yes", "--rate", "300/6s", "--concurrency", "32", "--json", &input, "--report", &report];
            lab.start(&process.to_string(), lab.kvsweep(args))
        })
        .collect();
    let throttled: Vec<_> = runs.into_iter().map(|run| run.done().code(0).summary()["throttled"].clone()).collect();
    assert!(lab.server.is_empty());
    assert_eq!(lab.deletes().len() as u64 + PROCESSES as u64, lab.server.requests());

    let request_log = lab.server.request_log();
    let first = request_log.first().expect("requests").at;
    let took = request_log.last().expect("requests").at.saturating_sub(first);
    // The last window begins when all of the others are over; what was refused is not counted.
    let needed = u32::try_from(PROCESSES * (KEYS_EACH + 1)).expect("a few");
    let best = WINDOW * ((needed - 1) / COUNT);
    let refused = lab.server.refused_by_quota();
    println!("{kind}: {took:.1?}, the best is {best:.1?}; {refused} refused, told {throttled:?}");
    // When the quota runs out between two responses, all requests in flight are refused: once, not once per window.
    assert!(refused <= (PROCESSES * CONCURRENCY) as u64, "{refused} were refused");
    let most = best.mul_f64(1.1) + WINDOW;
    assert!(took <= most, "{took:.1?} for what can be done in {best:.1?}");
}

#[test]
fn three_processes_share_a_quota_of_fixed_windows() {
    three_processes_share(Quota::fixed(COUNT, WINDOW));
}

#[test]
fn three_processes_share_a_quota_of_sliding_windows() {
    three_processes_share(Quota::sliding(COUNT, WINDOW));
}
