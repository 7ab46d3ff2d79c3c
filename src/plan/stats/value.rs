//! Statistics as members of a JSON object, for scripts. Names are exact.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::{InvalidReason, Prefix, Stats};

/// Prefixes that are listed.
const ROWS: usize = 100;

/// The smallest part of all keys that a prefix is listed for.
const LEAST: f64 = 0.001;

impl Serialize for Stats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("keys", &self.keys())?;
        map.serialize_entry("first_keys", &self.first().collect::<Vec<_>>())?;
        map.serialize_entry("last_keys", &self.last().collect::<Vec<_>>())?;
        let lengths = self
            .lengths
            .summary()
            .map(|(shortest, median, longest)| json!({"shortest": shortest, "median": median, "longest": longest}));
        map.serialize_entry("name_bytes", &lengths)?;
        map.serialize_entry("padded_keys", &self.padded)?;
        let total = self.prefixes.total();
        let prefixes = self.prefixes.biggest(ROWS, LEAST);
        map.serialize_entry("prefixes", &prefixes.iter().map(|prefix| tree(prefix, total)).collect::<Vec<_>>())?;
        // Where these are fewer than the keys, the counts above are estimates.
        map.serialize_entry("prefixes_sampled", &self.sampled().unwrap_or(self.keys()))?;
        map.serialize_entry("prefixes_error", &self.prefixes.error())?;
        for (name, others, reasons) in
            [("invalid", "invalid_for_other_reasons", &self.invalid), ("kept", "kept_for_other_reasons", &self.kept)]
        {
            map.serialize_entry(name, &reasons.by_count().into_iter().map(reason).collect::<Vec<_>>())?;
            map.serialize_entry(others, &reasons.others())?;
        }
        map.end()
    }
}

fn tree(prefix: &Prefix, total: u64) -> Value {
    json!({
        "prefix": prefix.name,
        "keys": prefix.keys,
        "error": prefix.error,
        "share": (prefix.keys as f64 / total as f64 * 1e6).round() / 1e6,
        "longer": prefix.longer.iter().map(|longer| tree(longer, total)).collect::<Vec<_>>(),
    })
}

fn reason(reason: &InvalidReason) -> Value {
    let examples = reason.examples.iter();
    let examples =
        examples.map(|(number, invalid)| json!({"record": number.get(), "key": invalid.key, "error": invalid.reason}));
    json!({"reason": reason.rule, "records": reason.records, "examples": examples.collect::<Vec<_>>()})
}
