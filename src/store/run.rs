//! Runs.

use serde_json::Map;

use super::StoreError;
use super::cells::{self, Cells};
use super::event;
use super::phase_event::{self, PhaseEvent};
use crate::db::{Column, ReadTx, Row, WriteTx};
use crate::domain::event::{NewEvent, Source};
use crate::domain::ids::RunId;
use crate::domain::phase::{Chain, Phase};
use crate::domain::rules::GateRules;
use crate::domain::run::{Run, RunStatus};
use crate::domain::time::Stamp;
use crate::params;

/// A run that a caller creates. The other columns follow from these.
#[derive(Clone, Debug, serde::Serialize)]
pub struct NewRun {
    /// Absolute directory as the caller knows it; empty for a portfolio.
    pub project_dir: String,
    /// The same directory without symlinks, by which it is found again.
    pub project_key: String,
    pub goal: String,
    /// The size of the work, 1 to 5.
    pub complexity: i64,
    /// Whether automatic skips are off.
    pub force_full: bool,
    /// A caller-defined scope.
    pub scope_id: Option<String>,
    /// A JSON object as canonical text.
    pub metadata: Option<String>,
    /// The run's own chain.
    pub phases: Option<Chain>,
    /// The phase that it starts in, if not the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Tokens that the run may use.
    pub token_budget: Option<i64>,
    /// Percentage from which a warning is due.
    pub budget_warn_pct: i64,
    /// The portfolio that the run belongs to.
    pub parent_run_id: Option<RunId>,
    /// The id of a goal that another program keeps.
    pub goal_id: Option<String>,
    /// The maximum number of dispatches at a time, 0 for no limit.
    pub max_dispatches: i64,
    /// Whether the budget is a gate.
    pub budget_enforce: bool,
    /// The maximum number of agents over the run's lifetime, 0 for no limit.
    pub max_agents: i64,
    /// The run's own gate rules.
    pub gate_rules: Option<GateRules>,
}

/// Creates a run in its first phase. `auto_advance` says whether `advance` moves it without a skip reason.
///
/// # Errors
/// [`StoreError::Db`].
pub fn insert(tx: &WriteTx<'_>, new: &NewRun, auto_advance: bool, stamp: &Stamp) -> Result<Run, StoreError> {
    let id = RunId::fresh(|id| cells::taken(tx, "runs", id))?;
    let chain = new.phases.clone().unwrap_or_default();
    let phase = new.phase.as_ref().unwrap_or(chain.first());
    let cells: Cells = vec![
        ("id", id.encode()),
        ("project_dir", new.project_dir.encode()),
        ("project_key", new.project_key.encode()),
        ("goal", new.goal.encode()),
        ("status", RunStatus::Active.encode()),
        ("phase", phase.encode()),
        ("complexity", new.complexity.encode()),
        ("force_full", new.force_full.encode()),
        ("auto_advance", auto_advance.encode()),
        ("created_at", stamp.secs().encode()),
        ("updated_at", stamp.secs().encode()),
        ("completed_at", None::<i64>.encode()),
        ("scope_id", new.scope_id.encode()),
        ("metadata", new.metadata.encode()),
        ("phases", new.phases.encode()),
        ("token_budget", new.token_budget.encode()),
        ("budget_warn_pct", new.budget_warn_pct.encode()),
        ("parent_run_id", new.parent_run_id.encode()),
        ("goal_id", new.goal_id.encode()),
        ("max_dispatches", new.max_dispatches.encode()),
        ("budget_enforce", new.budget_enforce.encode()),
        ("max_agents", new.max_agents.encode()),
        ("gate_rules", new.gate_rules.as_ref().map(GateRules::to_json).encode()),
    ];
    cells::insert(tx, "runs", &cells)?;
    let created = NewEvent {
        run_id: Some(id.clone()),
        source: Source::RUN,
        kind: "create".to_owned(),
        subject: id.to_string(),
        from: String::new(),
        to: phase.to_string(),
        reason: None,
        data: cells::created(&cells),
        envelope: Map::new(),
    };
    event::append(tx, &created, stamp)?;
    get(tx, &id)
}

