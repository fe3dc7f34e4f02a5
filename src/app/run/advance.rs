//! Advancing a run to its next phase.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use crate::app::action::ActionAnswer;
use crate::app::gate::{calibration, evidence};
use crate::app::{Code, CommandContext, Error, Reply, effects};
use crate::db::ReadTx;
use crate::domain::action::Action;
use crate::domain::gate::{GateTier, Outcome as GateOutcome};
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::domain::rules::Check;
use crate::domain::run::Run;
use crate::ops::advance::{self, Advance, Outcome, Request};
use crate::ops::gate::Terms;
use crate::ops::{OpsError, gate, members};
use crate::store;

#[derive(Debug)]
pub(crate) struct AdvanceRequest {
    pub run: RunId,
    /// 0 and 1 make gates hard, 2 and 3 soft; from 4 on they are not evaluated.
    pub priority: i64,
    pub disable_gates: bool,
    /// Moves the run although it does not advance by itself.
    pub skip_reason: Option<String>,
    pub expect_phase: Option<Phase>,
    pub calibration_file: Option<PathBuf>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AdvanceAnswer {
    /// The actions that are due in the phase that was entered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<DueAction>,
    /// Left out if the run did not advance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_agent_count: Option<i64>,
    pub advanced: bool,
    pub event_id: i64,
    /// `advance`, `block` or `pause`.
    pub event_type: &'static str,
    pub from_phase: Phase,
    pub gate_result: GateOutcome,
    pub gate_tier: GateTier,
    /// The checks of the gate out of the phase that was entered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub next_gate_requirements: Vec<Check>,
    /// The reason that the event holds: evidence as JSON text, or the caller's words. Empty if there is none.
    pub reason: String,
    pub to_phase: Phase,
}

/// An action that is due, with its templates filled in.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DueAction {
    #[serde(flatten)]
    pub action: ActionAnswer,
    /// The arguments as they were given.
    #[serde(skip)]
    pub args_text: Option<String>,
}

impl From<Action> for DueAction {
    fn from(action: Action) -> Self {
        Self { action: ActionAnswer::from(&action), args_text: action.args }
    }
}

/// What waits for a run in the phase that it has entered.
#[derive(Debug, Default)]
struct Arrival {
    active_agents: Option<i64>,
    requirements: Vec<Check>,
    actions: Vec<Action>,
}

impl Arrival {
    fn read(tx: &ReadTx<'_>, run: &Run, phase: &Phase) -> Result<Self, OpsError> {
        let entered = Run { phase: phase.clone(), ..run.clone() };
        let requirements = match entered.chain().after(phase).first() {
            None => Vec::new(),
            Some(next) => {
                gate::rules_between(&entered, phase, next).1.into_iter().map(|rule| rule.check).collect()
            }
        };
        Ok(Self {
            active_agents: Some(store::agent::count_active(tx, &run.id)?),
            requirements,
            actions: members::ready_actions(tx, run, phase)?,
        })
    }
}

/// Moves a run to its next phase if the gate lets it; the negative if the gate blocks it, or if the run does
/// not advance by itself and the caller gives no reason.
///
/// # Errors
/// [`Error::Ops`] if the run does not exist, has ended, or is in another phase than expected.
pub(crate) fn advance(
    cx: &mut CommandContext,
    request: AdvanceRequest,
) -> Result<Reply<AdvanceAnswer>, Error> {
    let calibration = calibration::load(cx, request.calibration_file.as_deref())?;
    let terms = Terms { disabled: request.disable_gates, calibration, ..Terms::at(request.priority) };
    let bypass = terms.bypass();
    let mut request =
        Request { id: request.run, expect: request.expect_phase, terms, skip_reason: request.skip_reason };
    let (stamp, run) = (cx.stamp.clone(), request.id.clone());
    let (done, arrival) = evidence::compared(cx, &run, |cx, evidence| {
        request.terms.evidence = evidence;
        cx.write(|tx| {
            let done = advance::advance(tx, &request, &stamp)?;
            let arrival = if done.outcome == Outcome::Advanced {
                Arrival::read(tx, &done.run, &done.step.to)?
            } else {
                Arrival::default()
            };
            Ok::<_, OpsError>((done, arrival))
        })
    })?;
    if let (Some(why), Outcome::Advanced) = (bypass, done.outcome) {
        cx.warn(format_args!(
            "gate bypass: {why} (run {}, {} → {})",
            done.run.id, done.step.from, done.step.to
        ));
    }
    if done.outcome == Outcome::Blocked {
        let failed = done.verdict.conditions.iter().filter(|c| c.result == GateOutcome::Fail);
        for condition in failed {
            let detail = condition.detail.as_deref().unwrap_or("not met");
            cx.remark(format_args!("gate {}: {detail}", condition.check));
        }
    }
    effects::follow(cx, &done);
    let outcome = done.outcome;
    let answer = AdvanceAnswer::new(done, arrival);
    Ok(match outcome {
        Outcome::Advanced => Reply::yes(answer),
        Outcome::Blocked => Reply::no(answer, Code::GateBlocked),
        Outcome::Paused => Reply::no(answer, Code::AdvancePaused),
    })
}

impl AdvanceAnswer {
    fn new(done: Advance, arrival: Arrival) -> Self {
        Self {
            actions: arrival.actions.into_iter().map(DueAction::from).collect(),
            active_agent_count: arrival.active_agents,
            advanced: done.outcome == Outcome::Advanced,
            event_id: done.event_id,
            event_type: done.outcome.event_type(),
            from_phase: done.step.from,
            gate_result: done.verdict.result,
            gate_tier: done.verdict.tier,
            next_gate_requirements: arrival.requirements,
            reason: done.reason.unwrap_or_default(),
            to_phase: done.step.to,
        }
    }
}
