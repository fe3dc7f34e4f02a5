//! Agents that work on a run.

use super::ids::{AgentId, DispatchId, RunId};
use super::phase::Phase;

words!(
    /// The status of an agent. Any status may follow any other.
    AgentStatus, "agent status" {
        /// The agent is working.
        Active = "active",
        /// The agent has finished.
        Completed = "completed",
        /// The agent gave up, or a rollback or a cancel ended its work.
        Failed = "failed",
    }
);

/// A row of `run_agents`.
#[derive(Clone, Debug)]
pub struct Agent {
    pub id: AgentId,
    /// The run it works on.
    pub run_id: RunId,
    /// Free text.
    pub agent_type: String,
    /// Free text.
    pub name: Option<String>,
    pub status: AgentStatus,
    /// The phase in which it was added.
    pub phase: Phase,
    /// The dispatch that it runs in.
    pub dispatch_id: Option<DispatchId>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
}
