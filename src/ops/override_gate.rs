//! Override: moving a run to its next phase regardless of the gate, and recording the gate's verdict.

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

/// The request of a caller.
#[derive(Clone, Debug)]
pub struct Request {
    pub id: RunId,
    /// The phase in which the caller expects it.
    pub expect: Option<Phase>,
    pub reason: String,
    /// The category of the reason.
    pub category: OverrideCategory,
}

/// An override, as recorded.
#[derive(Clone, Debug)]
pub struct Override {
    /// The run as it was before.
    pub run: Run,
    /// The step that was taken.
    pub step: Step,
    /// The verdict of the gate.
    pub verdict: Verdict,
    /// The reason in the event.
    pub reason: String,
    pub event_id: i64,
    /// Whether the run stays in its phase, because runtime evidence cannot be overridden.
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
