//! Another attempt at a dispatch that failed or timed out.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::launch::{self, LaunchRequest};
use super::spawn::SpawnRejection;
use super::{DEFAULT_SANDBOX, settle};
use crate::app::{CommandContext, Error, Reply};
use crate::domain::dispatch::Dispatch;
use crate::domain::ids::DispatchId;
use crate::domain::ladder::Chain;
use crate::domain::launch::{Command, Program};
use crate::domain::state::Key;
use crate::ops::retry::{self, Escalation, Retried};
use crate::ops::spawn::Spawned;
use crate::os::files;

/// The number of last lines of an answer that the prompt of the next attempt quotes.
const QUOTED_LINES: usize = 50;
/// The maximum number of bytes read of an answer, at its beginning and at its end.
const MAX_BYTES: u64 = 64 * 1024;

/// The way in which an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureMode {
    Timeout,
    Error,
    VerdictFail,
    CriteriaFail,
}

impl FailureMode {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Error => "error",
            Self::VerdictFail => "verdict-fail",
            Self::CriteriaFail => "criteria-fail",
        }
    }
}

/// An attempt to make.
#[derive(Debug)]
pub(crate) struct RetryRequest {
    pub id: DispatchId,
    /// Start without a delay.
    pub now: bool,
    /// Try a stronger model if this one fails repeatedly.
    pub escalation: Option<EscalationRequest>,
}

/// The chain of attempts that an escalation belongs to, and the failure that it records there.
#[derive(Debug)]
pub(crate) struct EscalationRequest {
    /// Without one, the id of the dispatch.
    pub chain_key: Option<String>,
    pub failure_mode: Option<FailureMode>,
    pub failure_detail: Option<String>,
}

/// The outcome of a retry.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum RetryAnswer {
    Started(NextAttempt),
    Rejected(SpawnRejection),
    Exhausted(ExhaustedChain),
}

/// An attempt that was recorded and started.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct NextAttempt {
    /// 1 for the first retry.
    pub attempt: i64,
    /// Milliseconds until the child starts.
    pub backoff_ms: i64,
    /// Whether the model is stronger than before. Left out without escalation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escalated: Option<bool>,
    /// Left out without escalation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    pub new_id: DispatchId,
    /// Left out while the child has yet to start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i64>,
}

/// An escalation chain without a stronger model left to try.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ExhaustedChain {
    pub error: String,
    /// Always true.
    pub exhausted: bool,
    /// The file in the project that lists the failed attempts.
    pub lesson_file: String,
}

/// Records and starts another attempt.
///
/// # Errors
/// [`Error::Ops`] if the dispatch does not exist or does not take another attempt, [`Error::Usage`] if it has
/// no prompt or the chain's key is not valid, [`Error::NotStarted`] if the child cannot be started.
pub(crate) fn retry(cx: &mut CommandContext, request: RetryRequest) -> Result<Reply<RetryAnswer>, Error> {
    let RetryRequest { id, now, escalation } = request;
    let escalation = escalation.map(|wanted| wanted.resolve(cx, &id)).transpose()?;
    settle::settle(cx)?;
    let original = cx.read(|tx| retry::require(tx, &id))?;
    let launch = same_task(cx, &original)?;
    let row = launch.row(cx)?;
    let stamp = cx.stamp.clone();
    let prompt = escalation.as_ref().and_then(|_| retry_prompt(&original));
    let retried = cx.write(|tx| {
        let build = |model: Option<&str>| {
            let mut row = row.clone();
            if model != row.model.as_deref() || prompt.is_some() {
                let launch = LaunchRequest {
                    model: model.map(ToOwned::to_owned),
                    prompt: prompt.clone().or_else(|| launch.prompt.clone()),
                    ..launch.clone()
                };
                launch.rewrite(&mut row);
            }
            row
        };
        retry::retry(tx, &id, escalation.as_ref(), build, &stamp)
    })?;
    let (attempt, backoff_ms, model, escalated, chain, spawned) = match retried {
        Retried::Exhausted(chain) => return exhausted(&original, &chain),
        Retried::Again { spawned, attempt, backoff_ms, model, escalated, chain } => {
            (attempt, backoff_ms, model, escalated, chain, spawned)
        }
    };
    let dispatch = match spawned {
        Spawned::Accepted { dispatch, .. } => dispatch,
        Spawned::Rejected(rejection) => {
            let (answer, error) = SpawnRejection::of(rejection);
            return Ok(Reply::refused(RetryAnswer::Rejected(answer), error));
        }
    };
    if let (Some(prompt), Some(chain)) = (&prompt, &chain)
        && let Err(err) = write_retry_prompt(&original, chain, Path::new(prompt))
    {
        return Err(launch::not_started(cx, &dispatch.id, err.to_string())?);
    }
    let backoff_ms = if now { 0 } else { backoff_ms };
    let pid = launch::start(cx, &dispatch.id, backoff_ms)?;
    let climbs = escalation.is_some();
    Ok(Reply::yes(RetryAnswer::Started(NextAttempt {
        attempt,
        backoff_ms,
        escalated: climbs.then_some(escalated),
        model: model.filter(|_| climbs),
        new_id: dispatch.id,
        pid,
    })))
}

