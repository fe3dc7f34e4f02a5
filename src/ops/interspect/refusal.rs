//! The reasons why a change of overrides is refused.

use crate::domain::interspect::AgentName;

/// The reason to refuse a change. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The agent is excluded already.
    #[error("{agent} is already excluded, by {by}{}", in_commit(.commit.as_ref()))]
    AlreadyApplied {
        agent: AgentName,
        by: String,
        /// `None` if the exclusion is not on record.
        commit: Option<String>,
    },
    /// There is no proposal to approve.
    #[error("there is no proposal to exclude {0}")]
    NoProposal(AgentName),
    /// The agent is on the blacklist.
    #[error("{agent} is blacklisted: {reason}")]
    Blacklisted { agent: AgentName, reason: String },
    /// The pattern is not on the blacklist.
    #[error("`{0}` is not blacklisted")]
    NotBlacklisted(String),
    /// The evidence does not suffice.
    #[error("the evidence against {agent} does not suffice: {lacks}")]
    BelowThreshold { agent: AgentName, lacks: String },
    /// The roster does not have the agent.
    #[error("{0} is not in the roster")]
    UnknownAgent(AgentName),
    /// An earlier override of the agent is still being watched.
    #[error("an earlier override of {agent} is still being watched (modification {modification})")]
    CanaryActive { agent: AgentName, modification: String },
    /// The project does not let agents apply overrides.
    #[error("autonomy is off: overrides are proposed, and approved by people")]
    AutonomyOff,
    /// Overrides were reverted too often.
    #[error("{reverted} overrides were reverted within {days} days: {agents}")]
    CircuitOpen { reverted: i64, days: i64, agents: String },
    /// Too many overrides were applied.
    #[error("{applied} overrides were applied within {hours} hours, which is the most")]
    RateLimited { applied: i64, hours: i64 },
    /// A change of this file has to be proposed first.
    #[error("changes of {0} have to be proposed first")]
    ProposeFirst(String),
    /// The project does not allow changes of the path.
    #[error("the override path {path} may not be changed: {why}")]
    Forbidden { path: String, why: String },
    /// The path leads out of the repository.
    #[error("the override path {0} leads out of the repository")]
    Outside(String),
    /// The file cannot be read.
    #[error("the override path {path} cannot be used, and was not touched: {why}")]
    Malformed { path: String, why: String },
    /// Another process changes the overrides.
    #[error("the overrides are being changed by {holder}: waited {waited} s")]
    Held {
        holder: String,
        /// In seconds.
        waited: u64,
    },
    /// An intent cannot be read.
    #[error("the unfinished change {0} cannot be read")]
    Intent(String),
}

fn in_commit(commit: Option<&String>) -> String {
    commit.map_or_else(String::new, |commit| format!(" in commit {commit}"))
}
