//! Actions of a run's phases.

use serde_json::Map;

use super::cells::{self, Cells};
use super::{StoreError, event};
use crate::db::{Column, ReadTx, Row, Value, WriteTx};
use crate::domain::action::{Action, ActionMode, ActionType};
use crate::domain::event::{NewEvent, Source};
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::domain::time::Stamp;
use crate::params;

/// An action to register.
#[derive(Clone, Debug, serde::Serialize)]
pub struct NewAction {
    /// The phase that triggers it.
    pub phase: Phase,
    pub action_type: ActionType,
    pub command: String,
    /// Text that is meant to be JSON.
    pub args: Option<String>,
    /// The program that carries it out.
    pub mode: ActionMode,
    /// The order within the phase.
    pub priority: i64,
}

/// Registers an action. Returns its number.
///
/// # Errors
/// [`StoreError::DuplicateAction`] if the run already has the command for the phase.
pub fn insert(tx: &WriteTx<'_>, run_id: &RunId, new: &NewAction, stamp: &Stamp) -> Result<i64, StoreError> {
    if find(tx, run_id, &new.phase, &new.command)?.is_some() {
        return Err(StoreError::DuplicateAction);
    }
    let id: i64 = tx.scalar("SELECT coalesce(max(id), 0) + 1 FROM phase_actions", &[])?;
    let cells: Cells = vec![
        ("id", id.encode()),
        ("run_id", run_id.encode()),
        ("phase", new.phase.encode()),
        ("action_type", new.action_type.encode()),
        ("command", new.command.encode()),
        ("args", new.args.encode()),
        ("mode", new.mode.encode()),
        ("priority", new.priority.encode()),
        ("created_at", stamp.secs().encode()),
        ("updated_at", stamp.secs().encode()),
    ];
    cells::insert(tx, "phase_actions", &cells)?;
    note(tx, run_id, id, "add", cells::created(&cells), stamp)?;
    Ok(id)
}

/// Returns the actions of a run by phase, priority and number, all or of one phase.
pub fn list(tx: &ReadTx<'_>, run_id: &RunId, phase: Option<&Phase>) -> Result<Vec<Action>, StoreError> {
    match phase {
        None => tx.query(
            "SELECT * FROM phase_actions WHERE run_id = $1 ORDER BY phase, priority, id",
            params![*run_id],
            from_row,
        ),
        Some(phase) => tx.query(
            "SELECT * FROM phase_actions WHERE run_id = $1 AND phase = $2 ORDER BY priority, id",
            params![*run_id, *phase],
            from_row,
        ),
    }
}

/// One action.
pub fn find(
    tx: &ReadTx<'_>,
    run_id: &RunId,
    phase: &Phase,
    command: &str,
) -> Result<Option<Action>, StoreError> {
    tx.query_opt(
        "SELECT * FROM phase_actions WHERE run_id = $1 AND phase = $2 AND command = $3",
        params![*run_id, *phase, command.to_owned()],
        from_row,
    )
}

/// New values for an action; `None` leaves one as it is.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Arguments.
    pub args: Option<String>,
    /// The program that carries it out.
    pub mode: Option<ActionMode>,
    /// The order within the phase.
    pub priority: Option<i64>,
}

/// Changes an action. The event has the old and the new values.
pub fn update(tx: &WriteTx<'_>, action: &Action, changes: &Changes, stamp: &Stamp) -> Result<(), StoreError> {
    let mut old: Cells = Vec::new();
    let mut new: Cells = Vec::new();
    let mut change = |name, before: Value, after: Option<Value>| {
        if let Some(after) = after.filter(|after| *after != before) {
            old.push((name, before));
            new.push((name, after));
        }
    };
    change("args", action.args.encode(), changes.args.as_ref().map(Column::encode));
    change("mode", action.mode.encode(), changes.mode.map(|mode| mode.encode()));
    change("priority", action.priority.encode(), changes.priority.map(|priority| priority.encode()));
    if new.is_empty() {
        return Ok(());
    }
    new.push(("updated_at", stamp.secs().encode()));
    let sets = new.iter().enumerate().map(|(at, (name, _))| format!("{name} = ${}", at + 1));
    let sets = sets.collect::<Vec<_>>().join(", ");
    let mut values: Vec<Value> = new.iter().map(|(_, value)| value.clone()).collect();
    values.push(action.id.encode());
    tx.execute(&format!("UPDATE phase_actions SET {sets} WHERE id = ${}", values.len()), &values)?;
    note(tx, &action.run_id, action.id, "update", cells::changed(&old, &new), stamp)
}

/// Removes an action.
pub fn delete(tx: &WriteTx<'_>, action: &Action, stamp: &Stamp) -> Result<(), StoreError> {
    tx.execute("DELETE FROM phase_actions WHERE id = $1", params![action.id])?;
    let old: Cells = vec![
        ("run_id", action.run_id.encode()),
        ("phase", action.phase.encode()),
        ("action_type", action.action_type.encode()),
        ("command", action.command.encode()),
        ("args", action.args.encode()),
        ("mode", action.mode.encode()),
        ("priority", action.priority.encode()),
    ];
    note(tx, &action.run_id, action.id, "delete", cells::removed(&old), stamp)
}

fn note(
    tx: &WriteTx<'_>,
    run_id: &RunId,
    id: i64,
    kind: &str,
    data: Map<String, serde_json::Value>,
    stamp: &Stamp,
) -> Result<(), StoreError> {
    let told = NewEvent {
        run_id: Some(run_id.clone()),
        source: Source::ACTION,
        kind: kind.to_owned(),
        subject: id.to_string(),
        from: String::new(),
        to: String::new(),
        reason: None,
        data,
        envelope: Map::new(),
    };
    event::append(tx, &told, stamp)?;
    Ok(())
}

fn from_row(row: &Row) -> Result<Action, StoreError> {
    Ok(Action {
        id: row.get("id")?,
        run_id: row.get("run_id")?,
        phase: row.get("phase")?,
        action_type: row.get("action_type")?,
        command: row.get("command")?,
        args: row.get("args")?,
        mode: row.get("mode")?,
        priority: row.get("priority")?,
    })
}
