//! `ic gate check`: what the gate of the next step would say now. Writes nothing (PH-05).

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

use super::evidence;
use crate::app::Error;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx, args};
use crate::domain::gate::{Condition, GateTier, Outcome, RuleSource};
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::domain::text::one_line;
use crate::ops::OpsError;
use crate::ops::gate::{self, CalibrationMatch, Terms};
use crate::store::{self, StoreError};

/// Check the gate of a run's next step, without taking it
///
/// Exits 0 if the gate passes or nobody looks at it, 1 if it fails, also where the failure would not block.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic gate check k3x9q2ab --priority=1")]
pub(in crate::cli) struct Check {
    /// The run
    run: RunId,
    /// How urgent: 0 and 1 make conditions hard, 2 and 3 soft, from 4 on nobody looks
    #[arg(long, value_name = "N", default_value_t = 3)]
    priority: i64,
    /// Tiers learned from the past, JSON
    #[arg(long, value_name = "FILE")]
    calibration_file: Option<PathBuf>,
}

#[derive(Serialize)]
struct Evidence {
    conditions: Vec<Condition>,
}

#[derive(Serialize)]
struct Checked {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    calibration: Vec<CalibrationMatch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Evidence>,
    from_phase: Phase,
    result: Outcome,
    run_id: RunId,
    source: RuleSource,
    tier: GateTier,
    to_phase: Phase,
}

impl View for Checked {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        let Self { from_phase, to_phase, result, tier, source, .. } = self;
        writeln!(w, "{from_phase} → {to_phase}: {result} (tier: {tier}, source: {source})")?;
        for condition in self.evidence.iter().flat_map(|evidence| &evidence.conditions) {
            self.condition(condition, w)?;
        }
        Ok(())
    }
}

impl Checked {
    fn condition(&self, condition: &Condition, w: &mut dyn Write) -> io::Result<()> {
        let word = if condition.result == Outcome::Pass { "PASS" } else { "FAIL" };
        write!(w, "  [{word}] {}", condition.check)?;
        if let Some(count) = condition.count {
            write!(w, " (count: {count})")?;
        }
        if let Some(detail) = &condition.detail {
            write!(w, " — {}", one_line(detail))?;
        }
        if let Some(found) = self.calibration.iter().find(|found| found.check == condition.check) {
            write!(w, " [calibration: {}", found.calibration_status)?;
            if let Some(fpr) = &found.fpr {
                write!(w, ", fpr={fpr}")?;
            }
            if let Some(weight) = &found.weighted_n {
                write!(w, ", weighted_n={weight}")?;
            }
            write!(w, "]")?;
        }
        writeln!(w)
    }
}

impl Verb for Check {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let calibration = args::calibration(self.calibration_file.as_deref(), cx)?;
        let mut terms = Terms { calibration, ..Terms::at(self.priority) };
        let (run, answer) = evidence::compared(cx, &self.run, |cx, evidence| {
            terms.evidence = evidence;
            cx.read(|tx| {
                let run = store::run::get(tx, &self.run)?;
                if run.status.is_terminal() {
                    return Err(StoreError::Terminal { run: run.id, status: run.status }.into());
                }
                let answer = gate::evaluate(tx, &run, &terms)?;
                Ok::<_, OpsError>((run, answer))
            })
        })?;
        if let Some(bypass) = terms.bypass() {
            cx.out.warn(bypass);
        }
        let conditions = answer.verdict.conditions;
        let result = answer.verdict.result;
        cx.out.show(&Checked {
            calibration: answer.calibration,
            evidence: (!conditions.is_empty()).then_some(Evidence { conditions }),
            from_phase: answer.step.from,
            result,
            run_id: run.id,
            source: answer.source,
            tier: answer.verdict.tier,
            to_phase: answer.step.to,
        })?;
        Ok(if result == Outcome::Fail { Answer::No } else { Answer::Yes })
    }
}
