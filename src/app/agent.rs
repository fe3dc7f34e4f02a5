//! Agents of a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::run::find::RunSelector;
use super::{CommandContext, Error, Reply};
use crate::domain::agent::{Agent, AgentStatus};
use crate::domain::ids::{AgentId, DispatchId, RunId};
use crate::domain::phase::Phase;
use crate::domain::time::rfc3339_seconds;
use crate::ops::members::{self, AddAgent};
use crate::ops::once::{Key, once};
use crate::store;

/// An agent to add to a run.
#[derive(Debug)]
pub(crate) struct AddRequest {
    pub run_id: RunId,
    pub agent_type: String,
    pub name: Option<String>,
    /// The phase of the run if it is not given.
    pub phase: Option<Phase>,
    pub dispatch_id: Option<DispatchId>,
    pub idempotency_key: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct AgentAdded {
    pub id: AgentId,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AgentAnswer {
    pub agent_type: String,
    /// RFC 3339, as the readers of this list expect; every other time of a table is in Unix seconds.
    pub created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispatch_id: Option<DispatchId>,
    pub id: AgentId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub phase: Phase,
    pub run_id: RunId,
    pub status: AgentStatus,
    /// Unix seconds.
    pub updated_at: i64,
}

impl From<Agent> for AgentAnswer {
    fn from(agent: Agent) -> Self {
        Self {
            agent_type: agent.agent_type,
            created_at: rfc3339_seconds(agent.created_at),
            dispatch_id: agent.dispatch_id,
            id: agent.id,
            name: agent.name,
            phase: agent.phase,
            run_id: agent.run_id,
            status: agent.status,
            updated_at: agent.updated_at,
        }
    }
}

/// Agents, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Agents(pub Vec<AgentAnswer>);

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AgentUpdated {
    pub id: AgentId,
    pub status: AgentStatus,
}

/// Adds an active agent to a run.
///
/// # Errors
/// [`Error::Ops`] if the run does not exist or has ended, or if the key was used with other arguments.
pub(crate) fn add(cx: &mut CommandContext, request: AddRequest) -> Result<Reply<AgentAdded>, Error> {
    let AddRequest { run_id, agent_type, name, phase, dispatch_id, idempotency_key } = request;
    let add = AddAgent { run_id, agent_type, name, phase, dispatch_id };
    let stamp = cx.stamp.clone();
    let key = Key { command: "agent add", key: idempotency_key.as_deref() };
    let added = cx.write(|tx| {
        once(tx, key, &add, &stamp, || Ok(AgentAdded { id: members::add_agent(tx, &add, &stamp)?.id }))
    })?;
    Ok(Reply::yes(added))
}

/// Returns the agents of a run.
///
/// # Errors
/// As [`RunTarget::find`](super::run::find::RunTarget::find).
pub(crate) fn list(cx: &mut CommandContext, run: RunSelector) -> Result<Reply<Agents>, Error> {
    let target = run.resolve(&cx.env)?;
    let agents = cx.read(|tx| {
        let run = target.find(tx)?;
        Ok::<_, Error>(store::agent::list(tx, &run.id)?)
    })?;
    Ok(Reply::yes(Agents(agents.into_iter().map(AgentAnswer::from).collect())))
}

/// Changes the status of an agent, which must belong to `run` if one is given.
///
/// # Errors
/// [`Error::Ops`] if the agent or the run does not exist, or the agent belongs to another run.
pub(crate) fn update(
    cx: &mut CommandContext,
    run: Option<&RunId>,
    agent: &AgentId,
    status: AgentStatus,
) -> Result<Reply<AgentUpdated>, Error> {
    let stamp = cx.stamp.clone();
    let Agent { id, status, .. } = cx.write(|tx| members::update_agent(tx, agent, run, status, &stamp))?;
    Ok(Reply::yes(AgentUpdated { id, status }))
}
