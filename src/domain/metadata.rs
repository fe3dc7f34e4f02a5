//! Metadata: the free JSON object that a run carries.

use serde_json::{Map, Value};

/// The reason to refuse metadata.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Not JSON.
    #[error("{0}")]
    Json(String),
    /// JSON, but not an object.
    #[error("must be a JSON object")]
    NotAnObject,
}

/// The requirement of a run that may end only with runtime evidence; also the type of the artifact that is
/// the evidence.
pub const RUNTIME_EVIDENCE: &str = "runtime-evidence/v1";

/// The members that cannot change once they are set in a run that asks for evidence, at the top or in
/// `close_gate`.
const SEALED: [&str; 5] = ["requirements", "bead_id", "adoption", "runtime_expectations", "config_digest"];

/// Parses a JSON object. Printing it again gives its canonical text: keys sorted, numbers as written.
///
/// # Errors
/// Fails with a [`MetadataError`] if the text is anything else.
pub fn parse(text: &str) -> Result<Map<String, Value>, MetadataError> {
    match serde_json::from_str(text).map_err(|err| MetadataError::Json(err.to_string()))? {
        Value::Object(map) => Ok(map),
        _ => Err(MetadataError::NotAnObject),
    }
}

/// Checks whether `close_gate.requirements` asks for runtime evidence before the run ends.
pub fn asks_evidence(map: &Map<String, Value>) -> bool {
    let requirements =
        map.get("close_gate").and_then(|gate| gate.get("requirements")).and_then(Value::as_array);
    requirements.is_some_and(|list| list.iter().any(|entry| entry == RUNTIME_EVIDENCE))
}

/// Returns the path of a sealed member of `before` that `after` lacks, or has with another value.
pub fn broken_seal(before: &Map<String, Value>, after: &Map<String, Value>) -> Option<String> {
    if !asks_evidence(before) {
        return None;
    }
    let inside = |map: &Map<String, Value>, name: &str| map.get("close_gate")?.get(name).cloned();
    SEALED.iter().find_map(|name| {
        let top = before.get(*name).is_some_and(|value| after.get(*name) != Some(value));
        let below = inside(before, name).is_some_and(|value| inside(after, name) != Some(value));
        if below { Some(format!("close_gate.{name}")) } else { top.then(|| (*name).to_owned()) }
    })
}

/// Merges `changes` into `base`: objects are merged member by member, every other value replaces the old one,
/// and `null` is stored as null.
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
    }

    #[test]
    fn only_a_list_of_requirements_asks_for_evidence() {
        let asks = |text: &str| asks_evidence(&parse(text).unwrap());
        assert!(asks(r#"{"close_gate":{"requirements":["x","runtime-evidence/v1"]}}"#));
        for other in [
            "{}",
            r#"{"close_gate":[]}"#,
            r#"{"close_gate":{"requirements":"runtime-evidence/v1"}}"#,
            r#"{"close_gate":{"requirements":["x"]}}"#,
        ] {
            assert!(!asks(other), "{other}");
        }
    }

    #[test]
    fn merging_goes_into_objects_and_keeps_null() {
        let mut base = parse(r#"{"a":{"x":1,"y":2},"b":3,"c":{"z":1}}"#).unwrap();
        merge(&mut base, parse(r#"{"a":{"y":null,"w":[1]},"b":{"n":1},"c":5}"#).unwrap());
        assert_eq!(Value::from(base).to_string(), r#"{"a":{"w":[1],"x":1,"y":null},"b":{"n":1},"c":5}"#);
    }
}
