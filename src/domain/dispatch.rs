//! Dispatches: child processes and their records.

use super::ids::DispatchId;
use super::phase::Phase;
use super::process::ProcessKey;

words!(
    /// The status of a dispatch. The last four are terminal and never change.
    DispatchStatus, "dispatch status" {
        /// It is recorded, and has no process yet.
        Spawned = "spawned",
        /// Its process runs.
        Running = "running",
        /// It succeeded.
        Completed = "completed",
        /// It failed.
        Failed = "failed",
        /// It reached its time limit.
        Timeout = "timeout",
        /// It was cancelled.
        Cancelled = "cancelled",
    }
);

impl DispatchStatus {
    /// Returns true if the dispatch has ended.
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Spawned | Self::Running)
    }
}

/// The largest number of tokens that is accepted, so that the sum over thousands of dispatches cannot
/// overflow.
pub const MOST_TOKENS: i64 = 1_000_000_000_000_000;

/// Tokens used, as reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Read by the model.
    pub input: i64,
    /// Written by the model.
    pub output: i64,
    /// Read from a cache; `None` if this was not reported.
    pub cache: Option<i64>,
}

/// A row of `dispatches`.
#[derive(Clone, Debug)]
pub struct Dispatch {
    pub id: DispatchId,
    /// Free text.
    pub agent_type: String,
    pub status: DispatchStatus,
    /// The directory that it works in.
    pub project_dir: String,
    /// The file of its prompt.
    pub prompt_file: Option<String>,
    /// The file that it writes its answer to.
    pub output_file: Option<String>,
    /// Free text.
    pub name: Option<String>,
    /// Free text.
    pub model: Option<String>,
    /// The run's id, or the run's own scope.
    pub scope_id: Option<String>,
    /// The phase of its run at the start.
    pub run_phase: Option<Phase>,
    /// Free text of the caller.
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
    pub tokens: Tokens,
    /// The verdict of a reviewer: `pass`, `warn`, `fail`, `reject`, …
    pub verdict_status: Option<String>,
    /// One sentence about it.
    pub verdict_summary: Option<String>,
    /// The exit status of the process.
    pub exit_code: Option<i64>,
    /// The reason for a bad end.
    pub error_message: Option<String>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub started_at: Option<i64>,
    /// Unix seconds.
    pub completed_at: Option<i64>,
    /// Unix seconds of the request to stop its process; `None` once the process has been seen gone.
    pub stop_requested_at: Option<i64>,
    /// Unix seconds of the first SIGTERM.
    pub stop_signalled_at: Option<i64>,
    /// The process that looks after it: its supervisor or, until that has taken over, the caller. `None` for
    /// a child that was started elsewhere.
    pub supervisor: Option<ProcessKey>,
    /// Unix seconds of the supervisor's last heartbeat; `None` if it has not taken over.
    pub heartbeat_at: Option<i64>,
    /// The command and its directory: JSON with `argv` and `cwd`.
    pub command: Option<String>,
    /// The file that the child writes its verdict to.
    pub verdict_file: Option<String>,
    /// The name of the sandbox.
    pub sandbox: Option<String>,
    /// The requested sandbox, JSON.
    pub sandbox_spec: Option<String>,
    /// The sandbox as the child reports it, JSON.
    pub sandbox_effective: Option<String>,
    /// In seconds.
    pub timeout_sec: Option<i64>,
    /// The number of earlier attempts.
    pub retry_count: i64,
}
