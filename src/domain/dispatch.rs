//! Dispatches: child processes and what is known of them.

use super::ids::DispatchId;
use super::phase::Phase;
use super::process::ProcessKey;

words!(
    /// Where a dispatch stands. The last four are terminal and never change.
    DispatchStatus, "dispatch status" {
        /// Recorded, no process yet.
        Spawned = "spawned",
        /// Its process runs.
        Running = "running",
        /// Ended well.
        Completed = "completed",
        /// Ended badly.
        Failed = "failed",
        /// Ended by its time limit.
        Timeout = "timeout",
        /// Called off.
        Cancelled = "cancelled",
    }
);

impl DispatchStatus {
    /// Returns true if the dispatch is over.
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Spawned | Self::Running)
    }
}

/// The largest number of tokens that is believed. What thousands of dispatches report can be added up.
pub const MOST_TOKENS: i64 = 1_000_000_000_000_000;

/// Tokens used, as reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Read by the model.
    pub input: i64,
    /// Written by the model.
    pub output: i64,
    /// Read from a cache; `None` where nobody said.
    pub cache: Option<i64>,
}

/// A row of `dispatches`.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// Identifier.
    pub id: DispatchId,
    /// Kind of agent, free text.
    pub agent_type: String,
    /// Where it stands.
    pub status: DispatchStatus,
    /// Where it works.
    pub project_dir: String,
    /// The prompt that it was given.
    pub prompt_file: Option<String>,
    /// Where it writes its answer.
    pub output_file: Option<String>,
    /// Name, free text.
    pub name: Option<String>,
    /// Model, free text.
    pub model: Option<String>,
    /// Grouping: the run's id, or the run's own scope.
    pub scope_id: Option<String>,
    /// The phase that its run was in at the start.
    pub run_phase: Option<Phase>,
    /// Free text of the caller's.
    pub parent_id: Option<String>,
    /// The dispatch that started this one.
    pub parent_dispatch_id: Option<DispatchId>,
    /// 0 for one started by hand, the parent's depth + 1 otherwise.
    pub spawn_depth: i64,
    pub process: Option<ProcessKey>,
    /// Counters reported by the child.
    pub turns: i64,
    /// Counters reported by the child.
    pub commands: i64,
    /// Counters reported by the child.
    pub messages: i64,
    /// Tokens used.
    pub tokens: Tokens,
    /// What a reviewer said: `pass`, `warn`, `fail`, `reject`, …
    pub verdict_status: Option<String>,
    /// One sentence to go with it.
    pub verdict_summary: Option<String>,
    /// Exit status of the process.
    pub exit_code: Option<i64>,
    /// Why it ended badly.
    pub error_message: Option<String>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub started_at: Option<i64>,
    /// Unix seconds.
    pub completed_at: Option<i64>,
    /// Unix seconds since when its process is to be stopped and has not been seen gone.
    pub stop_requested_at: Option<i64>,
    /// Unix seconds of the first polite signal.
    pub stop_signalled_at: Option<i64>,
    /// Who looks after it: its supervisor, or until that has taken over, whoever asked for it. `None` for a
    /// child that was started elsewhere.
    pub supervisor: Option<ProcessKey>,
    /// Unix seconds at which the supervisor last said that it is at work. `None`: it has not taken over.
    pub heartbeat_at: Option<i64>,
    /// What is run, and where: JSON with `argv` and `cwd`.
    pub command: Option<String>,
    /// Where the child leaves its verdict.
    pub verdict_file: Option<String>,
    /// Name of the sandbox.
    pub sandbox: Option<String>,
    /// The sandbox as it was asked for, JSON.
    pub sandbox_spec: Option<String>,
    /// The sandbox as the child says that it is, JSON.
    pub sandbox_effective: Option<String>,
    /// Time limit, in seconds.
    pub timeout_sec: Option<i64>,
    /// How many attempts there were before.
    pub retry_count: i64,
}