/// Returns a run by its id.
///
/// # Errors
/// [`StoreError::RunNotFound`] if there is none.
pub fn get(tx: &ReadTx<'_>, id: &RunId) -> Result<Run, StoreError> {
    find(tx, id)?.ok_or_else(|| StoreError::RunNotFound(id.clone()))
}

/// Returns a run by its id, if there is one.
///
/// # Errors
/// [`StoreError::Db`].
pub fn find(tx: &ReadTx<'_>, id: &RunId) -> Result<Option<Run>, StoreError> {
    tx.query_opt("SELECT * FROM runs WHERE id = $1", params![*id], from_row)
}

/// Returns the phase of a run without decoding the rest of its row: scripts ask for it most often.
///
/// # Errors
/// [`StoreError::RunNotFound`] if there is no such run.
pub fn phase_of(tx: &ReadTx<'_>, id: &RunId) -> Result<Phase, StoreError> {
    let phase = |row: &Row| Ok::<_, StoreError>(row.get("phase")?);
    tx.query_opt("SELECT phase FROM runs WHERE id = $1", params![*id], phase)?
        .ok_or_else(|| StoreError::RunNotFound(id.clone()))
}

/// The runs to list. All conditions must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only active ones.
    pub active: bool,
    /// Only of this scope.
    pub scope: Option<String>,
    /// Only portfolios.
    pub portfolio: bool,
}

/// A run that could not be read, which must not hide the others.
#[derive(Debug)]
pub struct Unreadable {
    /// Its identifier.
    pub id: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Lists runs, newest first, in the order of insertion within a second.
///
/// # Errors
/// [`StoreError::Db`].
pub fn list(tx: &ReadTx<'_>, filter: &Filter) -> Result<Vec<Result<Run, Unreadable>>, StoreError> {
    let mut sql = "SELECT * FROM runs WHERE 1 = 1".to_owned();
    let mut values = Vec::new();
    if let Some(scope) = &filter.scope {
        values.push(scope.encode());
        sql.push_str(" AND scope_id = $1");
    }
    if filter.active {
        sql.push_str(" AND status = 'active'");
    }
    if filter.portfolio {
        sql.push_str(" AND project_dir = ''");
    }
    sql.push_str(" ORDER BY created_at DESC, seq DESC");
    tx.query(&sql, &values, |row| match from_row(row) {
        Ok(run) => Ok(Ok(run)),
        Err(err) => Ok(Err(Unreadable { id: row.get("id")?, problem: err.to_string() })),
    })
}

/// Returns the newest active run of a project, by creation, then insertion.
///
/// # Errors
/// [`StoreError::Db`].
pub fn current(tx: &ReadTx<'_>, project_key: &str, scope: Option<&str>) -> Result<Option<Run>, StoreError> {
    let order = "ORDER BY created_at DESC, seq DESC LIMIT 1";
    let by_key = "SELECT * FROM runs WHERE project_key = $1 AND status = 'active'";
    match scope {
        None => tx.query_opt(&format!("{by_key} {order}"), params![project_key.to_owned()], from_row),
        Some(scope) => tx.query_opt(
            &format!("SELECT * FROM runs WHERE scope_id = $1 AND status = 'active' {order}"),
            params![scope.to_owned()],
            from_row,
        ),
    }
}

/// Returns the children of a portfolio, oldest first.
///
/// # Errors
/// [`StoreError::Db`].
pub fn children(tx: &ReadTx<'_>, parent: &RunId) -> Result<Vec<Run>, StoreError> {
    tx.query("SELECT * FROM runs WHERE parent_run_id = $1 ORDER BY seq", params![*parent], from_row)
}

/// New values for the settings of a run; `None` leaves one as it is.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Size of the work.
    pub complexity: Option<i64>,
    /// Whether `advance` moves by itself.
    pub auto_advance: Option<bool>,
    /// Whether automatic skips are off.
    pub force_full: Option<bool>,
    /// The maximum number of dispatches at a time, 0 for no limit.
    pub max_dispatches: Option<i64>,
    /// Metadata, canonical text.
    pub metadata: Option<String>,
}

