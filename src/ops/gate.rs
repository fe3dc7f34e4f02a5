//! Gates: which rules apply, and which of them hold now. Reads only, so any number of checks return the same
//! answer.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::OpsError;
use crate::db::ReadTx;
use crate::domain::artifact::{Artifact, ArtifactStatus};
use crate::domain::budget::Standing;
use crate::domain::gate::{Fact, Priority, RuleSource, Verdict};
use crate::domain::ids::ArtifactId;
use crate::domain::metadata;
use crate::domain::order;
use crate::domain::phase::{Phase, Step};
use crate::domain::rules::{self, Check, Rule, Tier};
use crate::domain::run::{Run, RunStatus};
use crate::store;
use crate::store::dispatch::Verdicts;

/// Tiers that were learned from past gate decisions.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Calibration {
    /// Unix seconds when it was made.
    #[serde(default)]
    pub created_at: i64,
    /// The learned tiers, by `check:from→to`.
    #[serde(default)]
    pub tiers: BTreeMap<String, Learned>,
}

/// One learned tier.
#[derive(Clone, Debug, Deserialize)]
pub struct Learned {
    /// `hard` or `soft`; only `hard` has an effect.
    pub tier: String,
    /// Set by hand, and therefore ignored.
    #[serde(default)]
    pub locked: bool,
    /// The rate of false positives.
    #[serde(default)]
    pub fpr: Option<serde_json::Number>,
    /// The weight of the evidence.
    #[serde(default)]
    pub weighted_n: Option<serde_json::Number>,
}

/// A learned tier that matched a rule, for the output of a check.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct CalibrationMatch {
    pub check: Check,
    /// The rate of false positives.
    pub fpr: Option<serde_json::Number>,
    /// The weight of the evidence.
    pub weighted_n: Option<serde_json::Number>,
    /// `locked`, `insufficient_data` or `active`.
    pub calibration_status: &'static str,
}

/// The terms on which a caller wants a gate evaluated.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The caller's priority.
    pub priority: Priority,
    /// Whether gates are off altogether.
    pub disabled: bool,
    /// Tiers that were learned from past decisions.
    pub calibration: Option<Calibration>,
    /// The artifacts with runtime evidence whose files still have their hash; `None` if they were not
    /// compared.
    pub evidence: Option<Vec<ArtifactId>>,
}

impl Terms {
    /// Returns terms with a priority and nothing else.
    pub fn at(priority: i64) -> Self {
        Self { priority: Priority(priority), disabled: false, calibration: None, evidence: None }
    }

    /// Returns the reason why the gate is not evaluated, if it is not.
    pub fn bypass(&self) -> Option<String> {
        if self.disabled {
            Some("gates disabled: --disable-gates".to_owned())
        } else if self.priority.tier() == crate::domain::gate::GateTier::Open {
            Some(format!("gates disabled: priority {}", self.priority.0))
        } else {
            None
        }
    }
}

/// The evaluation of a gate, with the source of its rules.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The step that the gate guards.
    pub step: Step,
    /// The source of its rules.
    pub source: RuleSource,
    pub verdict: Verdict,
    /// Learned tiers that matched.
    pub calibration: Vec<CalibrationMatch>,
}

/// Returns the step that a run takes next.
///
/// # Errors
/// [`OpsError::TerminalPhase`] at the end of the chain, [`OpsError::PhaseNotInChain`] outside it.
pub fn next_step(tx: &ReadTx<'_>, run: &Run) -> Result<Step, OpsError> {
    super::require_in_chain(run)?;
    let skipped = order::set(store::phase::skips(tx, run)?.into_keys());
    run.chain().step(&run.phase, &skipped).ok_or_else(|| OpsError::TerminalPhase(run.phase.clone()))
}

/// Returns the rules between two adjacent phases of a run, and their source.
pub fn rules_between(run: &Run, from: &Phase, to: &Phase) -> (RuleSource, Vec<Rule>) {
    let (source, mut rules) = match &run.gate_rules {
        Some(own) => (RuleSource::PerRun, own.between(from, to).to_vec()),
        None => (RuleSource::Default, rules::default_rules(from, to)),
    };
    let added = |check, phase: Option<&Phase>| Rule { check, phase: phase.cloned(), tier: None };
    if run.is_portfolio() {
        rules.push(added(Check::ChildrenAtPhase, Some(to)));
    }
    if run.budget_enforce && !rules.iter().any(|rule| rule.check == Check::BudgetNotExceeded) {
        rules.push(added(Check::BudgetNotExceeded, None));
    }
    if to == run.chain().last() && run.asks_evidence() {
        return (with_evidence(source, &mut rules), rules);
    }
    (source, rules)
}

