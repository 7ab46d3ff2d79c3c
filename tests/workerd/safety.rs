//! What must not reach the runtime.

use crate::runtime::{Side, Workerd};

#[test]
#[ignore = "needs workerd, which .ci/run installs and runs"]
fn a_dry_run_sends_nothing() {
    let workerd = Workerd::start("dry-run", Side::Api);
    workerd.rest.put(["a", "b"]);
    let before = workerd.rest.requests();
    let done = workerd.kvsweep(["delete", "--dry-run", "--json", "-"]).stdin("a\nb\n").run().code(0);
    assert_eq!((&done.summary()["planned"], &done.summary()["requests"]), (&2.into(), &0.into()));
    assert_eq!(workerd.rest.requests(), before);
    workerd.delete(["-", "--report", "none"]).stdin("a\n").run().code(0);
    assert!(workerd.rest.requests() > before, "the witness sees what is sent");
    assert_eq!(workerd.rest.names(), ["b"]);
}

#[test]
#[ignore = "needs workerd, which .ci/run installs and runs"]
fn a_wrong_token_or_namespace_deletes_nothing() {
    let workerd = Workerd::start("refused", Side::Api);
    workerd.rest.put(["a"]);
    let delete = || workerd.delete(["-", "--report", "none", "--json"]).stdin("a\n");
    let done = delete().env("CLOUDFLARE_API_TOKEN", "another-token").run().code(7);
    assert_eq!(done.summary()["stopped"], "unauthorized");
    let done = delete().env("CLOUDFLARE_KV_NAMESPACE_ID", "nobody").run().code(7);
    assert_eq!(done.summary()["stopped"], "namespace_not_found");
    assert_eq!(workerd.rest.names(), ["a"]);
}
