//! Many keys in one call. Bodies have been checked by then: no name is one that the service refuses.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::payload::{Form, Wanted};
use super::{Call, Done, Payload, unix_now, values};
use crate::sandbox::answer::{Problem, success};
use crate::sandbox::lock::locked;
use crate::sandbox::service::Service;
use crate::sandbox::store::Stored;

pub(super) fn delete(service: &Service, call: &Call<'_>) -> Result<Done, Problem> {
    let names = call.payload.names();
    service.spend_deletes(names.len() as u64)?;
    let held_back: HashSet<&str> = call.held_back.iter().map(String::as_str).collect();
    let (kept, doomed): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|name| held_back.contains(name));
    let now = unix_now();
    let mut store = locked(service.store());
    let mut changed = false;
    for name in &doomed {
        changed |= store.delete(name, now);
    }
    Ok(written(doomed.len(), &kept, changed))
}

pub(super) fn put(service: &Service, call: Call<'_>) -> Result<Done, Problem> {
    let Payload::Pairs(pairs) = call.payload else {
        return Err(Problem::malformed("an array of keys is missing"));
    };
    let stored = pairs.into_iter().map(|pair| {
        let value = if pair.base64 {
            let decoded = STANDARD.decode(&pair.value);
            decoded.map_err(|error| Problem::malformed(format!("could not decode a value: {error}")))?
        } else {
            pair.value.into_bytes()
        };
        Ok((pair.key, values::stored(value.into(), pair.metadata, pair.lifetime)?))
    });
    // All or nothing: one bad value refuses the call before anything is stored.
    let stored = stored.collect::<Result<Vec<_>, Problem>>()?;
    let count = stored.len();
    let mut store = locked(service.store());
    for (key, stored) in stored {
        store.put(key, stored);
    }
    Ok(written(count, &[], count > 0))
}

fn written(count: usize, unsuccessful: &[&str], changed: bool) -> Done {
    let result = json!({"successful_key_count": count, "unsuccessful_keys": unsuccessful});
    Done { response: success(&result), changed }
}

pub(super) fn get(service: &Service, call: &Call<'_>) -> Result<Done, Problem> {
    let Payload::Wanted(wanted) = &call.payload else {
        return Err(Problem::malformed("an object with keys is missing"));
    };
    let (now, store) = (unix_now(), locked(service.store()));
    let mut values = Map::new();
    for key in &wanted.keys {
        let shown = store.get(key, now).map(|stored| shown(key, &stored, wanted)).transpose()?;
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
