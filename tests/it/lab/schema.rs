//! Whether JSON is as the published schemas say.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use serde_json::Value;

/// The parts of JSON Schema that our schemas use; any other keyword is an error, so that none is silently ignored.
pub fn check(schema: &Value, root: &Value, value: &Value, at: &str) -> Result<(), String> {
    let schema = match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => &root["$defs"][reference.strip_prefix("#/$defs/").expect("a definition")],
        None => schema,
    };
    for (keyword, rule) in schema.as_object().ok_or("a schema is an object")? {
        let holds = match keyword.as_str() {
            "$schema" | "$id" | "$defs" | "title" | "description" | "properties" | "format" => true,
            "const" => value == rule,
            "enum" => rule.as_array().is_some_and(|allowed| allowed.contains(value)),
            "type" => match rule {
                Value::Array(types) => types.iter().any(|name| is_of_type(value, name)),
                name => is_of_type(value, name),
            },
            "minimum" => value.as_f64().is_none_or(|number| Some(number) >= rule.as_f64()),
            "required" => {
                let names = rule.as_array().expect("names").iter().filter_map(Value::as_str);
                names.into_iter().all(|name| value.get(name).is_some())
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(rule, root, item, &format!("{at}[{index}]"))?;
                }
                true
            }
            "additionalProperties" => {
                for (name, member) in value.as_object().into_iter().flatten() {
                    match (schema["properties"].get(name), rule) {
                        (Some(_), _) | (None, Value::Bool(true)) => {}
                        (None, Value::Bool(false)) => return Err(format!("{at}.{name} is not allowed")),
                        (None, rule) => check(rule, root, member, &format!("{at}.{name}"))?,
                    }
                }
                true
            }
            other => return Err(format!("{other} is a keyword that this test does not know")),
        };
        if !holds {
            return Err(format!("{at}: {keyword} {rule} does not hold for {value}"));
        }
    }
    for (name, rule) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(member) = value.get(name) {
            check(rule, root, member, &format!("{at}.{name}"))?;
        }
    }
    Ok(())
}

fn is_of_type(value: &Value, name: &Value) -> bool {
    match name.as_str().expect("a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other} is not a type"),
    }
}

/// The schema of a `summary`, a `row` or a `job`, read once.
pub fn schema(name: &'static str) -> &'static Value {
    static READ: LazyLock<Mutex<HashMap<&'static str, &'static Value>>> = LazyLock::new(Mutex::default);
    let mut read = READ.lock().expect("no test panics while it reads one");
    read.entry(name).or_insert_with(|| {
        let path = format!("{}/docs/schema/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
        Box::leak(serde_json::from_str(&std::fs::read_to_string(&path).expect("the schema")).expect("JSON"))
    })
}

#[track_caller]
pub fn assert_valid(name: &'static str, value: &Value) {
    check(schema(name), schema(name), value, name).unwrap_or_else(|why| panic!("{why}\nin {value:#}"));
}

/// Every member that is written is in the schema, too.
#[track_caller]
pub fn assert_described(name: &'static str, value: &Value) {
    let schema = schema(name);
    for (member, _) in value.as_object().expect("an object") {
        assert!(schema["properties"].get(member).is_some(), "{member} is not in the schema of the {name}");
    }
}
