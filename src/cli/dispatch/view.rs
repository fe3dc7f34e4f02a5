//! A dispatch as callers see it.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use crate::cli::output::View;
use crate::domain::dispatch::{Dispatch, DispatchStatus};
use crate::domain::ids::DispatchId;
use crate::domain::phase::Phase;
use crate::domain::text::one_line;

/// The JSON shape of a dispatch; what is not known is left out.
#[derive(Serialize)]
pub(super) struct DispatchView {
    pub id: DispatchId,
    pub agent_type: String,
    pub status: DispatchStatus,
    project_dir: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_phase: Option<Phase>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_dispatch_id: Option<DispatchId>,
    spawn_depth: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<i64>,
    /// The machine that its process, or its supervisor's, runs on: only there can it be judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    turns: i64,
    commands: i64,
    messages: i64,
    in_tokens: i64,
    out_tokens: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_hits: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict_status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict_summary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
    #[serde(skip_serializing_if = "is_zero")]
    retry_count: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_sec: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sandbox_spec: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sandbox_effective: Option<Value>,
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<i64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that `serde` wants")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// JSON as it was stored; what is none, as text, so that one bad row hides no other.
fn embedded(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

impl From<Dispatch> for DispatchView {
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

impl DispatchView {
    fn stats(&self) -> Option<String> {
        let Self { turns, commands, messages, .. } = self;
        let any = [turns, commands, messages].into_iter().any(|count| *count > 0);
        any.then(|| format!("{turns} turns, {commands} commands, {messages} messages"))
    }

    fn tokens(&self) -> String {
        let used = format!("{} in / {} out", self.in_tokens, self.out_tokens);
        match self.cache_hits {
            Some(cache) if cache > 0 => format!("{used} / {cache} cache"),
            _ => used,
        }
    }
}

impl View for DispatchView {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        let shown = |value: &Option<String>| value.clone();
        let lines = [
            ("ID:", Some(self.id.to_string())),
            ("Status:", Some(self.status.to_string())),
            ("Type:", Some(self.agent_type.clone())),
            ("Name:", shown(&self.name)),
            ("PID:", self.pid.map(|pid| pid.to_string())),
            ("Host:", shown(&self.host)),
            ("Project:", Some(self.project_dir.clone())),
            ("Prompt:", shown(&self.prompt_file)),
            ("Output:", shown(&self.output_file)),
            ("Stats:", self.stats()),
            ("Tokens:", Some(self.tokens())),
            ("Verdict:", shown(&self.verdict_status)),
            ("Summary:", shown(&self.verdict_summary)),
            ("Sandbox Spec:", self.sandbox_spec.as_ref().map(Value::to_string)),
            ("Sandbox Eff:", self.sandbox_effective.as_ref().map(Value::to_string)),
            ("Exit:", self.exit_code.map(|code| code.to_string())),
            ("Error:", shown(&self.error_message)),
        ];
        for (label, text) in lines {
            if let Some(text) = text {
                writeln!(w, "{label:<8} {}", one_line(&text))?;
            }
        }
        Ok(())
    }
}
