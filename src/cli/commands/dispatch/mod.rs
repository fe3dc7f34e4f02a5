//! `ic dispatch`: child processes and their records.

pub(in crate::cli) mod guard;
pub(in crate::cli) mod kill;
pub(in crate::cli) mod list;
pub(in crate::cli) mod logs;
pub(in crate::cli) mod poll;
pub(in crate::cli) mod prune;
pub(in crate::cli) mod record;
pub(in crate::cli) mod retry;
pub(in crate::cli) mod spawn;
pub(in crate::cli) mod status;
pub(in crate::cli) mod supervise;
pub(in crate::cli) mod tokens;
pub(in crate::cli) mod wait;

use std::io::{self, Write};

use serde_json::Value;

use crate::app::dispatch::{DispatchAnswer, Dispatches};
use crate::cli::command::Text;
use crate::cli::tree::{Node, command, stream};
use crate::domain::text::one_line;

/// The verbs of `ic dispatch`.
pub(in crate::cli) const NODES: &[Node] = &[
    command::<spawn::Spawn>("spawn"),
    command::<record::Record>("record"),
    command::<status::Status>("status"),
    command::<list::List>("list"),
    command::<poll::Poll>("poll"),
    command::<wait::Wait>("wait"),
    command::<kill::Kill>("kill"),
    stream::<logs::Logs>("logs"),
    command::<retry::Retry>("retry"),
    command::<tokens::Tokens>("tokens"),
    command::<prune::Prune>("prune"),
    stream::<supervise::Supervise>("supervise").hidden(),
    command::<guard::Guard>("guard").hidden(),
];

fn stats(dispatch: &DispatchAnswer) -> Option<String> {
    let DispatchAnswer { turns, commands, messages, .. } = dispatch;
    let any = [turns, commands, messages].into_iter().any(|count| *count > 0);
    any.then(|| format!("{turns} turns, {commands} commands, {messages} messages"))
}

fn tokens(dispatch: &DispatchAnswer) -> String {
    let used = format!("{} in / {} out", dispatch.in_tokens, dispatch.out_tokens);
    match dispatch.cache_hits {
        Some(cache) if cache > 0 => format!("{used} / {cache} cache"),
        _ => used,
    }
}

impl Text for DispatchAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
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
            ("Stats:", stats(self)),
            ("Tokens:", Some(tokens(self))),
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

impl Text for Dispatches {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        for DispatchAnswer { id, status, agent_type, name, .. } in &self.0 {
            let name = name.as_deref().unwrap_or_default();
            writeln!(w, "{id}\t{status}\t{}\t{}", one_line(agent_type), one_line(name))?;
        }
        Ok(())
    }
}
