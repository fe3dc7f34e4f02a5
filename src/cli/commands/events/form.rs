//! The forms of an event: a line of JSON, a cloud event, or columns for people.

use std::borrow::Cow;
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

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
            Format::Cloudevents => json_lines::append(&CloudEvent::from(event), out),
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

/// An event as `CloudEvents` 1.0 has them.
///
/// The members that the specification has no attribute for are in `data`. The run and the number are extension attributes
/// too, because a router may look at attributes only.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct CloudEvent<'a> {
    data: CloudEventData<'a>,
    datacontenttype: &'static str,
    /// The number of the event, which is unique within one log.
    id: String,
    /// The run, if the event is of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    runid: Option<Cow<'a, str>>,
    /// The number of the event with leading zeros: the order as text is the order of the log.
    sequence: String,
    source: String,
    specversion: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Cow<'a, str>>,
    time: String,
    #[serde(rename = "type")]
    kind: String,
}

/// The members of an event that are no attributes of a cloud event.
#[derive(Serialize, JsonSchema)]
struct CloudEventData<'a> {
    data: Option<Value>,
    envelope: Option<Value>,
    from_state: &'a str,
    hash: &'a str,
    origin: Origin,
    reason: Option<&'a str>,
    run_id: &'a str,
    subject: &'a str,
    to_state: &'a str,
}

impl<'a> From<&'a Event> for CloudEvent<'a> {
    fn from(event: &'a Event) -> Self {
        let line = EventLine::from(event);
        // Attributes must not be empty, and must not hold control characters.
        let attribute = |text: &'a str| Some(one_line(text)).filter(|text| !text.is_empty());
        Self {
            datacontenttype: "application/json",
            id: event.id.to_string(),
            runid: attribute(line.run_id),
            sequence: format!("{:020}", event.id),
            source: format!("/intercore/{}", event.source),
            specversion: "1.0",
            subject: attribute(line.subject),
            time: line.timestamp,
            kind: format!("intercore.{}.{}", event.source, event.kind),
            data: CloudEventData {
                data: line.data,
                envelope: line.envelope,
                from_state: line.from_state,
                hash: &event.hash,
                origin: line.origin,
                reason: line.reason,
                run_id: line.run_id,
                subject: line.subject,
                to_state: line.to_state,
            },
        }
    }
}

/// Events as one document.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the document is written piece by piece; this is its schema")]
pub(in crate::cli) struct EventPage {
    events: Vec<EventLine<'static>>,
    /// Whether there are more events than the page holds.
    more: bool,
    /// The number to pass as --since for the next page.
    next: i64,
}

/// A line that `ic events tail` prints: an event, or with --page all of them.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the lines are written as what they are; this is their schema")]
pub(in crate::cli) enum TailLine {
    Event(EventLine<'static>),
    Page(EventPage),
    CloudEvent(CloudEvent<'static>),
}
