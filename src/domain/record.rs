//! Events that callers record: their sources, and the required members of their payloads.

use serde_json::{Map, Value};

use super::event::Source;
use super::state::{self, PayloadError};

/// The sources that only the kernel may write, now or in later versions.
const RESERVED: [&str; 11] = [
    "phase",
    "run",
    "agent",
    "artifact",
    "action",
    "dispatch",
    "discovery",
    "log",
    "state",
    "import",
    "task",
];

/// The reason to refuse an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The source belongs to the kernel.
    #[error("unsupported source \"{0}\": only the kernel writes events of this source")]
    Reserved(String),
    /// The type is empty, or not one of the source.
    #[error("--type {0}")]
    Kind(String),
    /// Too large, not JSON, or a secret.
    #[error("--payload: {0}")]
    Payload(#[from] Refused),
    /// A member is missing or has the wrong type.
    #[error("{source_name} payload: {field} {problem}")]
    Field { source_name: String, field: &'static str, problem: &'static str },
    /// The source needs an idempotency key.
    #[error("--idempotency-key is required for {0} events")]
    NoKey(String),
}

/// A payload that was refused, comparable and printable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String);

impl From<PayloadError> for RecordError {
    fn from(err: PayloadError) -> Self {
        let text = match err {
            PayloadError::NotJson => "must be valid JSON".to_owned(),
            other => other.to_string(),
        };
        Self::Payload(Refused(text))
    }
}

/// A payload, as the fields of an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    /// The subject of the event.
    pub subject: String,
    /// The state before, or the actor.
    pub from: String,
    /// The state after, or the act.
    pub to: String,
    /// The reason.
    pub reason: Option<String>,
    /// The payload itself.
    pub data: Map<String, Value>,
    /// The caller's key for this event, if it is a member of the payload.
    pub key: Option<String>,
}

/// Parses an event of a caller. `kind` is the event's type; a missing payload counts as the empty object.
///
/// # Errors
/// [`RecordError`] with the invalid member of the payload.
pub fn read(source: &Source, kind: &str, payload: Option<&str>) -> Result<Content, RecordError> {
    if RESERVED.contains(&source.as_str()) {
        return Err(RecordError::Reserved(source.to_string()));
    }
    if kind.is_empty() {
        return Err(RecordError::Kind("is required".to_owned()));
    }
    if kind.len() > 200 || kind.chars().any(char::is_control) {
        return Err(RecordError::Kind("must be one line of at most 200 bytes".to_owned()));
    }
    let text = payload.unwrap_or("{}");
    state::check_json(text)?;
    let value: Value = serde_json::from_str(text).map_err(|_| PayloadError::NotJson)?;
    let form = Form { source: source.as_str() };
    match source.as_str() {
        "review" => form.review(kind, value),
        "interspect" => form.interspect(value),
        "coordination" => form.coordination(value),
        "intent" => form.intent(value),
        "agency" => form.agency(value),
        _ => {
            let data = match value {
                Value::Object(map) => map,
                other => Map::from_iter([("payload".to_owned(), other)]),
            };
            Ok(Content { data, ..Content::default() })
        }
    }
}

/// The form of a payload, for the sources that have one.
struct Form<'a> {
    source: &'a str,
}

