//! Override: the next phase, whatever the gate says, with its true verdict on record.

use serde_json::{Map, json};

use super::OpsError;
use super::gate::{self, Terms};
use crate::db::WriteTx;
use crate::domain::gate::{OverrideCategory, Verdict};
use crate::domain::ids::RunId;
use crate::domain::phase::{Phase, Step};
use crate::domain::run::Run;
use crate::domain::time::Stamp;
use crate::store;
use crate::store::phase::PhaseEvent;

/// What the caller asks for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The run.
    pub id: RunId,
    /// The phase that the caller believes it is in.
    pub expect: Option<Phase>,
    /// Why.
    pub reason: String,
    /// What kind of why.
    pub category: OverrideCategory,
}

/// An override, as recorded.
#[derive(Clone, Debug)]
pub struct Override {
    /// The run as it was before.
    pub run: Run,
    /// The step taken.
    pub step: Step,
    /// What the gate would have said.
    pub verdict: Verdict,
    /// The reason that the event holds.
    pub reason: String,
    /// The event's number.
    pub event_id: i64,
    /// Whether the run stays where it is: runtime evidence cannot be overridden.
    pub blocked: bool,
}

/// Moves a run to its next phase past the gate. A step that needs runtime evidence is not taken, and that is
/// recorded.
///
/// # Errors
/// As [`advance`](super::advance::advance).
pub fn override_gate(tx: &WriteTx<'_>, request: &Request, stamp: &Stamp) -> Result<Override, OpsError> {
    let run = store::run::get(tx, &request.id)?;
    super::require_active(&run)?;
    super::require_phase(&run, request.expect.as_ref())?;
    let blocked = gate::needs_evidence(&run, &gate::next_step(tx, &run)?);
    let answer = gate::evaluate(tx, &run, &Terms { disabled: blocked, ..Terms::at(1) })?;
    let mut reason = json!({ "override_category": request.category, "reason": request.reason });
    if !answer.verdict.conditions.is_empty() {
        reason["conditions"] = json!(answer.verdict.conditions);
    }
    let reason = reason.to_string();
    let event = PhaseEvent {
        kind: if blocked { "block" } else { "override" },
        from: &answer.step.from,
        to: &answer.step.to,
        reason: Some(reason.clone()),
        gate: Some(&answer.verdict),
        data: Map::from_iter([("override_category".to_owned(), json!(request.category))]),
        envelope: Map::new(),
    };
    let event_id = if blocked {
        store::phase::note(tx, &run, &event, stamp)?
    } else {
        let place = super::advance::place_at(&run, &answer.step.to, stamp);
        store::phase::transit(tx, &run, &place, event, stamp)?
    };
    Ok(Override { run, step: answer.step, verdict: answer.verdict, reason, event_id, blocked })
}
