//! Events of source `phase`.

use serde_json::{Map, Value as Json, json};

use super::{StoreError, event};
use crate::db::WriteTx;
use crate::domain::envelope::{self, Writer};
use crate::domain::event::{NewEvent, Source};
use crate::domain::gate::Verdict;
use crate::domain::phase::Phase;
use crate::domain::run::Run;
use crate::domain::time::Stamp;

/// A phase event to be written.
#[derive(Clone, Debug)]
pub struct PhaseEvent<'a> {
    /// `advance`, `block`, `skip`, …
    pub kind: &'static str,
    /// The phase that the run is in.
    pub from: &'a Phase,
    /// The phase that it enters, or was about to enter.
    pub to: &'a Phase,
    pub reason: Option<String>,
    /// The gate's verdict, also where it was overridden; `None` if no gate was checked.
    pub gate: Option<&'a Verdict>,
    /// Further members of the event's data.
    pub data: Map<String, Json>,
    /// Further members of the envelope.
    pub envelope: Map<String, Json>,
}

impl<'a> PhaseEvent<'a> {
    /// Creates an event of a run that stays in its phase.
    pub fn here(kind: &'static str, run: &'a Run) -> Self {
        Self {
            kind,
            from: &run.phase,
            to: &run.phase,
            reason: None,
            gate: None,
            data: Map::new(),
            envelope: Map::new(),
        }
    }
}

/// Appends a phase event of a run, and changes nothing else. Returns the event's number.
pub fn note(tx: &WriteTx<'_>, run: &Run, event: &PhaseEvent<'_>, stamp: &Stamp) -> Result<i64, StoreError> {
    let (from, to) = (event.from.as_str(), event.to.as_str());
    let mut envelope = envelope::build(
        &Writer {
            policy_version: "phase-machine/v1",
            caller_identity: "phase.store",
            capability_scope: &format!("run:{}", run.id),
            trace_id: run.id.as_str(),
            span: &format!("phase:{}", event.kind),
            parent_span_id: Some(&format!("phase-state:{from}")),
            input: &format!("phase:{from}"),
            output: &format!("phase:{to}"),
        },
        stamp,
    );
    envelope.extend(event.envelope.clone());
    let mut data = event.data.clone();
    if let Some(gate) = event.gate {
        let told = json!({ "result": gate.result, "tier": gate.tier, "conditions": gate.conditions });
        data.insert("gate".to_owned(), told);
    }
    let new = NewEvent {
        run_id: Some(run.id.clone()),
        source: Source::PHASE,
        kind: event.kind.to_owned(),
        subject: run.id.to_string(),
        from: from.to_owned(),
        to: to.to_owned(),
        reason: event.reason.clone(),
        data,
        envelope,
    };
    event::append(tx, &new, stamp)
}
