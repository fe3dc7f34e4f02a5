//! Actions that are due when a run enters a phase.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::artifact::warn_unless_in_chain;
use super::{CommandContext, Error, Reply};
use crate::domain::action::{Action, ActionMode, ActionType};
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::ops::once::{Key, once};
use crate::ops::{OpsError, members};
use crate::store;
use crate::store::action::{Changes, NewAction};

/// An action to add to a run.
#[derive(Debug)]
pub(crate) struct AddRequest {
    pub run_id: RunId,
    pub phase: Phase,
    pub action_type: ActionType,
    pub command: String,
    /// JSON, kept as written.
    pub args: Option<String>,
    pub mode: ActionMode,
    /// Order within the phase, lowest first.
    pub priority: i64,
    pub idempotency_key: Option<String>,
}

/// The action that a run has for a command in a phase.
#[derive(Debug)]
pub(crate) struct ActionRef {
    pub run_id: RunId,
    pub phase: Phase,
    pub command: String,
}

/// New values for an action. Values that are not given stay unchanged.
#[derive(Debug)]
pub(crate) struct UpdateRequest {
    pub args: Option<String>,
    pub mode: Option<ActionMode>,
    pub priority: Option<i64>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ActionAnswer {
    pub action_type: ActionType,
    /// A string if the stored text is not JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Value>,
    pub command: String,
    pub id: i64,
    pub mode: ActionMode,
    pub phase: Phase,
    pub priority: i64,
    pub run_id: RunId,
}

impl From<&Action> for ActionAnswer {
    fn from(action: &Action) -> Self {
        let decode =
            |text: &String| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()));
        Self {
            action_type: action.action_type,
            args: action.args.as_ref().map(decode),
            command: action.command.clone(),
            id: action.id,
            mode: action.mode,
            phase: action.phase.clone(),
            priority: action.priority,
            run_id: action.run_id.clone(),
        }
    }
}

/// Actions by phase and priority.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Actions(pub Vec<ActionAnswer>);

/// An action that was added, updated or deleted.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ActionChanged {
    pub id: i64,
    #[serde(skip)]
    pub change: ActionChange,
    #[serde(skip)]
    pub phase: Phase,
    #[serde(skip)]
    pub command: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActionChange {
    Added,
    Updated,
    Deleted,
}

/// The part of an added action that is kept under an idempotency key.
#[derive(Serialize, Deserialize)]
struct Added {
    id: i64,
}

/// Adds an action to a run.
///
/// # Errors
/// [`Error::Ops`] if the run does not exist, has the command for the phase already, or the key was used with
/// other arguments.
pub(crate) fn add(cx: &mut CommandContext, request: AddRequest) -> Result<Reply<ActionChanged>, Error> {
    let AddRequest { run_id, phase, action_type, command, args, mode, priority, idempotency_key } = request;
    let new = NewAction { phase, action_type, command, args, mode, priority };
    let stamp = cx.stamp.clone();
    let key = Key { command: "run action add", key: idempotency_key.as_deref() };
    let (Added { id }, chain) = cx.write(|tx| {
        let chain = store::run::get(tx, &run_id)?.chain();
        let add = || Ok(Added { id: store::action::insert(tx, &run_id, &new, &stamp)? });
        Ok::<_, OpsError>((once(tx, key, &(&run_id, &new), &stamp, add)?, chain))
    })?;
    warn_unless_in_chain(cx, &chain, &new.phase);
    let NewAction { phase, command, .. } = new;
    Ok(Reply::yes(ActionChanged { id, change: ActionChange::Added, phase, command }))
}

/// Returns the actions of a run, all or those of one phase.
///
/// # Errors
/// [`Error::Ops`] if the run does not exist.
pub(crate) fn list(
    cx: &mut CommandContext,
    run_id: &RunId,
    phase: Option<&Phase>,
) -> Result<Reply<Actions>, Error> {
    let actions = cx.read(|tx| {
        let run = store::run::get(tx, run_id)?;
        store::action::list(tx, &run.id, phase)
    })?;
    Ok(Reply::yes(Actions(actions.iter().map(ActionAnswer::from).collect())))
}

/// Changes an action.
///
/// # Errors
/// [`Error::Ops`] if the run or the action does not exist.
pub(crate) fn update(
    cx: &mut CommandContext,
    action: ActionRef,
    request: UpdateRequest,
) -> Result<Reply<ActionChanged>, Error> {
    let ActionRef { run_id, phase, command } = action;
    let UpdateRequest { args, mode, priority } = request;
    let changes = Changes { args, mode, priority };
    let stamp = cx.stamp.clone();
    let id = cx.write(|tx| {
        let action = members::action(tx, &run_id, &phase, &command)?;
        store::action::update(tx, &action, &changes, &stamp)?;
        Ok::<_, OpsError>(action.id)
    })?;
    Ok(Reply::yes(ActionChanged { id, change: ActionChange::Updated, phase, command }))
}

/// Deletes an action.
///
/// # Errors
/// [`Error::Ops`] if the run or the action does not exist.
pub(crate) fn delete(cx: &mut CommandContext, action: ActionRef) -> Result<Reply<ActionChanged>, Error> {
    let ActionRef { run_id, phase, command } = action;
    let stamp = cx.stamp.clone();
    let id = cx.write(|tx| {
        let action = members::action(tx, &run_id, &phase, &command)?;
        store::action::delete(tx, &action, &stamp)?;
        Ok::<_, OpsError>(action.id)
    })?;
    Ok(Reply::yes(ActionChanged { id, change: ActionChange::Deleted, phase, command }))
}