/// Adds the rule that no caller can waive. Returns the source of the rules with it.
fn with_evidence(source: RuleSource, rules: &mut Vec<Rule>) -> RuleSource {
    let only = rules.is_empty() && source != RuleSource::PerRun;
    rules.push(Rule { check: Check::RuntimeEvidence, phase: None, tier: Some(Tier::Hard) });
    if only { RuleSource::Required } else { source }
}

/// Checks whether a step needs runtime evidence: it ends a run that asks for it, also where it walks past a
/// skip.
pub fn needs_evidence(run: &Run, step: &Step) -> bool {
    step.to == *run.chain().last() && run.asks_evidence()
}

/// Evaluates the gate of a run's next step.
///
/// # Errors
/// As [`next_step`]; [`OpsError::EvidenceUnread`] if the files of runtime evidence must be compared first.
pub fn evaluate(tx: &ReadTx<'_>, run: &Run, terms: &Terms) -> Result<Answer, OpsError> {
    let step = next_step(tx, run)?;
    let (mut source, mut rules) = rules_between(run, &step.from, &step.adjacent);
    let mut calibration = Vec::new();
    if let (RuleSource::Default, Some(learned)) = (source, &terms.calibration) {
        for rule in &mut rules {
            let key = format!("{}:{}→{}", rule.check, step.from, step.adjacent);
            let Some(found) = learned.tiers.get(&key) else { continue };
            let status = match (found.locked, found.tier.as_str()) {
                (true, _) => "locked",
                (false, "hard") => {
                    rule.tier = Some(Tier::Hard);
                    source = RuleSource::Calibrated;
                    "active"
                }
                (false, _) => "insufficient_data",
            };
            calibration.push(CalibrationMatch {
                check: rule.check,
                fpr: found.fpr.clone(),
                weighted_n: found.weighted_n.clone(),
                calibration_status: status,
            });
        }
    }
    let needs_evidence = needs_evidence(run, &step);
    if needs_evidence && terms.bypass().is_some() {
        (source, rules) = (RuleSource::Required, Vec::new());
    }
    if needs_evidence && !rules.iter().any(|rule| rule.check == Check::RuntimeEvidence) {
        source = with_evidence(source, &mut rules);
    }
    let verdict = if terms.bypass().is_some() && !needs_evidence {
        Verdict::open()
    } else {
        let mut found = Vec::new();
        for rule in rules {
            let fact = fact(tx, run, &rule, &step, terms)?;
            found.push((rule, fact));
        }
        Verdict::judge(found, terms.priority)
    };
    Ok(Answer { step, source, verdict, calibration })
}

fn fact(tx: &ReadTx<'_>, run: &Run, rule: &Rule, step: &Step, terms: &Terms) -> Result<Fact, OpsError> {
    let counted =
        |holds, count, detail: String| Fact { holds, count: Some(count), detail: (!holds).then_some(detail) };
    Ok(match rule.check {
        Check::ArtifactExists => {
            let phase = rule.phase.as_ref().unwrap_or(&step.from);
            let found = store::artifact::count_active(tx, &run.id, phase)?;
            counted(found > 0, found, format!("no artifacts found for phase \"{phase}\""))
        }
        Check::AgentsComplete => {
            let active = store::agent::count_active(tx, &run.id)?;
            counted(active == 0, active, format!("{active} agents still active"))
        }
        Check::VerdictExists => {
            let (phase, verdicts) = verdicts(tx, run, rule)?;
            let holds = verdicts.counted.iter().any(|verdict| is_good(verdict));
            let detail = format!("no passing verdict found{}", uncounted(&phase, &verdicts));
            Fact { holds, count: None, detail: (!holds).then_some(detail) }
        }
        Check::VerdictClean => {
            let (phase, verdicts) = verdicts(tx, run, rule)?;
            let good = verdicts.counted.iter().any(|verdict| is_good(verdict));
            let unclean = verdicts.counted.iter().filter(|verdict| is_bad(verdict)).count();
            let detail = if unclean > 0 {
                format!("{unclean} verdict(s) NEEDS_ATTENTION (fail/error) — not clean")
            } else {
                let uncounted = uncounted(&phase, &verdicts);
                format!("no verdict found — review did not run (fail-closed){uncounted}")
            };
            counted(good && unclean == 0, i64::try_from(unclean).unwrap_or(i64::MAX), detail)
        }
        Check::BudgetNotExceeded => budget_fact(tx, run)?,
        Check::RuntimeEvidence => evidence_fact(tx, run, terms)?,
        Check::ChildrenAtPhase => {
            let phase = rule.phase.as_ref().unwrap_or(&step.adjacent);
            let children = store::run::children(tx, &run.id)?;
            let behind = children.iter().filter(|child| lags(child, phase)).count();
            let behind = i64::try_from(behind).unwrap_or(i64::MAX);
            counted(behind == 0, behind, format!("{behind} children behind phase \"{phase}\""))
        }
    })
}

