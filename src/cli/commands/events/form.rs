//! How an event looks: a line of JSON, a cloud event, or a line for people.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::app::Error;
use crate::app::events::json_lines;
use crate::domain::event::{Event, Origin, Source};
use crate::domain::ids::RunId;
use crate::domain::text::one_line;
use crate::domain::time::rfc3339;

/// The forms that a caller can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Format {
    /// One JSON object per line
    Jsonl,
    /// One cloud event (`CloudEvents` 1.0, JSON) per line
    Cloudevents,
    /// Columns for people
    Text,
}

/// A form, and whether it is in colour.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Form {
    pub format: Format,
    pub colour: bool,
}

impl Form {
    /// Appends the event, with its newline.
    pub(in crate::cli) fn write(self, event: &Event, out: &mut Vec<u8>) -> Result<(), Error> {
        match self.format {
            Format::Jsonl => json_lines::append(&EventLine::from(event), out),
            Format::Cloudevents => json_lines::append(&cloud_event(event), out),
            Format::Text => {
                out.extend_from_slice(self.text(event).as_bytes());
                Ok(())
            }
        }
    }

    fn text(self, event: &Event) -> String {
        let (dim, bold, plain) =
            if self.colour { ("\u{1b}[2m", "\u{1b}[1m", "\u{1b}[0m") } else { ("", "", "") };
        let at = rfc3339(event.at_ms);
        let at = at.get(..19).unwrap_or(&at).replace('T', " ");
        let run = event.run_id.as_ref().map_or("-", RunId::as_str);
        let what = one_line(&format!("{} {}", event.source, event.kind)).into_owned();
        let mut line = format!("{:>6}  {dim}{at}{plain}  {run:<8}  {bold}{what:<24}{plain}", event.id);
        let mut add = |text: &str| {
            if !text.is_empty() {
                let _ = write!(line, "  {}", one_line(text)); // writing to a `String` cannot fail
            }
        };
        match (event.from.as_str(), event.to.as_str()) {
            ("", to) => add(to),
            (from, "") => add(from),
            (from, to) => add(&format!("{from} → {to}")),
        }
        if event.run_id.as_ref().is_none_or(|run| run.as_str() != event.subject) {
            add(&event.subject);
        }
        add(event.reason.as_deref().unwrap_or(""));
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    }
}

/// An event as one line of JSON.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct EventLine<'a> {
    id: i64,
    run_id: &'a str,
    source: &'a Source,
    #[serde(rename = "type")]
    kind: &'a str,
    subject: &'a str,
    from_state: &'a str,
    to_state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    envelope: Option<Value>,
    origin: Origin,
    timestamp: String,
}

impl<'a> From<&'a Event> for EventLine<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            id: event.id,
            run_id: event.run_id.as_ref().map_or("", RunId::as_str),
            source: &event.source,
            kind: &event.kind,
            subject: &event.subject,
            from_state: &event.from,
            to_state: &event.to,
            reason: event.reason.as_deref().filter(|reason| !reason.is_empty()),
            data: event.data.as_deref().map(decoded),
            envelope: event.envelope.as_deref().map(decoded),
            origin: event.origin,
            timestamp: rfc3339(event.at_ms),
        }
    }
}

fn decoded(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

/// The event as one of `CloudEvents` 1.0. Its number is the id: unique within one log, and its order.
///
/// What the specification has no attribute for is in `data`; the run and the number are extensions too,
/// because a router may look at attributes only.
fn cloud_event(event: &Event) -> Value {
    let line = EventLine::from(event);
    let mut cloud = json!({
        "specversion": "1.0",
        "id": event.id.to_string(),
        "source": format!("/intercore/{}", event.source),
        "type": format!("intercore.{}.{}", event.source, event.kind),
        "time": line.timestamp,
        "datacontenttype": "application/json",
        // In order of text as in order of numbers.
        "sequence": format!("{:020}", event.id),
        "data": {
            "run_id": line.run_id,
            "subject": line.subject,
            "from_state": line.from_state,
            "to_state": line.to_state,
            "reason": line.reason,
            "origin": line.origin,
            "data": line.data,
            "envelope": line.envelope,
            "hash": event.hash,
        },
    });
    // Attributes must not be empty, and must not hold control characters.
    for (attribute, text) in [("subject", line.subject), ("runid", line.run_id)] {
        if !text.is_empty() {
            cloud[attribute] = one_line(text).into();
        }
    }
    cloud
}
