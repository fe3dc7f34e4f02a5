//! Metadata: the free JSON object that a run carries.

use serde_json::{Map, Value};

/// Why metadata was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Not JSON.
    #[error("{0}")]
    Json(String),
    /// JSON, but not an object.
    #[error("must be a JSON object")]
    NotAnObject,
    /// Asks for a gate that this program does not have.
    #[error("close_gate.requirements asks for runtime-evidence/v1, which this version cannot verify")]
    RuntimeEvidence,
}

/// Reads a JSON object; printing it again gives its canonical text: keys sorted, numbers as written.
///
/// # Errors
/// [`MetadataError`] for anything else, and for a close gate that could never be opened.
pub fn parse(text: &str) -> Result<Map<String, Value>, MetadataError> {
    match serde_json::from_str(text).map_err(|err| MetadataError::Json(err.to_string()))? {
        Value::Object(map) => check(map),
        _ => Err(MetadataError::NotAnObject),
    }
}

fn check(map: Map<String, Value>) -> Result<Map<String, Value>, MetadataError> {
    let requirements =
        map.get("close_gate").and_then(|gate| gate.get("requirements")).and_then(Value::as_array);
    if requirements.is_some_and(|list| list.iter().any(|entry| entry == "runtime-evidence/v1")) {
        return Err(MetadataError::RuntimeEvidence);
    }
    Ok(map)
}

/// Merges `changes` into `base`: objects member by member, everything else replaces; `null` is stored as null.
pub fn merge(base: &mut Map<String, Value>, changes: Map<String, Value>) {
    for (key, change) in changes {
        match (base.get_mut(&key), change) {
            (Some(Value::Object(below)), Value::Object(changes)) => merge(below, changes),
            (_, change) => {
                base.insert(key, change);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_canonical_and_keeps_numbers_as_written() {
        let map = parse(r#" {"b": 1.50, "a": 12345678901234567890123, "c": {"y":1,"x":[ ]}} "#).unwrap();
        assert_eq!(
            Value::from(map).to_string(),
            r#"{"a":12345678901234567890123,"b":1.50,"c":{"x":[],"y":1}}"#
        );
        for bad in ["[]", "null", "3"] {
            assert_eq!(parse(bad), Err(MetadataError::NotAnObject), "{bad}");
        }
        assert!(matches!(parse("{} x"), Err(MetadataError::Json(_))));
        let sealed = r#"{"close_gate":{"requirements":["runtime-evidence/v1"]}}"#;
        assert_eq!(parse(sealed), Err(MetadataError::RuntimeEvidence));
    }

    #[test]
    fn merging_goes_into_objects_and_keeps_null() {
        let mut base = parse(r#"{"a":{"x":1,"y":2},"b":3,"c":{"z":1}}"#).unwrap();
        merge(&mut base, parse(r#"{"a":{"y":null,"w":[1]},"b":{"n":1},"c":5}"#).unwrap());
        assert_eq!(Value::from(base).to_string(), r#"{"a":{"w":[1],"x":1,"y":null},"b":{"n":1},"c":5}"#);
    }
}
