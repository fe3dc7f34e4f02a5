//! Agents that work on a run.

use super::ids::{AgentId, DispatchId, RunId};
use super::phase::Phase;

words!(
    /// The status of an agent. Any status may follow any other.
    AgentStatus, "agent status" {
        /// At work.
        Active = "active",
        /// Done.
        Completed = "completed",
        /// Given up, or overtaken by a rollback or a cancel.
        Failed = "failed",
    }
);

/// A row of `run_agents`.
#[derive(Clone, Debug)]
pub struct Agent {
    pub id: AgentId,
    /// The run it works on.
    pub run_id: RunId,
    /// Kind of agent, free text.
    pub agent_type: String,
    /// Name, free text.
    pub name: Option<String>,
    pub status: AgentStatus,
    /// The phase it was added in.
    pub phase: Phase,
    /// The child process that it runs in.
    pub dispatch_id: Option<DispatchId>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
}
