//! Moving a run to its next phase past the gate.

use schemars::JsonSchema;
use serde::Serialize;

use crate::app::effects::{self, PhaseChange};
use crate::app::{Code, CommandContext, Error, Reply};
use crate::domain::gate::OverrideCategory;
use crate::domain::phase::Phase;
use crate::ops::override_gate::override_gate;

pub(crate) use crate::ops::override_gate::Request as OverrideRequest;

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OverrideAnswer {
    pub category: OverrideCategory,
    pub from_phase: Phase,
    pub reason: String,
    pub to_phase: Phase,
    /// Whether the run stays in its phase because it lacks runtime evidence.
    #[serde(skip)]
    pub blocked: bool,
}

/// Moves a run to its next phase whatever the verdict of the gate; the negative if the step needs runtime
/// evidence that the run lacks.
///
/// # Errors
/// [`Error::Ops`] if the run does not exist, has ended, or is in another phase than expected.
pub(crate) fn override_(
    cx: &mut CommandContext,
    request: OverrideRequest,
) -> Result<Reply<OverrideAnswer>, Error> {
    let stamp = cx.stamp.clone();
    let done = cx.write(|tx| override_gate(tx, &request, &stamp))?;
    let change = PhaseChange {
        event_id: done.event_id,
        kind: if done.blocked { "block" } else { "override" },
        from: &done.step.from,
        to: &done.step.to,
        reason: Some(&done.reason),
    };
    effects::phase_hook(cx, &done.run, &change);
    if done.blocked {
        let detail = done.verdict.conditions.iter().find_map(|condition| condition.detail.as_deref());
        cx.remark(format_args!("gate override blocked: {}", detail.unwrap_or_default()));
    } else {
        effects::dispatch_agents(cx, &done.run, &done.step.to);
    }
    if request.category == OverrideCategory::Uncategorized {
        cx.warn("gate override: DEPRECATION: say --justified or --expedient; one of them will be required");
    }
    let answer = OverrideAnswer {
        category: request.category,
        from_phase: done.step.from,
        reason: request.reason,
        to_phase: done.step.to,
        blocked: done.blocked,
    };
    Ok(Reply::of(answer, !done.blocked, Code::EvidenceRequired))
}