impl EscalationRequest {
    fn resolve(self, cx: &CommandContext, id: &DispatchId) -> Result<Escalation, Error> {
        let name = self.chain_key.unwrap_or_else(|| id.to_string());
        let key: Key = format!("dispatch.chain.{name}")
            .parse()
            .map_err(|err| Error::usage(format!("dispatch retry: --chain-key: {err}")))?;
        let mode = self.failure_mode.map_or("unknown", FailureMode::as_str);
        let detail = self.failure_detail.unwrap_or_default();
        let strongest = cx.env.var("CLAVAIN_FABLE_AVAILABLE").is_some_and(|value| value == "1");
        Ok(Escalation { key, name, failure: format!("{mode}: {detail}"), strongest })
    }
}

/// Returns a request for the same task, with an output file of its own.
fn same_task(cx: &CommandContext, original: &Dispatch) -> Result<LaunchRequest, Error> {
    let command = original.command.as_deref().and_then(|text| serde_json::from_str::<Command>(text).ok());
    let program = match command {
        Some(command) => command.program(),
        // The child was started elsewhere.
        None => launch::program(cx, None)?,
    };
    if original.prompt_file.is_none() && !matches!(program, Program::Given(_)) {
        return Err(Error::usage(format!(
            "dispatch retry: dispatch {} has no prompt to start from",
            original.id
        )));
    }
    Ok(LaunchRequest {
        agent_type: original.agent_type.clone(),
        program,
        project: original.project_dir.clone(),
        prompt: original.prompt_file.clone(),
        output: None,
        name: original.name.clone(),
        model: original.model.clone(),
        sandbox: original.sandbox.clone().unwrap_or_else(|| DEFAULT_SANDBOX.to_owned()),
        sandbox_spec: original.sandbox_spec.clone(),
        scope_id: original.scope_id.clone(),
        parent_id: original.parent_id.clone(),
        parent_dispatch: Some(original.id.clone()),
        timeout_sec: original.timeout_sec,
        retry: Some((original.retry_count + 1, original.id.clone())),
    })
}

/// Returns the path of the prompt that describes the earlier failures: each attempt has its own.
fn retry_prompt(original: &Dispatch) -> Option<String> {
    let prompt = original.prompt_file.as_ref()?;
    Some(format!("{prompt}.retry{}-{}", original.retry_count + 1, original.id))
}

/// Writes the prompt of the next attempt: the original one, followed by the earlier failures.
fn write_retry_prompt(original: &Dispatch, chain: &Chain, path: &Path) -> Result<(), Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { what: "writing the prompt", path, source }
    };
    let prompt = original.prompt_file.as_ref().map(PathBuf::from).unwrap_or_default();
    let mut bytes = std::fs::read(&prompt).map_err(failed(&prompt))?;
    let mut text = String::from("\n\n## What went wrong before\n\n");
    for (model, failure) in chain.models.iter().zip(&chain.failures) {
        let _ = writeln!(text, "- {model}: {failure}"); // writing to a `String` cannot fail
    }
    if let Some(verdict) = &original.verdict_status {
        let summary = original.verdict_summary.as_deref().unwrap_or("");
        let _ = writeln!(text, "\nThe last verdict: {verdict}. {summary}");
    }
    let output = original.output_file.as_ref().and_then(|output| files::text(Path::new(output), MAX_BYTES));
    if let Some(output) = output.filter(|output| !output.trim().is_empty()) {
        let lines: Vec<&str> = output.lines().collect();
        let _ = writeln!(text, "\nThe end of the last answer:\n");
        for line in &lines[lines.len().saturating_sub(QUOTED_LINES)..] {
            let _ = writeln!(text, "    {line}");
        }
    }
    bytes.extend_from_slice(text.as_bytes());
    std::fs::write(path, bytes).map_err(failed(path))
}

/// Writes the failed attempts of an exhausted chain to a file in the project, and refuses another attempt.
fn exhausted(original: &Dispatch, chain: &Chain) -> Result<Reply<RetryAnswer>, Error> {
    let file = Path::new(&original.project_dir)
        .join(format!("escalation-chain-{}.md", chain.chain_key.replace(['/', ':'], "-")));
    let mut text = format!("# Escalation chain {}\n\nNo stronger model is left to try.\n\n", chain.chain_key);
    for ((dispatch, model), failure) in chain.dispatches.iter().zip(&chain.models).zip(&chain.failures) {
        let _ = writeln!(text, "- {dispatch} ({model}): {failure}"); // writing to a `String` cannot fail
    }
    std::fs::write(&file, text).map_err(|source| Error::File {
        what: "writing",
        path: file.clone(),
        source,
    })?;
    let error = Error::ChainExhausted { chain: chain.chain_key.clone(), lesson_file: file.clone() };
    let answer =
        ExhaustedChain { error: error.to_string(), exhausted: true, lesson_file: file.display().to_string() };
    Ok(Reply::refused(RetryAnswer::Exhausted(answer), error))
}
