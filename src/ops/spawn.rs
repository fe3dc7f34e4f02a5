//! Spawning: recording a child, unless a limit forbids it, in one transaction.

use serde_json::Value;

use super::OpsError;
use crate::db::{ReadTx, WriteTx};
use crate::domain::budget::Standing;
use crate::domain::dispatch::Dispatch;
use crate::domain::ids::RunId;
use crate::domain::run::Run;
use crate::domain::state::{Key, Scope};
use crate::domain::time::Stamp;
use crate::store;
use crate::store::dispatch::NewDispatch;

/// The reason why a child was not started.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Rejection {
    /// The limit: `budget_exceeded`, `concurrency_limit_per_run`, …
    pub reason: &'static str,
    /// The run that has the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// The current value.
    pub current: i64,
    /// The limit's value.
    pub limit: i64,
}

/// The outcome of a spawn.
#[derive(Debug)]
pub enum Spawned {
    /// The child is recorded and must be started.
    Accepted {
        /// The new row.
        dispatch: Box<Dispatch>,
        /// Whether a portfolio has a limit that could not be checked.
        unenforced: bool,
    },
    /// The child is not recorded.
    Rejected(Rejection),
}

/// Records a child to start, unless a limit forbids it.
///
/// # Errors
/// [`StoreError::DispatchNotFound`](store::StoreError::DispatchNotFound) for an unknown parent.
pub fn spawn(tx: &WriteTx<'_>, new: &NewDispatch, stamp: &Stamp) -> Result<Spawned, OpsError> {
    let depth = match &new.parent_dispatch_id {
        None => 0,
        Some(parent) => store::dispatch::get(tx, parent)?.spawn_depth + 1,
    };
    // A retry has the depth of the first attempt.
    let depth =
        if new.launch.as_ref().is_some_and(|launch| launch.retry_of.is_some()) { depth - 1 } else { depth };
    let run = match new.scope_id.as_deref().and_then(|scope| scope.parse::<RunId>().ok()) {
        None => None,
        Some(id) => store::run::find(tx, &id)?,
    };
    if let Some(rejection) = rejection(tx, new, run.as_ref(), depth, stamp)? {
        return Ok(Spawned::Rejected(rejection));
    }
    let (rejected, unenforced) = portfolio(tx, run.as_ref(), stamp)?;
    if let Some(rejection) = rejected {
        return Ok(Spawned::Rejected(rejection));
    }
    let row = NewDispatch { run_phase: run.map(|run| run.phase), spawn_depth: depth, ..new.clone() };
    let dispatch = Box::new(store::dispatch::insert(tx, &row, stamp)?);
    Ok(Spawned::Accepted { dispatch, unenforced })
}

fn rejection(
    tx: &ReadTx<'_>,
    new: &NewDispatch,
    run: Option<&Run>,
    depth: i64,
    stamp: &Stamp,
) -> Result<Option<Rejection>, OpsError> {
    let of_run = |reason, current, limit| {
        Some(Rejection { reason, run_id: run.map(|run| run.id.clone()), current, limit })
    };
    if let Some(run) = run
        && run.budget_enforce
        && let Some(budget) = run.budget()
    {
        let used = store::dispatch::tokens_used(tx, run.id.as_str())?;
        if budget.standing(used) == Standing::Exceeded {
            return Ok(of_run("budget_exceeded", used, budget.tokens));
        }
    }
    if let (Some(run), Some(scope)) = (run.filter(|run| run.max_dispatches > 0), &new.scope_id) {
        let live = store::dispatch::count(tx, Some(scope), true)?;
        if live >= run.max_dispatches {
            return Ok(of_run("concurrency_limit_per_run", live, run.max_dispatches));
        }
    }
    let overall = |reason, current, limit| Some(Rejection { reason, run_id: None, current, limit });
    let most = super::config::number(tx, "global_max_dispatches", stamp)?;
    if most > 0 {
        let live = store::dispatch::count(tx, None, true)?;
        if live >= most {
            return Ok(overall("concurrency_limit_global", live, most));
        }
    }
    if let (Some(run), Some(scope)) = (run.filter(|run| run.max_agents > 0), &new.scope_id) {
        let ever = store::dispatch::count(tx, Some(scope), false)?;
        if ever >= run.max_agents {
            return Ok(of_run("agent_cap_per_run", ever, run.max_agents));
        }
    }
    let deepest = super::config::number(tx, "max_spawn_depth", stamp)?;
    if deepest > 0 && depth > deepest {
        return Ok(overall("spawn_depth_exceeded", depth, deepest));
    }
    Ok(None)
}

/// Checks the limit of the run's portfolio, as far as a relay has counted.
fn portfolio(
    tx: &ReadTx<'_>,
    run: Option<&Run>,
    stamp: &Stamp,
) -> Result<(Option<Rejection>, bool), OpsError> {
    let Some(parent) = run.and_then(|run| run.parent_run_id.as_ref()) else { return Ok((None, false)) };
    let Some(parent) = store::run::find(tx, parent)?.filter(|parent| parent.max_dispatches > 0) else {
        return Ok((None, false));
    };
    let key: Result<Key, _> = "active-dispatch-count".parse();
    let scope: Result<Scope, _> = parent.id.as_str().parse();
    let (Ok(key), Ok(scope)) = (key, scope) else { return Ok((None, true)) };
    let counted = store::state::get(tx, &key, &scope, stamp)?;
    let counted = counted.and_then(|text| match serde_json::from_str(&text) {
        Ok(Value::String(text)) => text.parse::<i64>().ok(),
        Ok(value) => value.as_i64(),
        Err(_) => None,
    });
    let Some(current) = counted else { return Ok((None, true)) };
    let limit = parent.max_dispatches;
    let rejection = Rejection { reason: "portfolio_dispatch_limit", run_id: Some(parent.id), current, limit };
    Ok(((current >= limit).then_some(rejection), false))
}
