//! The history of a run.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::find::RunSelector;
use crate::app::{CommandContext, Error, Reply};
use crate::domain::event::{Event, Source};
use crate::domain::ids::RunId;
use crate::store;
use crate::store::event::Filter;

/// An event of a run. Members that are not set are left out.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunEvent {
    /// Unix seconds.
    pub created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envelope: Option<Value>,
    pub event_type: String,
    pub from_phase: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate_result: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate_tier: Option<Value>,
    pub id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub run_id: Option<RunId>,
    /// Left out, as the subject, where only phase events are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    pub to_phase: String,
}

/// Events of a run, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct RunEvents(pub Vec<RunEvent>);

impl RunEvent {
    fn new(event: Event, with_source: bool) -> Self {
        let (gate_result, gate_tier) = gate(&event).unzip();
        Self {
            created_at: event.secs(),
            envelope: event.envelope.as_deref().and_then(|text| serde_json::from_str(text).ok()),
            event_type: event.kind,
            from_phase: event.from,
            gate_result,
            gate_tier,
            id: event.id,
            reason: event.reason,
            run_id: event.run_id,
            source: with_source.then_some(event.source),
            subject: with_source.then_some(event.subject),
            to_phase: event.to,
        }
    }
}

/// Returns the result and the tier of the gate that an event recorded.
fn gate(event: &Event) -> Option<(Value, Value)> {
    let gate = event.data().remove("gate")?;
    Some((gate.get("result")?.clone(), gate.get("tier")?.clone()))
}

/// Returns the phase events of a run, or with `all_sources` all of its events.
///
/// # Errors
/// As [`super::find::RunTarget::find`].
pub(crate) fn events(
    cx: &mut CommandContext,
    run: RunSelector,
    all_sources: bool,
) -> Result<Reply<RunEvents>, Error> {
    let target = run.resolve(&cx.env)?;
    let events = cx.read(|tx| {
        let run = target.find(tx)?;
        let source = (!all_sources).then_some(Source::PHASE);
        let filter = Filter { run_id: Some(run.id), source, ..Filter::default() };
        Ok::<_, Error>(store::event::list(tx, &filter)?)
    })?;
    let events = events.into_iter().map(|event| RunEvent::new(event, all_sources)).collect();
    Ok(Reply::yes(RunEvents(events)))
}
