//! Evaluating the gate of a run's next step. Writes nothing.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::{calibration, evidence};
use crate::app::{Code, CommandContext, Error, Reply};
use crate::domain::gate::{Condition, GateTier, Outcome, RuleSource};
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::ops::OpsError;
use crate::ops::gate::{self, CalibrationMatch, Terms};
use crate::store::{self, StoreError};

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct GateCheck {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calibration: Vec<CalibrationMatch>,
    /// Left out if there are no conditions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    pub from_phase: Phase,
    pub result: Outcome,
    pub run_id: RunId,
    pub source: RuleSource,
    pub tier: GateTier,
    pub to_phase: Phase,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Evidence {
    pub conditions: Vec<Condition>,
}

/// Evaluates the gate of a run's next step at a priority; the negative if it fails, even where that would not
/// block.
///
/// # Errors
/// [`Error::Ops`] if the run does not exist, has ended, or is in the last phase of its chain.
pub(crate) fn check(
    cx: &mut CommandContext,
    run: &RunId,
    priority: i64,
    calibration_file: Option<&Path>,
) -> Result<Reply<GateCheck>, Error> {
    let calibration = calibration::load(cx, calibration_file)?;
    let mut terms = Terms { calibration, ..Terms::at(priority) };
    let (run_id, found) = evidence::compared(cx, run, |cx, evidence| {
        terms.evidence = evidence;
        cx.read(|tx| {
            let run = store::run::get(tx, run)?;
            if run.status.is_terminal() {
                return Err(StoreError::Terminal { run: run.id, status: run.status }.into());
            }
            let found = gate::evaluate(tx, &run, &terms)?;
            Ok::<_, OpsError>((run.id, found))
        })
    })?;
    if let Some(bypass) = terms.bypass() {
        cx.warn(bypass);
    }
    let conditions = found.verdict.conditions;
    let result = found.verdict.result;
    let answer = GateCheck {
        calibration: found.calibration,
        evidence: (!conditions.is_empty()).then_some(Evidence { conditions }),
        from_phase: found.step.from,
        result,
        run_id,
        source: found.source,
        tier: found.verdict.tier,
        to_phase: found.step.to,
    };
    Ok(Reply::of(answer, result != Outcome::Fail, Code::GateFailed))
}
