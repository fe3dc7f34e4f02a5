//! A run: one piece of work that goes through a chain of phases.

use super::budget::Budget;
use super::ids::RunId;
use super::metadata;
use super::phase::{Chain, Phase};
use super::rules::GateRules;

words!(
    /// The status of a run. All but `active` are terminal; only a rollback may leave one, `completed`.
    RunStatus, "run status" {
        /// It is in progress.
        Active = "active",
        /// It has reached the last phase.
        Completed = "completed",
        /// It was cancelled.
        Cancelled = "cancelled",
        /// It was given up.
        Failed = "failed",
    }
);

impl RunStatus {
    /// Returns true if the run has ended.
    pub fn is_terminal(self) -> bool {
        self != Self::Active
    }
}

/// A row of `runs`.
#[derive(Clone, Debug)]
pub struct Run {
    pub id: RunId,
    /// The project's directory as the caller knows it (absolute, symlinks kept); empty for a portfolio.
    pub project_dir: String,
    pub goal: String,
    pub status: RunStatus,
    pub phase: Phase,
    /// The size of the work, 1 to 5.
    pub complexity: i64,
    /// Whether automatic skips are off.
    pub force_full: bool,
    /// Whether `advance` moves it without a skip reason.
    pub auto_advance: bool,
    /// Unix seconds of creation.
    pub created_at: i64,
    /// Unix seconds of the last change.
    pub updated_at: i64,
    /// Unix seconds of the end, for a terminal run.
    pub completed_at: Option<i64>,
    /// A caller-defined scope, also used by verdict checks.
    pub scope_id: Option<String>,
    /// A JSON object, as text.
    pub metadata: Option<String>,
    /// The run's own chain; `None` means the default one.
    pub phases: Option<Chain>,
    /// Tokens that the run may use.
    pub token_budget: Option<i64>,
    /// The percentage of the budget from which a warning is due.
    pub budget_warn_pct: i64,
    /// The portfolio that the run belongs to.
    pub parent_run_id: Option<RunId>,
    /// The id of a goal that another program keeps.
    pub goal_id: Option<String>,
    /// The maximum number of dispatches at a time; 0 for no limit.
    pub max_dispatches: i64,
    /// Whether the budget is a gate.
    pub budget_enforce: bool,
    /// The maximum number of agents over the run's lifetime; 0 for no limit.
    pub max_agents: i64,
    /// The run's own gate rules.
    pub gate_rules: Option<GateRules>,
}

impl Run {
    /// Returns the chain of the run.
    pub fn chain(&self) -> Chain {
        self.phases.clone().unwrap_or_default()
    }

    /// Returns true if this is a portfolio: a parent without a project.
    pub fn is_portfolio(&self) -> bool {
        self.project_dir.is_empty()
    }

    /// Returns true if the run may end only with runtime evidence, because its metadata asks for that.
    pub fn asks_evidence(&self) -> bool {
        let metadata = self.metadata.as_deref().filter(|text| text.contains(metadata::RUNTIME_EVIDENCE));
        metadata.is_some_and(|text| metadata::parse(text).is_ok_and(|map| metadata::asks_evidence(&map)))
    }

    /// Returns the token budget with its warning threshold.
    pub fn budget(&self) -> Option<Budget> {
        self.token_budget.map(|tokens| Budget { tokens, warn_pct: self.budget_warn_pct })
    }
}
