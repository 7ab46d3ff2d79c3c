//! Files that `wrangler kv bulk delete` takes (wrangler 4.86.0, `kvBulkDeleteCommand`: JSON, an array whose items are
//! strings or objects with a `name`) delete the same keys here.

use crate::runtime::{Side, Workerd};

#[test]
#[ignore = "needs workerd, which .ci/run installs and runs"]
fn an_array_of_names() {
    let workerd = Workerd::start("wrangler-names", Side::Api);
    workerd.rest.put(["a", "b/c", "ü", "keep"]);
    workerd.write("keys.json", r#"["a", "b\/c", "\u00fc"]"#);
    workerd.delete(["keys.json", "--report", "report.csv"]).run().code(0);
    assert_eq!(workerd.rest.names(), ["keep"]);
}

#[test]
#[ignore = "needs workerd, which .ci/run installs and runs"]
fn a_listing_with_expirations_and_metadata() {
    let workerd = Workerd::start("wrangler-objects", Side::Api);
    workerd.rest.put(["a", "b", "c", "keep", "key"]);
    let listing = r#"[
  {"name": "a"},
  {"name": "b", "expiration": 1893456000, "metadata": {"key": "key", "name": "keep"}},
  "c"
]"#;
    workerd.write("keys.json", listing);
    workerd.delete(["keys.json", "--report", "report.csv"]).run().code(0);
    assert_eq!(workerd.rest.names(), ["keep", "key"]);
}
