//! A dispatch as an answer.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::domain::dispatch::{Dispatch, DispatchStatus};
use crate::domain::ids::DispatchId;
use crate::domain::phase::Phase;

/// A dispatch. Members that are not known are left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct DispatchAnswer {
    pub id: DispatchId,
    pub agent_type: String,
    pub status: DispatchStatus,
    pub project_dir: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_phase: Option<Phase>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_dispatch_id: Option<DispatchId>,
    pub spawn_depth: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i64>,
    /// The machine that its process, or its supervisor's, runs on. Only there can the process be judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    pub turns: i64,
    pub commands: i64,
    pub messages: i64,
    pub in_tokens: i64,
    pub out_tokens: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_hits: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict_status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict_summary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    #[serde(skip_serializing_if = "is_zero")]
    pub retry_count: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_sec: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox_spec: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox_effective: Option<Value>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<i64>,
    /// Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<i64>,
}

/// Dispatches, in the order that the command documents.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Dispatches(pub Vec<DispatchAnswer>);

impl FromIterator<Dispatch> for Dispatches {
    fn from_iter<I: IntoIterator<Item = Dispatch>>(dispatches: I) -> Self {
        Self(dispatches.into_iter().map(DispatchAnswer::from).collect())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that `serde` needs")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// Returns JSON as it was stored. Text that is not valid JSON becomes a string, so that a damaged row hides
/// no other one.
fn embedded(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

impl From<Dispatch> for DispatchAnswer {
    fn from(dispatch: Dispatch) -> Self {
        let host = dispatch.process.as_ref().or(dispatch.supervisor.as_ref()).map(|key| key.host.clone());
        Self {
            id: dispatch.id,
            agent_type: dispatch.agent_type,
            status: dispatch.status,
            project_dir: dispatch.project_dir,
            prompt_file: dispatch.prompt_file,
            output_file: dispatch.output_file,
            name: dispatch.name,
            model: dispatch.model,
            scope_id: dispatch.scope_id,
            run_phase: dispatch.run_phase,
            parent_id: dispatch.parent_id,
            parent_dispatch_id: dispatch.parent_dispatch_id,
            spawn_depth: dispatch.spawn_depth,
            pid: dispatch.process.map(|process| process.pid),
            host: host.filter(|host| !host.is_empty()),
            turns: dispatch.turns,
            commands: dispatch.commands,
            messages: dispatch.messages,
            in_tokens: dispatch.tokens.input,
            out_tokens: dispatch.tokens.output,
            cache_hits: dispatch.tokens.cache,
            verdict_status: dispatch.verdict_status,
            verdict_summary: dispatch.verdict_summary,
            exit_code: dispatch.exit_code,
            error_message: dispatch.error_message,
            retry_count: dispatch.retry_count,
            timeout_sec: dispatch.timeout_sec,
            sandbox_spec: dispatch.sandbox_spec.as_deref().map(embedded),
            sandbox_effective: dispatch.sandbox_effective.as_deref().map(embedded),
            created_at: dispatch.created_at,
            started_at: dispatch.started_at,
            completed_at: dispatch.completed_at,
        }
    }
}
