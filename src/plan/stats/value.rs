//! Statistics as members of a JSON object, for scripts. Names are exact.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::json;

use super::Stats;

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
            .lengths()
            .map(|(shortest, median, longest)| json!({"shortest": shortest, "median": median, "longest": longest}));
        map.serialize_entry("name_bytes", &lengths)?;
        map.serialize_entry("padded_keys", &self.padded)?;
        map.serialize_entry("prefixes", &self.prefixes.biggest(ROWS, LEAST))?;
        // Where these are fewer than the keys, the counts above are estimates.
        map.serialize_entry("prefixes_sampled", &self.sampled().unwrap_or(self.keys()))?;
        map.serialize_entry("prefixes_error", &self.prefixes.error())?;
        map.serialize_entry("invalid", &self.invalid.by_count())?;
        map.serialize_entry("invalid_for_other_reasons", &self.invalid.others())?;
        map.serialize_entry("kept", &self.kept.by_count())?;
        map.serialize_entry("kept_for_other_reasons", &self.kept.others())?;
        map.end()
    }
}