/// Returns the verdicts that a rule checks, and the phase in which they must be given: an earlier phase if
/// the rule names one, else the run's own. They count only if they were given in the run's latest stay there.
fn verdicts(tx: &ReadTx<'_>, run: &Run, rule: &Rule) -> Result<(Phase, Verdicts), OpsError> {
    let chain = run.chain();
    let is_behind = |phase: &&Phase| chain.index(phase).is_some_and(|at| Some(at) < chain.index(&run.phase));
    let phase = rule.phase.as_ref().filter(is_behind).unwrap_or(&run.phase).clone();
    let stay = store::phase::stay(tx, run, &phase)?;
    let verdicts = store::dispatch::verdicts(tx, run, &stay)?;
    Ok((phase, verdicts))
}

/// Returns the reason why recorded verdicts do not count, if there are any.
fn uncounted(phase: &Phase, verdicts: &Verdicts) -> String {
    if verdicts.counted.is_empty() && verdicts.known > 0 {
        format!(" in the present stay in phase \"{phase}\" ({} given before or after it)", verdicts.known)
    } else {
        String::new()
    }
}

fn is_good(verdict: &str) -> bool {
    matches!(verdict, "pass" | "warn")
}

fn is_bad(verdict: &str) -> bool {
    matches!(verdict, "fail" | "error" | "reject")
}

/// Returns the artifacts of a run that may be its runtime evidence: those that count and have a hash.
///
/// # Errors
/// Fails if the artifacts cannot be read.
pub fn receipts(tx: &ReadTx<'_>, run: &Run) -> Result<Vec<Artifact>, OpsError> {
    let mut found = store::artifact::list(tx, &run.id, None)?;
    found.retain(|artifact| {
        artifact.status == ArtifactStatus::Active
            && artifact.kind == metadata::RUNTIME_EVIDENCE
            && artifact.content_hash.is_some()
    });
    Ok(found)
}

fn evidence_fact(tx: &ReadTx<'_>, run: &Run, terms: &Terms) -> Result<Fact, OpsError> {
    let fails = |detail: String| Fact { holds: false, count: None, detail: Some(detail) };
    if terms.disabled {
        return Ok(fails(format!(
            "runtime evidence gate cannot be disabled: `ic run advance {} --priority=4` waives every other condition",
            run.id
        )));
    }
    let receipts = receipts(tx, run)?;
    let file = format!(
        "`ic artifact add {} --phase={} --path=FILE --type={}`",
        run.id,
        run.phase,
        metadata::RUNTIME_EVIDENCE
    );
    if receipts.is_empty() {
        return Ok(fails(format!("runtime evidence receipt is missing: file it with {file}")));
    }
    let unchanged = terms.evidence.as_ref().ok_or_else(|| OpsError::EvidenceUnread(run.id.clone()))?;
    if receipts.iter().any(|receipt| unchanged.contains(&receipt.id)) {
        return Ok(Fact { holds: true, count: None, detail: None });
    }
    Ok(fails(format!("runtime evidence receipt has changed since it was filed: file it again with {file}")))
}

fn budget_fact(tx: &ReadTx<'_>, run: &Run) -> Result<Fact, OpsError> {
    let Some(budget) = run.budget() else {
        let detail = Some("the run has no token budget".to_owned());
        return Ok(Fact { holds: true, count: None, detail });
    };
    let used = store::dispatch::tokens_used(tx, run.id.as_str())?;
    let holds = budget.standing(used) != Standing::Exceeded;
    let detail = (!holds).then(|| format!("token budget exceeded ({used} of {})", budget.tokens));
    Ok(Fact { holds, count: None, detail })
}

/// Checks whether a child of a portfolio has yet to reach `phase` in its own chain.
fn lags(child: &Run, phase: &Phase) -> bool {
    let chain = child.chain();
    match (child.status, chain.index(&child.phase), chain.index(phase)) {
        (RunStatus::Completed | RunStatus::Cancelled, _, _) | (_, _, None) => false,
        (_, at, Some(wanted)) => at.is_none_or(|at| at < wanted),
    }
}
