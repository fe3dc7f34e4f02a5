//! Why an override was not changed.

use crate::domain::routing::AgentName;

/// A change that is refused: nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The agent is left out already (IS-04).
    #[error("{agent} is already excluded, by {by}{}", told(.commit.as_ref()))]
    AlreadyApplied {
        /// Which.
        agent: AgentName,
        /// By whom.
        by: String,
        /// In which commit, where that is on record.
        commit: Option<String>,
    },
    /// Nobody has proposed it.
    #[error("there is no proposal to exclude {0}")]
    NoProposal(AgentName),
    /// It may not be proposed any more.
    #[error("{agent} is blacklisted: {reason}")]
    Blacklisted {
        /// Which.
        agent: AgentName,
        /// Why.
        reason: String,
    },
    /// A pattern that is not on the blacklist.
    #[error("`{0}` is not blacklisted")]
    NotBlacklisted(String),
    /// The evidence does not suffice.
    #[error("the evidence against {agent} does not suffice: {lacks}")]
    BelowThreshold {
        /// Which.
        agent: AgentName,
        /// What is missing.
        lacks: String,
    },
    /// The roster does not have it (IS-09).
    #[error("{0} is not in the roster")]
    UnknownAgent(AgentName),
    /// An earlier override of the agent is still being watched.
    #[error("an earlier override of {agent} is still being watched (modification {modification})")]
    CanaryActive {
        /// Which.
        agent: AgentName,
        /// The earlier one.
        modification: String,
    },
    /// The project does not leave that to agents.
    #[error("autonomy is off: overrides are proposed, and approved by people")]
    AutonomyOff,
    /// Overrides of the agent were taken back too often.
    #[error("{reverted} overrides were reverted within {days} days: {who}")]
    CircuitOpen {
        /// How many.
        reverted: i64,
        /// Within how many days.
        days: i64,
        /// Of whom.
        who: String,
    },
    /// Too many overrides lately.
    #[error("{applied} overrides were applied within {hours} hours, which is the most")]
    RateLimited {
        /// How many.
        applied: i64,
        /// Within how many hours.
        hours: i64,
    },
    /// A change of this file has to be proposed first.
    #[error("changes of {0} have to be proposed first")]
    ProposeFirst(String),
    /// The file's path may not be changed.
    #[error("the override path {path} may not be changed: {why}")]
    Forbidden {
        /// The path.
        path: String,
        /// Why.
        why: String,
    },
    /// The path leads out of the repository (IS-11).
    #[error("the override path {0} leads out of the repository")]
    Outside(String),
    /// The file cannot be read (IS-10).
    #[error("the override path {path} cannot be used, and was not touched: {why}")]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// Somebody else changes overrides (IS-13).
    #[error("the overrides are being changed by {holder}: waited {waited} s")]
    Held {
        /// Who.
        holder: String,
        /// How long, in seconds.
        waited: u64,
    },
    /// An intent of ours that cannot be read.
    #[error("the unfinished change {0} cannot be read")]
    Intent(String),
}

fn told(commit: Option<&String>) -> String {
    commit.map_or_else(String::new, |commit| format!(" in commit {commit}"))
}
