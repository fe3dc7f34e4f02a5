//! `ic dispatch retry`

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use super::launch::{self, SANDBOX, Wanted};
use super::settle;
use crate::app::Error;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx, args};
use crate::domain::dispatch::Dispatch;
use crate::domain::ids::DispatchId;
use crate::domain::ladder::Chain;
use crate::domain::launch::{Command, Program};
use crate::domain::state::Key;
use crate::domain::text::one_line;
use crate::ops::retry::{self, Escalation, Retried};
use crate::ops::spawn::Spawned;
use crate::os::files;

/// How many of the last lines of an answer the next attempt is shown.
const LINES: usize = 50;
/// Most bytes read of an answer, at its beginning and at its end.
const MOST: u64 = 64 * 1024;

/// What went wrong.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Failure {
    /// It took too long
    Timeout,
    /// It broke off
    Error,
    /// Its verdict was bad
    VerdictFail,
    /// What was asked for was not met
    CriteriaFail,
}

impl Failure {
    fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Error => "error",
            Self::VerdictFail => "verdict-fail",
            Self::CriteriaFail => "criteria-fail",
        }
    }
}

/// Make another attempt at a dispatch that failed or timed out
///
/// It starts after a wait that doubles with each attempt, or at once with --now; there are three at most, and one for each
/// attempt before. With --escalate the model climbs the ladder sonnet, opus, fable after every second failure of a chain, and
/// the prompt tells what went wrong so far.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic dispatch retry w8d2f5gh --now\n         \
                        ic dispatch retry w8d2f5gh --escalate --failure-mode=verdict-fail")]
pub(in crate::cli) struct Retry {
    /// The dispatch
    id: DispatchId,
    /// Start it at once
    #[arg(long)]
    now: bool,
    /// Ask a stronger model when this one fails again and again
    #[arg(long)]
    escalate: bool,
    /// The chain of attempts that this one belongs to [default: the dispatch]
    #[arg(long, value_name = "KEY", requires = "escalate")]
    chain_key: Option<String>,
    /// What went wrong
    #[arg(long, value_name = "MODE", requires = "escalate")]
    failure_mode: Option<Failure>,
    /// What went wrong, in words
    #[arg(long, value_name = "TEXT", requires = "escalate")]
    failure_detail: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    attempt: i64,
    backoff_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    escalated: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    new_id: DispatchId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<i64>,
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        match (&self.model, self.escalated) {
            (Some(model), Some(escalated)) => writeln!(
                w,
                "{}\tmodel={}\tescalated={escalated}\tbackoff_ms={}",
                self.new_id,
                one_line(model),
                self.backoff_ms
            ),
            _ => writeln!(w, "{}\tattempt={}\tbackoff_ms={}", self.new_id, self.attempt, self.backoff_ms),
        }
    }
}

impl Verb for Retry {
    const KEPT: &'static [&'static str] = &["chain_key", "failure_detail"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let escalation = self.escalation()?;
        settle::settle(cx)?;
        let original = cx.read(|tx| retry::require(tx, &self.id))?;
        let wanted = again(&original)?;
        let row = wanted.row(cx)?;
        let stamp = cx.stamp.clone();
        let told = escalation.as_ref().and_then(|_| told_prompt(&original));
        let retried = cx.write(|tx| {
            let build = |model: Option<&str>| {
                let mut row = row.clone();
                if model != row.model.as_deref() || told.is_some() {
                    let wanted = Wanted {
                        model: model.map(ToOwned::to_owned),
                        prompt: told.clone().or_else(|| wanted.prompt.clone()),
                        ..wanted.clone()
                    };
                    wanted.rewrite(&mut row);
                }
                row
            };
            retry::retry(tx, &self.id, escalation.as_ref(), build, &stamp)
        })?;
        match retried {
            Retried::Exhausted(chain) => exhausted(cx, &original, &chain),
            Retried::Again { spawned: Spawned::Rejected(rejection), .. } => {
                super::spawn::answer(cx, Ok(launch::Launched::Rejected(rejection)))
            }
            Retried::Again {
                spawned: Spawned::Accepted { dispatch, .. },
                attempt,
                backoff_ms,
                model,
                escalated,
                chain,
            } => {
                if let (Some(told), Some(chain)) = (&told, &chain)
                    && let Err(err) = tell(&original, chain, Path::new(told))
                {
                    return Err(launch::not_started(cx, &dispatch.id, err.to_string())?);
                }
                let backoff_ms = if self.now { 0 } else { backoff_ms };
                let pid = launch::start(cx, &dispatch.id, backoff_ms)?;
                let climbing = escalation.is_some();
                cx.out.show(&Shown {
                    attempt,
                    backoff_ms,
                    escalated: climbing.then_some(escalated),
                    model: model.filter(|_| climbing),
                    new_id: dispatch.id,
                    pid,
                })?;
                Ok(Answer::Yes)
            }
        }
    }
}

