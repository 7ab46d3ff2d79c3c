//! Metadata of a key, as it is listed, backed up and compared.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Metadata of a key: one JSON value other than `null`, without line ends, otherwise as it came.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Box<RawValue>")]
pub struct Metadata(Box<RawValue>);

impl Metadata {
    /// JSON text; `null`, which stands for no metadata, is none.
    pub fn new(json: &RawValue) -> Option<Self> {
        (json.get() != "null").then(|| json.to_owned().into())
    }

    pub fn as_json(&self) -> &str {
        self.0.get()
    }
}

impl From<Box<RawValue>> for Metadata {
    fn from(json: Box<RawValue>) -> Self {
        if !json.get().contains(['\n', '\r']) {
            return Self(json);
        }
        // Between its tokens only: a string cannot hold a bare line end.
        Self(RawValue::from_string(json.get().replace(['\n', '\r'], " ")).unwrap_or(json))
    }
}

impl PartialEq for Metadata {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl Eq for Metadata {}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(json: &str) -> Option<String> {
        let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
        Metadata::new(&raw).map(|metadata| metadata.as_json().to_owned())
    }

    #[test]
    fn metadata_is_kept_as_it_came_but_on_one_line() {
        assert_eq!(metadata("null"), None);
        for exact in ["0", "\"null\"", "[1e400,18446744073709551616,{\"b\":1,\"a\":2,\"b\":3}]", "\"a\\nb\""] {
            assert_eq!(metadata(exact).as_deref(), Some(exact));
        }
        assert_eq!(metadata("{\n \"a\":\r\n1}").as_deref(), Some("{  \"a\":  1}"));
    }
}
