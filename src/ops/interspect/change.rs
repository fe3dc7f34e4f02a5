//! The input of a plan: the change that a caller wants, and the state of the repository.

use crate::domain::interspect::policy::Thresholds;
use crate::domain::interspect::{AgentName, OverrideAction, Scope};

/// The change that a caller wants.
#[derive(Clone, Debug)]
pub struct Change {
    pub action: OverrideAction,
    pub agent: AgentName,
    pub reason: String,
    /// The numbers of the events that support the change.
    pub evidence: Vec<i64>,
    pub scope: Scope,
    pub by: String,
    /// Whether an exclusion that exists is amended.
    pub update: bool,
    pub approval: Approval,
    /// Whether the agent is put on the blacklist.
    pub blacklist: bool,
}

/// The authority behind a change, which decides about the checks that it has to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// A person: the evidence that exists has to suffice.
    Person,
    /// A person, regardless of the evidence.
    Forced,
    /// An agent by itself: evidence has to exist, and the limits apply.
    Agent,
}

/// The state of the repository on which a change is planned.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The top of the working tree.
    pub scope: String,
    /// The file, relative to the scope.
    pub path: String,
    /// The content of the file and its hash. `None` if the file does not exist.
    pub file: Option<(String, String)>,
    /// The commit that the working tree is at.
    pub base: Option<String>,
    pub thresholds: Thresholds,
    /// Whether changes of the file must be proposed first.
    pub propose_first: bool,
    /// The seconds before evidence counts.
    pub quarantine: i64,
    /// The present time, in RFC 3339.
    pub now: String,
    /// The end of a canary's window that begins now, in RFC 3339.
    pub window_ends: String,
}