/// Changes settings. The event has the old and the new values.
///
/// # Errors
/// [`StoreError::StalePhase`] or [`StoreError::Terminal`] if the run is no longer what `run` says.
pub fn set(tx: &WriteTx<'_>, run: &Run, settings: &Settings, stamp: &Stamp) -> Result<i64, StoreError> {
    let mut old: Cells = Vec::new();
    let mut new: Cells = Vec::new();
    let mut change = |name, before, after: Option<crate::db::Value>| {
        if let Some(after) = after {
            old.push((name, before));
            new.push((name, after));
        }
    };
    change("complexity", run.complexity.encode(), settings.complexity.map(|v| v.encode()));
    change("auto_advance", run.auto_advance.encode(), settings.auto_advance.map(|v| v.encode()));
    change("force_full", run.force_full.encode(), settings.force_full.map(|v| v.encode()));
    change("max_dispatches", run.max_dispatches.encode(), settings.max_dispatches.map(|v| v.encode()));
    change("metadata", run.metadata.encode(), settings.metadata.as_ref().map(Column::encode));
    change("updated_at", run.updated_at.encode(), Some(stamp.secs().encode()));
    let guard = [("id", run.id.encode()), ("phase", run.phase.encode()), ("status", run.status.encode())];
    if !cells::update(tx, "runs", &guard, &new)? {
        return Err(moved_on(tx, run)?);
    }
    let event = PhaseEvent { data: cells::changed(&old, &new), ..PhaseEvent::here("set", run) };
    phase_event::note(tx, run, &event, stamp)
}

/// Returns the error that explains why a guarded update did not find a run as `seen`.
///
/// # Errors
/// Errors of the database; [`StoreError::RunNotFound`] if it is gone.
pub(super) fn moved_on(tx: &ReadTx<'_>, seen: &Run) -> Result<StoreError, StoreError> {
    let found = get(tx, &seen.id)?;
    Ok(if found.status.is_terminal() && found.status != seen.status {
        StoreError::Terminal { run: found.id, status: found.status }
    } else {
        StoreError::StalePhase { run: found.id, expected: seen.phase.clone(), actual: found.phase }
    })
}

fn from_row(row: &Row) -> Result<Run, StoreError> {
    let phases: Option<Chain> = row.get("phases")?;
    let gate_rules = row
        .get::<Option<String>>("gate_rules")?
        .map(|json| GateRules::parse(&json, &phases.clone().unwrap_or_default()))
        .transpose()
        .map_err(|err| crate::db::DbError::Decode {
            column: "gate_rules".to_owned(),
            problem: err.to_string(),
        })?
        .flatten();
    Ok(Run {
        id: row.get("id")?,
        project_dir: row.get("project_dir")?,
        goal: row.get("goal")?,
        status: row.get("status")?,
        phase: row.get("phase")?,
        complexity: row.get("complexity")?,
        force_full: row.get("force_full")?,
        auto_advance: row.get("auto_advance")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        completed_at: row.get("completed_at")?,
        scope_id: row.get("scope_id")?,
        metadata: row.get("metadata")?,
        phases,
        token_budget: row.get("token_budget")?,
        budget_warn_pct: row.get("budget_warn_pct")?,
        parent_run_id: row.get("parent_run_id")?,
        goal_id: row.get("goal_id")?,
        max_dispatches: row.get("max_dispatches")?,
        budget_enforce: row.get("budget_enforce")?,
        max_agents: row.get("max_agents")?,
        gate_rules,
    })
}