impl Retry {
    fn escalation(&self) -> Result<Option<Escalation>, Error> {
        if !self.escalate {
            return Ok(None);
        }
        let name = self.chain_key.clone().unwrap_or_else(|| self.id.to_string());
        let key: Key = format!("dispatch.chain.{name}")
            .parse()
            .map_err(|err| Error::usage(format!("dispatch retry: --chain-key: {err}")))?;
        let mode = self.failure_mode.map_or("unknown", Failure::as_str);
        let detail = args::given(self.failure_detail.clone()).unwrap_or_default();
        let strongest = std::env::var("CLAVAIN_FABLE_AVAILABLE").is_ok_and(|value| value == "1");
        Ok(Some(Escalation { key, name, failure: format!("{mode}: {detail}"), strongest }))
    }
}

/// The same task again, with an answer of its own.
fn again(original: &Dispatch) -> Result<Wanted, Error> {
    let command = original.command.as_deref().and_then(|text| serde_json::from_str::<Command>(text).ok());
    let program = match command {
        Some(command) => command.program(),
        // It was started elsewhere.
        None => launch::program(None)?,
    };
    if original.prompt_file.is_none() && !matches!(program, Program::Given(_)) {
        return Err(Error::usage(format!(
            "dispatch retry: dispatch {} has no prompt to start from",
            original.id
        )));
    }
    Ok(Wanted {
        agent_type: original.agent_type.clone(),
        program,
        project: original.project_dir.clone(),
        prompt: original.prompt_file.clone(),
        output: None,
        name: original.name.clone(),
        model: original.model.clone(),
        sandbox: original.sandbox.clone().unwrap_or_else(|| SANDBOX.to_owned()),
        sandbox_spec: original.sandbox_spec.clone(),
        scope_id: original.scope_id.clone(),
        parent_id: original.parent_id.clone(),
        parent_dispatch: Some(original.id.clone()),
        timeout_sec: original.timeout_sec,
        retry: Some((original.retry_count + 1, original.id.clone())),
    })
}

/// Where the prompt goes that tells what went wrong: a name of its own for each attempt.
fn told_prompt(original: &Dispatch) -> Option<String> {
    let prompt = original.prompt_file.as_ref()?;
    Some(format!("{prompt}.retry{}-{}", original.retry_count + 1, original.id))
}

/// Writes the prompt of the next attempt: the first one, and what went wrong since.
fn tell(original: &Dispatch, chain: &Chain, path: &Path) -> Result<(), Error> {
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
    let output = original.output_file.as_ref().and_then(|output| files::text(Path::new(output), MOST));
    if let Some(output) = output.filter(|output| !output.trim().is_empty()) {
        let lines: Vec<&str> = output.lines().collect();
        let _ = writeln!(text, "\nThe end of the last answer:\n");
        for line in &lines[lines.len().saturating_sub(LINES)..] {
            let _ = writeln!(text, "    {line}");
        }
    }
    bytes.extend_from_slice(text.as_bytes());
    std::fs::write(path, bytes).map_err(failed(path))
}

/// Says that there is nobody left to ask, and leaves the lesson in the project.
fn exhausted(cx: &Cx, original: &Dispatch, chain: &Chain) -> Result<Answer, Error> {
    let file = Path::new(&original.project_dir)
        .join(format!("escalation-chain-{}.md", chain.chain_key.replace(['/', ':'], "-")));
    let mut text = format!("# Escalation chain {}\n\nNobody is left to ask.\n\n", chain.chain_key);
    for ((dispatch, model), failure) in chain.dispatches.iter().zip(&chain.models).zip(&chain.failures) {
        let _ = writeln!(text, "- {dispatch} ({model}): {failure}"); // writing to a `String` cannot fail
    }
    std::fs::write(&file, text).map_err(|source| Error::File {
        what: "writing",
        path: file.clone(),
        source,
    })?;
    if cx.out.is_json() {
        cx.out.document(&json!({
            "error": format!("escalation chain exhausted: {}", chain.chain_key),
            "exhausted": true,
            "lesson_file": file.display().to_string(),
        }))?;
    }
    cx.out.remark(format_args!("escalation chain exhausted: {}", chain.chain_key));
    cx.out.remark(format_args!("lesson chain: {}", file.display()));
    Ok(Answer::No)
}