impl Form<'_> {
    fn review(&self, kind: &str, payload: Value) -> Result<Content, RecordError> {
        if !["disagreement_resolved", "execution_defect"].contains(&kind) {
            return Err(RecordError::Kind(
                "of a review event must be disagreement_resolved or execution_defect".to_owned(),
            ));
        }
        let data = self.object(payload)?;
        let finding = self.required(&data, "finding_id")?;
        let resolution = self.required(&data, "resolution")?;
        self.required(&data, "chosen_severity")?;
        self.required(&data, "impact")?;
        self.optional(&data, "dismissal_reason")?;
        let agents = match data.get("agents") {
            None | Some(Value::Null) => return Err(self.field("agents", "is required")),
            Some(Value::Object(agents)) if agents.is_empty() => {
                return Err(self.field("agents", "must not be empty"));
            }
            Some(Value::Object(agents)) if agents.values().all(Value::is_string) => {
                Value::from(agents.clone()).to_string()
            }
            Some(_) => return Err(self.field("agents", "must be an object of strings")),
        };
        Ok(Content {
            subject: finding.clone(),
            from: finding,
            to: resolution,
            reason: Some(agents),
            data,
            key: None,
        })
    }

    fn interspect(&self, payload: Value) -> Result<Content, RecordError> {
        let data = self.object(payload)?;
        let agent = self.required(&data, "agent_name")?;
        let reason = self.optional(&data, "override_reason")?;
        if !matches!(data.get("context"), None | Some(Value::Null | Value::String(_) | Value::Object(_))) {
            return Err(self.field("context", "must be an object or a string"));
        }
        Ok(Content { subject: agent.clone(), from: agent, reason, data, ..Content::default() })
    }

    fn coordination(&self, payload: Value) -> Result<Content, RecordError> {
        let data = self.object(payload)?;
        let lock = self.required(&data, "lock_id")?;
        let owner = self.required(&data, "owner")?;
        let pattern = self.required(&data, "pattern")?;
        self.required(&data, "scope")?;
        let reason = self.optional(&data, "reason")?;
        Ok(Content { subject: lock, from: owner, to: pattern, reason, data, key: None })
    }

    fn intent(&self, payload: Value) -> Result<Content, RecordError> {
        let data = self.object(payload)?;
        self.required(&data, "intent_type")?;
        let bead = self.required(&data, "bead_id")?;
        let key = self.required(&data, "idempotency_key")?;
        if !matches!(data.get("success"), None | Some(Value::Null | Value::Bool(_))) {
            return Err(self.field("success", "must be true or false"));
        }
        let reason = self.optional(&data, "error_detail")?;
        Ok(Content { subject: bead, reason, data, key: Some(key), ..Content::default() })
    }

    fn agency(&self, payload: Value) -> Result<Content, RecordError> {
        let data = self.object(payload)?;
        let agency = self.required(&data, "agency_name")?;
        self.required(&data, "cycle_id")?;
        let stage = self.required(&data, "stage")?;
        if !matches!(data.get("context"), None | Some(Value::Null | Value::Object(_))) {
            return Err(self.field("context", "must be an object"));
        }
        Ok(Content { subject: agency, to: stage, data, ..Content::default() })
    }

    fn object(&self, payload: Value) -> Result<Map<String, Value>, RecordError> {
        match payload {
            Value::Object(map) => Ok(map),
            _ => {
                Err(RecordError::Payload(Refused(format!("of {} events must be a JSON object", self.source))))
            }
        }
    }

    fn required(&self, data: &Map<String, Value>, field: &'static str) -> Result<String, RecordError> {
        match data.get(field) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
            None | Some(Value::Null) => Err(self.field(field, "is required")),
            Some(Value::String(_)) => Err(self.field(field, "must not be empty")),
            Some(_) => Err(self.field(field, "must be a string")),
        }
    }

    fn optional(
        &self,
        data: &Map<String, Value>,
        field: &'static str,
    ) -> Result<Option<String>, RecordError> {
        match data.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            Some(_) => Err(self.field(field, "must be a string")),
        }
    }

    fn field(&self, field: &'static str, problem: &'static str) -> RecordError {
        RecordError::Field { source_name: self.source.to_owned(), field, problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str, kind: &str, payload: &str) -> Result<Content, String> {
        read(&source.parse().unwrap(), kind, Some(payload)).map_err(|err| err.to_string())
    }

    /// EV-05: every form, each member missing, empty and of the wrong kind.
    #[test]
    fn a_fault_is_named_by_its_member() {
        let forms = [
            (
                "review",
                "execution_defect",
                r#"{"finding_id":"f","resolution":"r","chosen_severity":"P1","impact":"i","agents":{"a":"P1"},
                    "dismissal_reason":"d"}"#,
                &["finding_id", "resolution", "chosen_severity", "impact", "agents"][..],
                &["dismissal_reason"][..],
            ),
            (
                "interspect",
                "x",
                r#"{"agent_name":"a","override_reason":"o","context":"c"}"#,
                &["agent_name"],
                &["override_reason", "context"],
            ),
            (
                "coordination",
                "x",
                r#"{"lock_id":"l","owner":"o","pattern":"p","scope":"s","reason":"r"}"#,
                &["lock_id", "owner", "pattern", "scope"],
                &["reason"],
            ),
            (
                "intent",
                "x",
                r#"{"intent_type":"t","bead_id":"b","idempotency_key":"k","success":true,"error_detail":"e"}"#,
                &["intent_type", "bead_id", "idempotency_key"],
                &["success", "error_detail"],
            ),
            (
                "agency",
                "x",
                r#"{"agency_name":"a","cycle_id":"c","stage":"s","context":{"a":1}}"#,
                &["agency_name", "cycle_id", "stage"],
                &["context"],
            ),
        ];
        for (source, kind, payload, required, optional) in forms {
            of(source, kind, payload).unwrap();
            let with = |field: &str, value: Option<Value>| {
                let mut map: Map<String, Value> = serde_json::from_str(payload).unwrap();
                match value {
                    Some(value) => map.insert(field.to_owned(), value),
                    None => map.remove(field),
                };
                of(source, kind, &Value::from(map).to_string())
            };
            for field in required {
                for value in [None, Some(Value::Null), Some("".into()), Some(7.into())] {
                    let err = with(field, value.clone()).unwrap_err();
                    assert!(err.contains(source) && err.contains(field), "{source} {value:?}: {err}");
                }
            }
            for field in optional {
                with(field, None).unwrap();
                with(field, Some(Value::Null)).unwrap();
                assert!(with(field, Some(7.into())).unwrap_err().contains(field));
            }
            for bad in ["", "{", "[]", "7", "null", "\"x\"", "{} {}"] {
                assert!(of(source, kind, bad).unwrap_err().contains("payload"), "{source}: {bad}");
            }
        }
        assert!(of("review", "other", "{}").unwrap_err().contains("--type"));
        assert!(
            of(
                "review",
                "execution_defect",
                r#"{"finding_id":"f","resolution":"r","chosen_severity":"P1","impact":"i","agents":{}}"#
            )
            .unwrap_err()
            .contains("agents")
        );
    }

    /// CL-09: any other name is free, but for those that are the kernel's.
    #[test]
    fn free_sources_take_any_json() {
        for payload in ["{\"a\":1}", "[1]", "7", "null", "\"x\""] {
            let content = of("my-tool", "built", payload).unwrap();
            assert_eq!(content.data.contains_key("payload"), !payload.starts_with('{'));
        }
        assert_eq!(read(&"x".parse().unwrap(), "y", None).unwrap(), Content::default());
        for reserved in RESERVED {
            assert!(of(reserved, "x", "{}").unwrap_err().contains("unsupported source"));
        }
        assert!(of("x", "", "{}").is_err() && of("x", "a\nb", "{}").is_err());
    }

    /// K-16
    #[test]
    fn secrets_are_refused_and_not_shown() {
        let err = of("x", "y", r#"{"a":"sk-a1B2c3D4e5F6g7H8i9J0k1L2m3"}"#).unwrap_err();
        assert!(err.contains("secret") && !err.contains("sk-"), "{err}");
    }
}
