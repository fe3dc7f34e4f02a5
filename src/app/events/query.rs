//! Recorded events of some sources, as streams of rows in the shapes that their callers know.

use std::sync::atomic::AtomicBool;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::reader::{Admit, EventReader};
use crate::app::reply::{Flow, Sink};
use crate::app::{CommandContext, Error, Verdict};
use crate::domain::event::{Event, Origin, Source};
use crate::domain::ids::RunId;
use crate::domain::time::rfc3339;
use crate::store::event::Filter;

/// How many rows a limit of 0 or less means.
pub(crate) const MAX_ROWS: i64 = 1000;

/// Which events are listed.
#[derive(Debug, Default)]
pub(crate) struct QueryRequest {
    /// Only events of this agency or agent.
    pub subject: Option<String>,
    pub run_id: Option<RunId>,
    /// Only events after this number.
    pub since: i64,
    /// 0 or less for [`MAX_ROWS`].
    pub limit: i64,
}

/// A review event.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ReviewRow {
    agents_json: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    chosen_severity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dismissal_reason: Option<String>,
    event_type: String,
    finding_id: String,
    id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    impact: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_dir: Option<String>,
    resolution: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    timestamp: String,
}

/// An event of an agency.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AgencyRow {
    agency_name: String,
    /// JSON as text; empty if the event has no context.
    context_json: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cycle_id: Option<String>,
    event_type: String,
    id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_dir: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<RunId>,
    stage: String,
    timestamp: String,
}

/// Evidence about an agent.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EvidenceRow {
    agent_name: String,
    /// JSON as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    context_json: Option<String>,
    event_type: String,
    id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    override_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_dir: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    timestamp: String,
}

/// Streams review events, oldest first.
///
/// # Errors
/// [`Error::Ops`] if the log cannot be read; [`Error::Output`] if the stream cannot be written.
pub(crate) fn reviews(
    cx: &mut CommandContext,
    request: QueryRequest,
    sink: &mut dyn Sink<ReviewRow>,
) -> Result<Verdict, Error> {
    query(cx, "review", request, sink, |event| {
        let data = payload(&event);
        ReviewRow {
            agents_json: event.reason.unwrap_or_default(),
            chosen_severity: member(&data, "chosen_severity"),
            dismissal_reason: member(&data, "dismissal_reason"),
            event_type: event.kind,
            finding_id: event.subject,
            id: event.id,
            impact: member(&data, "impact"),
            project_dir: member(&data, "project_dir"),
            resolution: event.to,
            run_id: event.run_id,
            session_id: member(&data, "session_id"),
            timestamp: rfc3339(event.at_ms),
        }
    })
}

/// Streams events of agencies, oldest first.
///
/// # Errors
/// As [`reviews`].
pub(crate) fn agencies(
    cx: &mut CommandContext,
    request: QueryRequest,
    sink: &mut dyn Sink<AgencyRow>,
) -> Result<Verdict, Error> {
    query(cx, "agency", request, sink, |event| {
        let data = payload(&event);
        AgencyRow {
            agency_name: event.subject,
            context_json: member(&data, "context").unwrap_or_default(),
            cycle_id: member(&data, "cycle_id"),
            event_type: event.kind,
            id: event.id,
            idempotency_key: member(&data, "idempotency_key"),
            project_dir: member(&data, "project_dir"),
            run_id: event.run_id,
            stage: event.to,
            timestamp: rfc3339(event.at_ms),
        }
    })
}

/// Streams evidence about agents, oldest first.
///
/// # Errors
/// As [`reviews`].
pub(crate) fn evidence(
    cx: &mut CommandContext,
    request: QueryRequest,
    sink: &mut dyn Sink<EvidenceRow>,
) -> Result<Verdict, Error> {
    query(cx, "interspect", request, sink, |event| {
        let data = payload(&event);
        EvidenceRow {
            agent_name: event.subject,
            context_json: member(&data, "context"),
            event_type: event.kind,
            id: event.id,
            override_reason: event.reason,
            project_dir: member(&data, "project_dir"),
            run_id: event.run_id,
            session_id: member(&data, "session_id"),
            timestamp: rfc3339(event.at_ms),
        }
    })
}

fn query<R>(
    cx: &mut CommandContext,
    source: &str,
    request: QueryRequest,
    sink: &mut dyn Sink<R>,
    row: fn(Event) -> R,
) -> Result<Verdict, Error> {
    let QueryRequest { subject, run_id, since, limit } = request;
    let mut left = if limit <= 0 { MAX_ROWS } else { limit };
    let source: Source = source.parse().map_err(Error::usage)?;
    let filter = Filter { source: Some(source), run_id, since, ..Filter::default() };
    let (mut reader, _) = EventReader::up_to_now(filter, cx)?;
    // A signal ends the process as it always does.
    let never = AtomicBool::new(false);
    loop {
        let piece = reader.next(cx, |event| {
            if left == 0 {
                return Admit::Enough;
            }
            // The kernel's own events of this source, such as those of overrides, were not recorded by a
            // caller.
            let is_recorded = event.origin == Origin::External;
            if is_recorded && subject.as_ref().is_none_or(|subject| *subject == event.subject) {
                left -= 1;
                return Admit::Take;
            }
            Admit::Pass
        })?;
        for event in piece.events {
            sink.put(&row(event))?;
        }
        if sink.deliver(&never)? == Flow::Stop || !piece.full {
            return Ok(Verdict::Yes);
        }
    }
}

/// Returns the members of the payload. For an event that was imported from a database of the Go program
/// they are the columns of its row.
fn payload(event: &Event) -> Map<String, Value> {
    let mut data = event.data();
    let Some(Value::Object(mut imported)) = data.remove("imported") else { return data };
    let Some(Value::Object(mut columns)) = imported.remove("columns") else { return data };
    if let Some(context) = columns.remove("context_json") {
        columns.insert("context".to_owned(), context);
    }
    data.extend(columns);
    data
}

/// Returns a member as text: a string that is not empty unchanged, anything else but null as JSON.
fn member(data: &Map<String, Value>, name: &str) -> Option<String> {
    match data.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()).filter(|text| !text.is_empty()),
        Some(other) => Some(other.to_string()),
    }
}
