//! Many keys in one call. Bodies have been checked by then: no name is one that the service refuses.

use std::collections::{HashMap, HashSet};

use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{DecodeError, Engine};
use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::payload::{Call, Done, Form, Pair, Payload, Wanted};
use super::values;
use crate::sandbox::account::{Account, Namespace};
use crate::sandbox::answer::{Problem, TOO_LARGE, envelope, success};
use crate::sandbox::fault::BulkResult;
use crate::sandbox::store::{Stored, unix_now};

/// The most bytes of values that a bulk read gives: 25 MiB (miniflare 5, `KVLimits.MAX_BULK_SIZE_BYTES`).
const MAX_BULK_READ_BYTES: usize = 25 << 20;

/// The code of a call that processed only some keys; none of a known meaning.
const PARTIAL: u64 = 10001;

pub(super) fn delete(account: &Account, namespace: &Namespace, call: &Call<'_>) -> Result<Done, Problem> {
    let names = call.payload.names();
    account.spend_deletes(names.len() as u64)?;
    let (result, unprocessed) = unprocessed(call);
    let (kept, doomed): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|name| unprocessed.contains(name));
    let now = unix_now();
    let mut store = namespace.store();
    let mut changed = false;
    for name in &doomed {
        changed |= store.delete(name, now);
    }
    // A name that is there twice is one key (miniflare 5, `bulkDeleteKVValues`).
    let doomed: HashSet<&str> = doomed.into_iter().collect();
    Ok(written(result, doomed.len(), &kept, changed))
}

fn unprocessed<'a>(call: &Call<'a>) -> (BulkResult, HashSet<&'a str>) {
    let (result, names) = call.unprocessed.unwrap_or_default();
    (result, names.iter().map(String::as_str).collect())
}

pub(super) fn put(namespace: &Namespace, call: Call<'_>) -> Result<Done, Problem> {
    let (result, unprocessed) = unprocessed(&call);
    let Payload::Pairs(pairs) = call.payload else {
        return Err(Problem::malformed("an array of keys is missing"));
    };
    let pairs = distinct(pairs)?;
    let stored = pairs.into_iter().map(|pair| {
        let value = if pair.base64 {
            let decoded = forgiving(&pair.value);
            decoded.map_err(|error| Problem::malformed(format!("could not decode a value: {error}")))?
        } else {
            pair.value.into_bytes()
        };
        Ok((pair.key, values::stored(value.into(), pair.metadata, pair.lifetime)?))
    });
    // All or nothing: one bad value refuses the call before anything is stored.
    let stored = stored.collect::<Result<Vec<_>, Problem>>()?;
    let (left, stored): (Vec<_>, Vec<_>) = stored.into_iter().partition(|(key, _)| unprocessed.contains(key.as_str()));
    let count = stored.len();
    let mut store = namespace.store();
    for (key, stored) in stored {
        store.put(key, stored);
    }
    let left: Vec<&str> = left.iter().map(|(key, _)| key.as_str()).collect();
    Ok(written(result, count, &left, count > 0))
}

/// Each key once; two that differ refuse the call (miniflare 5, `deduplicateKVWrites`).
fn distinct(pairs: Vec<Pair>) -> Result<Vec<Pair>, Problem> {
    let mut seen: HashMap<String, usize> = HashMap::with_capacity(pairs.len());
    let mut distinct: Vec<Pair> = Vec::with_capacity(pairs.len());
    for pair in pairs {
        match seen.get(&pair.key).and_then(|at| distinct.get(*at)) {
            None => {
                seen.insert(pair.key.clone(), distinct.len());
                distinct.push(pair);
            }
            Some(first) if *first == pair => {}
            Some(_) => {
                let what = "received duplicate key with different values or expiration parameters";
                return Err(Problem::malformed(format!("{what}: {:?}", pair.key)));
            }
        }
    }
    Ok(distinct)
}

fn written(result: BulkResult, count: usize, unsuccessful: &[&str], changed: bool) -> Done {
    let named: Vec<String> = match result {
        BulkResult::Partial | BulkResult::PartialFailure(_) => unsuccessful.iter().map(ToString::to_string).collect(),
        BulkResult::WrongNames => unsuccessful.iter().map(|name| format!("{name} (never sent)")).collect(),
        BulkResult::WrongCount => Vec::new(),
    };
    let counted = json!({"successful_key_count": count, "unsuccessful_keys": named});
    let response = match result {
        BulkResult::PartialFailure(status) => {
            let error = json!({"code": PARTIAL, "message": format!("{} keys were not processed", named.len())});
            let body = json!({"success": false, "errors": [error], "messages": [], "result": counted});
            // Only statuses of errors can be asked for.
            envelope(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &body)
        }
        _ => success(&counted),
    };
    Done { response, changed }
}

pub(super) fn get(namespace: &Namespace, call: &Call<'_>) -> Result<Done, Problem> {
    let Payload::Wanted(wanted) = &call.payload else {
        return Err(Problem::malformed("an object with keys is missing"));
    };
    if wanted.keys.is_empty() {
        return Err(Problem::malformed("You must request a minimum of 1 key"));
    }
    let (now, store) = (unix_now(), namespace.store());
    let (mut values, mut bytes) = (Map::new(), 0);
    for key in &wanted.keys {
        let stored = store.get(key, now);
        bytes += stored.as_ref().map_or(0, |stored| stored.value.len());
        if bytes > MAX_BULK_READ_BYTES {
            let message = "Total size of request exceeds the limit of 25MB";
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE, message));
        }
        let shown = stored.map(|stored| shown(key, &stored, wanted)).transpose()?;
        values.insert(key.clone(), shown.unwrap_or_default());
    }
    Ok(Done::unchanged(success(&json!({"values": values}))))
}

fn shown(key: &str, stored: &Stored, wanted: &Wanted) -> Result<Value, Problem> {
    let value = match wanted.form {
        Form::Text => Value::from(String::from_utf8_lossy(&stored.value)),
        Form::Json => serde_json::from_slice(&stored.value)
            .map_err(|error| Problem::malformed(format!("the value of {key:?} is not JSON: {error}")))?,
    };
    if !wanted.with_metadata {
        return Ok(value);
    }
    let mut entry = json!({"value": value, "metadata": stored.metadata});
    if let Some(expiration) = stored.expiration {
        entry["expiration"] = expiration.into();
    }
    Ok(entry)
}

const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decodes as `atob` does (<https://infra.spec.whatwg.org/#forgiving-base64-decode>) and Cloudflare's local API, too
/// (miniflare 5, `decodeBase64`): blanks and line ends mean nothing, and padding may be left out.
fn forgiving(text: &str) -> Result<Vec<u8>, DecodeError> {
    FORGIVING.decode(text.replace(['\t', '\n', '\x0c', '\r', ' '], ""))
}

#[cfg(test)]
mod tests {
    use super::forgiving;

    #[test]
    fn blanks_and_padding_mean_nothing_but_another_alphabet_does() {
        for text in ["AP8=", "AP8", " A\tP\r\n8 = "] {
            assert_eq!(forgiving(text).unwrap(), [0, 255], "{text:?}");
        }
        for text in ["!", "A", "__8=", "AP8=AP8=", "AP8\u{a0}"] {
            assert!(forgiving(text).is_err(), "{text:?}");
        }
    }
}
