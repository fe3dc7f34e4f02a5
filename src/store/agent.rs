//! Agents of a run.

use serde_json::Map;

use super::cells::{self, Cells};
use super::{StoreError, event};
use crate::db::{Column, ReadTx, Row, WriteTx};
use crate::domain::agent::{Agent, AgentStatus};
use crate::domain::event::{NewEvent, Source};
use crate::domain::ids::{AgentId, DispatchId, RunId};
use crate::domain::phase::Phase;
use crate::domain::time::Stamp;
use crate::params;

/// An agent to add.
#[derive(Clone, Debug, serde::Serialize)]
pub struct NewAgent {
    /// The run that it works on.
    pub run_id: RunId,
    pub agent_type: String,
    pub name: Option<String>,
    /// The phase that it is added in.
    pub phase: Phase,
    /// The dispatch that it runs in.
    pub dispatch_id: Option<DispatchId>,
}

/// Adds an active agent.
///
/// # Errors
/// If there is no such run.
pub fn insert(tx: &WriteTx<'_>, new: &NewAgent, stamp: &Stamp) -> Result<Agent, StoreError> {
    let id = AgentId::fresh(|id| cells::taken(tx, "run_agents", id))?;
    let cells: Cells = vec![
        ("id", id.encode()),
        ("run_id", new.run_id.encode()),
        ("agent_type", new.agent_type.encode()),
        ("name", new.name.encode()),
        ("status", AgentStatus::Active.encode()),
        ("phase", new.phase.encode()),
        ("dispatch_id", new.dispatch_id.encode()),
        ("created_at", stamp.secs().encode()),
        ("updated_at", stamp.secs().encode()),
    ];
    cells::insert(tx, "run_agents", &cells)?;
    let created = NewEvent {
        run_id: Some(new.run_id.clone()),
        source: Source::AGENT,
        kind: "add".to_owned(),
        subject: id.to_string(),
        from: String::new(),
        to: AgentStatus::Active.to_string(),
        reason: None,
        data: cells::created(&cells),
        envelope: Map::new(),
    };
    event::append(tx, &created, stamp)?;
    get(tx, &id)
}

/// Returns an agent by its id.
///
/// # Errors
/// [`StoreError::AgentNotFound`] if there is none.
pub fn get(tx: &ReadTx<'_>, id: &AgentId) -> Result<Agent, StoreError> {
    tx.query_opt("SELECT * FROM run_agents WHERE id = $1", params![*id], from_row)?
        .ok_or_else(|| StoreError::AgentNotFound(id.clone()))
}

/// Returns the agents of a run, oldest first.
pub fn list(tx: &ReadTx<'_>, run_id: &RunId) -> Result<Vec<Agent>, StoreError> {
    tx.query("SELECT * FROM run_agents WHERE run_id = $1 ORDER BY seq", params![*run_id], from_row)
}

/// Returns the number of active agents of a run.
pub fn count_active(tx: &ReadTx<'_>, run_id: &RunId) -> Result<i64, StoreError> {
    let sql = "SELECT count(*) FROM run_agents WHERE run_id = $1 AND status = 'active'";
    Ok(tx.scalar(sql, params![*run_id])?)
}

/// The cause of a change of an agent's status that no caller asked for.
#[derive(Clone, Debug, Default)]
pub struct Because {
    /// The reason, for readers of the log.
    pub reason: Option<String>,
    /// The event that caused it.
    pub cause: Option<i64>,
}

/// Changes an agent's status. Does nothing if it has that status already.
pub fn set_status(
    tx: &WriteTx<'_>,
    agent: &Agent,
    status: AgentStatus,
    because: &Because,
    stamp: &Stamp,
) -> Result<(), StoreError> {
    if agent.status == status {
        return Ok(());
    }
    tx.execute(
        "UPDATE run_agents SET status = $1, updated_at = $2 WHERE id = $3 AND status = $4",
        params![status, stamp.secs(), agent.id, agent.status],
    )?;
    let old: Cells = vec![("status", agent.status.encode()), ("updated_at", agent.updated_at.encode())];
    let new: Cells = vec![("status", status.encode()), ("updated_at", stamp.secs().encode())];
    let mut data = cells::changed(&old, &new);
    data.extend(because.cause.map(|id| ("cause".to_owned(), id.into())));
    let changed = NewEvent {
        run_id: Some(agent.run_id.clone()),
        source: Source::AGENT,
        kind: "status_change".to_owned(),
        subject: agent.id.to_string(),
        from: agent.status.to_string(),
        to: status.to_string(),
        reason: because.reason.clone(),
        data,
        envelope: Map::new(),
    };
    event::append(tx, &changed, stamp)?;
    Ok(())
}

/// Links an agent to the dispatch that it runs in.
pub fn link(tx: &WriteTx<'_>, agent: &Agent, dispatch: &DispatchId, stamp: &Stamp) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE run_agents SET dispatch_id = $1, updated_at = $2 WHERE id = $3",
        params![*dispatch, stamp.secs(), agent.id],
    )?;
    let old: Cells =
        vec![("dispatch_id", agent.dispatch_id.encode()), ("updated_at", agent.updated_at.encode())];
    let new: Cells = vec![("dispatch_id", dispatch.encode()), ("updated_at", stamp.secs().encode())];
    let linked = NewEvent {
        run_id: Some(agent.run_id.clone()),
        source: Source::AGENT,
        kind: "dispatched".to_owned(),
        subject: agent.id.to_string(),
        from: agent.status.to_string(),
        to: agent.status.to_string(),
        reason: None,
        data: cells::changed(&old, &new),
        envelope: Map::new(),
    };
    event::append(tx, &linked, stamp)?;
    Ok(())
}

fn from_row(row: &Row) -> Result<Agent, StoreError> {
    Ok(Agent {
        id: row.get("id")?,
        run_id: row.get("run_id")?,
        agent_type: row.get("agent_type")?,
        name: row.get("name")?,
        status: row.get("status")?,
        phase: row.get("phase")?,
        dispatch_id: row.get("dispatch_id")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}
