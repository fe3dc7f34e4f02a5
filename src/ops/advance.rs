//! Advance: moving a run to its next phase, if the gate is open.

use serde_json::{Map, json};

use super::OpsError;
use super::gate::{self, Terms};
use crate::db::WriteTx;
use crate::domain::gate::Verdict;
use crate::domain::ids::RunId;
use crate::domain::phase::{Phase, Step};
use crate::domain::run::{Run, RunStatus};
use crate::domain::time::Stamp;
use crate::store;
use crate::store::phase::{PhaseEvent, Place};

/// The request of a caller.
#[derive(Clone, Debug)]
pub struct Request {
    pub id: RunId,
    /// The phase in which the caller expects it.
    pub expect: Option<Phase>,
    /// The terms on which the gate is evaluated.
    pub terms: Terms,
    /// The reason to move a run that does not advance by itself.
    pub skip_reason: Option<String>,
}

/// The outcome of a request to advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The run has moved to the next phase.
    Advanced,
    /// The gate is closed.
    Blocked,
    /// The run does not advance by itself.
    Paused,
}

/// An advance, as recorded.
#[derive(Clone, Debug)]
pub struct Advance {
    pub outcome: Outcome,
    /// The run as it was before.
    pub run: Run,
    /// The step that was taken or refused.
    pub step: Step,
    pub verdict: Verdict,
    /// The reason in the event.
    pub reason: Option<String>,
    pub event_id: i64,
}

impl Outcome {
    /// Returns the type of the event that records it.
    pub fn event_type(self) -> &'static str {
        match self {
            Self::Advanced => "advance",
            Self::Blocked => "block",
            Self::Paused => "pause",
        }
    }
}

/// Moves a run to its next phase, or records the reason why it stays.
///
/// # Errors
/// * [`StoreError`](store::StoreError) for an unknown run, a terminal one, or one in another phase than
///   expected.
/// * [`OpsError::TerminalPhase`] at the end of the chain.
pub fn advance(tx: &WriteTx<'_>, request: &Request, stamp: &Stamp) -> Result<Advance, OpsError> {
    let run = store::run::get(tx, &request.id)?;
    super::require_active(&run)?;
    super::require_phase(&run, request.expect.as_ref())?;
    if !run.auto_advance && request.skip_reason.is_none() {
        let step = gate::next_step(tx, &run)?;
        let reason = Some("auto_advance disabled".to_owned());
        return record(tx, run, step, Outcome::Paused, Verdict::open(), reason, stamp);
    }
    let answer = gate::evaluate(tx, &run, &request.terms)?;
    let outcome = if answer.verdict.blocks() { Outcome::Blocked } else { Outcome::Advanced };
    let said = request.skip_reason.clone().or_else(|| request.terms.bypass());
    let reason = explain(&answer.verdict, said);
    record(tx, run, answer.step, outcome, answer.verdict, reason, stamp)
}

/// Returns the reason of the event: a JSON document with the evidence and the caller's reason, or only that
/// reason.
fn explain(verdict: &Verdict, said: Option<String>) -> Option<String> {
    if verdict.conditions.is_empty() {
        return said;
    }
    let mut evidence = json!({ "conditions": verdict.conditions });
    if let Some(said) = said {
        evidence["skip_reason"] = said.into();
    }
    Some(evidence.to_string())
}

fn record(
    tx: &WriteTx<'_>,
    run: Run,
    step: Step,
    outcome: Outcome,
    verdict: Verdict,
    reason: Option<String>,
    stamp: &Stamp,
) -> Result<Advance, OpsError> {
    let event = PhaseEvent {
        kind: outcome.event_type(),
        from: &step.from,
        to: &step.to,
        reason: reason.clone(),
        gate: Some(&verdict),
        data: Map::new(),
        envelope: Map::new(),
    };
    let event_id = match outcome {
        Outcome::Advanced => store::phase::transit(tx, &run, &place_at(&run, &step.to, stamp), event, stamp)?,
        Outcome::Blocked | Outcome::Paused => store::phase::note(tx, &run, &event, stamp)?,
    };
    Ok(Advance { outcome, run, step, verdict, reason, event_id })
}

/// Returns the state of a run after it enters `to`: completed, if that is the last phase.
pub(super) fn place_at(run: &Run, to: &Phase, stamp: &Stamp) -> Place {
    let ends = run.chain().last() == to;
    Place {
        phase: to.clone(),
        status: if ends { RunStatus::Completed } else { RunStatus::Active },
        completed_at: ends.then(|| stamp.secs()),
    }
}
