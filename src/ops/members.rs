//! The members of a run: agents, artifacts, actions.

use serde::Serialize;

use super::OpsError;
use crate::db::{ReadTx, WriteTx};
use crate::domain::action::{self, Action};
use crate::domain::agent::{Agent, AgentStatus};
use crate::domain::artifact::Artifact;
use crate::domain::ids::{AgentId, DispatchId, RunId};
use crate::domain::phase::Phase;
use crate::domain::run::Run;
use crate::domain::time::Stamp;
use crate::store;
use crate::store::StoreError;
use crate::store::agent::{Because, NewAgent};
use crate::store::artifact::NewArtifact;

/// An agent to add.
#[derive(Clone, Debug, Serialize)]
pub struct AddAgent {
    pub run_id: RunId,
    pub agent_type: String,
    pub name: Option<String>,
    /// Its phase; the run's own if not given.
    pub phase: Option<Phase>,
    /// The dispatch that it runs in.
    pub dispatch_id: Option<DispatchId>,
}

/// Adds an agent to an active run.
///
/// # Errors
/// [`StoreError`] for an unknown run, or one that has ended.
pub fn add_agent(tx: &WriteTx<'_>, add: &AddAgent, stamp: &Stamp) -> Result<Agent, OpsError> {
    let run = store::run::get(tx, &add.run_id)?;
    super::require_active(&run)?;
    let new = NewAgent {
        run_id: run.id,
        agent_type: add.agent_type.clone(),
        name: add.name.clone(),
        phase: add.phase.clone().unwrap_or(run.phase),
        dispatch_id: add.dispatch_id.clone(),
    };
    Ok(store::agent::insert(tx, &new, stamp)?)
}

/// Changes the status of an agent, which must belong to `run` if that is given.
///
/// # Errors
/// [`StoreError::AgentNotFound`], or [`OpsError::AgentOfOtherRun`].
pub fn update_agent(
    tx: &WriteTx<'_>,
    id: &AgentId,
    run: Option<&RunId>,
    status: AgentStatus,
    stamp: &Stamp,
) -> Result<Agent, OpsError> {
    let agent = store::agent::get(tx, id)?;
    if let Some(run) = run.filter(|run| **run != agent.run_id) {
        store::run::get(tx, run)?;
        return Err(OpsError::AgentOfOtherRun { agent: agent.id, run: run.clone() });
    }
    store::agent::set_status(tx, &agent, status, &Because::default(), stamp)?;
    Ok(Agent { status, ..agent })
}

/// Files an artifact. Returns it, and whether its phase is in the run's chain.
///
/// # Errors
/// [`StoreError::RunNotFound`].
pub fn add_artifact(
    tx: &WriteTx<'_>,
    new: &NewArtifact,
    stamp: &Stamp,
) -> Result<(Artifact, bool), OpsError> {
    let run = store::run::get(tx, &new.run_id)?;
    let known = run.chain().index(&new.phase).is_some();
    Ok((store::artifact::insert(tx, new, stamp)?, known))
}

/// Returns an action of the run.
///
/// # Errors
/// [`StoreError::RunNotFound`], [`StoreError::ActionNotFound`].
pub fn action(tx: &ReadTx<'_>, run: &RunId, phase: &Phase, command: &str) -> Result<Action, OpsError> {
    store::run::get(tx, run)?;
    Ok(store::action::find(tx, run, phase, command)?.ok_or(StoreError::ActionNotFound)?)
}

/// Returns the actions of a phase with their templates filled in from the run.
pub fn ready_actions(tx: &ReadTx<'_>, run: &Run, phase: &Phase) -> Result<Vec<Action>, OpsError> {
    let mut actions = store::action::list(tx, &run.id, Some(phase))?;
    for action in &mut actions {
        let Some(args) = action.args.take() else { continue };
        let mut failed = None;
        action.args = Some(action::fill_templates(&args, |name| match name {
            "run_id" => Some(run.id.to_string()),
            "project_dir" => Some(run.project_dir.clone()),
            _ => {
                let kind = name.strip_prefix("artifact:")?;
                store::artifact::newest_path(tx, &run.id, kind).unwrap_or_else(|err| {
                    failed = Some(err);
                    None
                })
            }
        }));
        if let Some(err) = failed {
            return Err(err.into());
        }
    }
    Ok(actions)
}
