//! Runs as they are now: one, the current one of a project, or a list.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::find::{RunSelector, project};
use crate::app::{Code, CommandContext, Error, Reply};
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::domain::rules::{Check, GateRules, Rule};
use crate::domain::run::{Run, RunStatus};
use crate::domain::text::one_line;
use crate::store;

pub(crate) use crate::store::run::Filter as RunFilter;

/// A run. Members that are not set are left out.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunDetails {
    /// Whether `run advance` moves the run without a skip reason.
    pub auto_advance: bool,
    /// True if the budget is a gate, otherwise left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_enforce: Option<bool>,
    /// Percentage of the token budget from which a warning is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_warn_pct: Option<i64>,
    /// The runs of a portfolio. A list of runs leaves them out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<RunDetails>,
    /// Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<i64>,
    /// 1 to 5.
    pub complexity: i64,
    /// Unix seconds.
    pub created_at: i64,
    /// Whether automatic skips are off.
    pub force_full: bool,
    /// The run's own gate rules, by `from→to`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate_rules: Option<BTreeMap<String, Vec<GateRule>>>,
    pub goal: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal_id: Option<String>,
    pub id: RunId,
    /// Maximum number of agents over the run's lifetime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_agents: Option<i64>,
    /// Maximum number of dispatches at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_dispatches: Option<i64>,
    /// A JSON object, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_run_id: Option<RunId>,
    pub phase: Phase,
    /// The run's own chain; without one, it walks the default chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phases: Option<Vec<Phase>>,
    /// Absolute path as the caller gave it; empty for a portfolio.
    pub project_dir: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope_id: Option<String>,
    pub status: RunStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_budget: Option<i64>,
    /// Unix seconds.
    pub updated_at: i64,
}

/// A gate rule of a run. The names are capitalised, and all members are there, as in the Go program.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GateRule {
    pub check: Check,
    /// Empty if the rule names no phase.
    pub phase: String,
    /// `hard` or `soft`; empty if the caller's priority decides.
    pub tier: &'static str,
}

impl From<Rule> for GateRule {
    fn from(Rule { check, phase, tier }: Rule) -> Self {
        Self {
            check,
            phase: phase.map_or_else(String::new, |phase| phase.to_string()),
            tier: tier.map_or("", |tier| tier.as_str()),
        }
    }
}

impl From<Run> for RunDetails {
    fn from(run: Run) -> Self {
        Self {
            auto_advance: run.auto_advance,
            budget_enforce: run.budget_enforce.then_some(true),
            budget_warn_pct: run.token_budget.map(|_| run.budget_warn_pct),
            children: Vec::new(),
            completed_at: run.completed_at,
            complexity: run.complexity,
            created_at: run.created_at,
            force_full: run.force_full,
            gate_rules: run.gate_rules.as_ref().map(gate_rules),
            goal: run.goal,
            goal_id: run.goal_id,
            id: run.id,
            max_agents: (run.max_agents > 0).then_some(run.max_agents),
            max_dispatches: (run.max_dispatches > 0).then_some(run.max_dispatches),
            metadata: run.metadata,
            parent_run_id: run.parent_run_id,
            phase: run.phase,
            phases: run.phases.map(|chain| chain.phases().to_vec()),
            project_dir: run.project_dir,
            scope_id: run.scope_id,
            status: run.status,
            token_budget: run.token_budget,
            updated_at: run.updated_at,
        }
    }
}

fn gate_rules(rules: &GateRules) -> BTreeMap<String, Vec<GateRule>> {
    let gates = rules.gates().iter().map(|gate| {
        let rules = gate.rules.iter().cloned().map(GateRule::from).collect();
        (format!("{}→{}", gate.from, gate.to), rules)
    });
    gates.collect()
}

/// Runs, newest first.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct RunList(pub Vec<RunDetails>);

/// The newest active run of a project, if it has one.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CurrentRun {
    pub found: bool,
    #[serde(flatten)]
    pub run: Option<RunSummary>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunSummary {
    pub goal: String,
    pub id: RunId,
    pub phase: Phase,
}

/// Returns a run, and the children of a portfolio.
///
/// # Errors
/// As [`super::find::RunTarget::find`].
pub(crate) fn status(cx: &mut CommandContext, run: RunSelector) -> Result<Reply<RunDetails>, Error> {
    let target = run.resolve(&cx.env)?;
    let details = cx.read(|tx| {
        let run = target.find(tx)?;
        let children = store::run::children(tx, &run.id)?;
        let children = children.into_iter().map(RunDetails::from).collect();
        Ok::<_, Error>(RunDetails { children, ..run.into() })
    })?;
    Ok(Reply::yes(details))
}

/// Returns the runs that match a filter. A run that cannot be decoded is left out with a warning.
///
/// # Errors
/// [`Error::Ops`] if the database cannot be used.
pub(crate) fn list(cx: &mut CommandContext, filter: &RunFilter) -> Result<Reply<RunList>, Error> {
    let found = cx.read(|tx| store::run::list(tx, filter))?;
    let mut runs = Vec::new();
    for run in found {
        match run {
            Ok(run) => runs.push(run.into()),
            Err(bad) => cx.warn(format_args!("run {} left out: {}", one_line(&bad.id), bad.problem)),
        }
    }
    Ok(Reply::yes(RunList(runs)))
}

/// Returns the newest active run of a project; the negative if it has none.
///
/// # Errors
/// As [`project`].
pub(crate) fn current(cx: &mut CommandContext, dir: Option<&str>) -> Result<Reply<CurrentRun>, Error> {
    let project = project(dir, &cx.env)?;
    let run = cx.read(|tx| store::run::current(tx, &project.key, None))?;
    let run = run.map(|run| RunSummary { goal: run.goal, id: run.id, phase: run.phase });
    let found = run.is_some();
    Ok(Reply::of(CurrentRun { found, run }, found, Code::NoCurrentRun))
}
