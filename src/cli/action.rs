//! `ic run action`: what is due when a run enters a phase.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::args;
use super::artifact::warn_unless_in;
use super::output::View;
use super::verb::Verb;
use super::{Answer, Cx};
use crate::app::Error;
use crate::domain::action::{Action, ActionMode, ActionType};
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::domain::text::{Required, one_line};
use crate::ops::OpsError;
use crate::ops::members;
use crate::ops::once::{Key, once};
use crate::store;
use crate::store::action::{Changes, NewAction};

/// An action as callers see it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ActionView {
    action_type: ActionType,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Value>,
    command: String,
    id: i64,
    mode: ActionMode,
    phase: Phase,
    priority: i64,
    run_id: RunId,
}

impl From<&Action> for ActionView {
    fn from(action: &Action) -> Self {
        // Arguments are meant as JSON; what is none is shown as the text that it is.
        let decode =
            |text: &String| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()));
        Self {
            action_type: action.action_type,
            args: action.args.as_ref().map(decode),
            command: action.command.clone(),
            id: action.id,
            mode: action.mode,
            phase: action.phase.clone(),
            priority: action.priority,
            run_id: action.run_id.clone(),
        }
    }
}

/// Reads arguments: JSON, kept as written; empty text means none.
fn json(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    match serde_json::from_str::<Value>(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(err) => Err(format!("not valid JSON: {err}")),
    }
}

/// What was done to which action.
#[derive(Serialize)]
struct Done<'a> {
    id: i64,
    #[serde(skip)]
    verb: String,
    #[serde(skip)]
    phase: &'a Phase,
    #[serde(skip)]
    command: &'a str,
}

impl View for Done<'_> {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}: {} → {}", self.verb, one_line(self.phase.as_str()), one_line(self.command))
    }
}

/// Register an action of a phase
///
/// When the run enters the phase, `ic run advance --json` lists the action. Its arguments may use the templates
/// `${artifact:TYPE}`, `${run_id}` and `${project_dir}` inside JSON strings.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic run action add k3x9q2ab --phase=planned --command=/work --args='[\"plan.md\"]'"
)]
pub(super) struct Add {
    /// The run
    run: RunId,
    /// The phase that triggers it
    #[arg(long)]
    phase: Phase,
    /// What to run
    #[arg(long)]
    command: Required,
    /// Its arguments, JSON
    #[arg(long, value_name = "JSON", value_parser = json)]
    args: Option<String>,
    /// Who carries it out: interactive, autonomous or both
    #[arg(long, default_value_t = ActionMode::Interactive)]
    mode: ActionMode,
    /// What it is: command, spawn or hook
    #[arg(long = "type", value_name = "TYPE", default_value_t = ActionType::Command)]
    action_type: ActionType,
    /// Order within the phase, lowest first
    #[arg(long, default_value_t = 0)]
    priority: i64,
    /// Do this once per key: a repeat answers the same
    #[arg(long, value_name = "KEY", value_parser = args::key)]
    idempotency_key: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Added {
    id: i64,
}

impl Verb for Add {
    const KEPT: &'static [&'static str] = &["phase", "command", "args", "idempotency_key"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let new = NewAction {
            phase: self.phase,
            action_type: self.action_type,
            command: self.command.to_string(),
            args: args::given(self.args),
            mode: self.mode,
            priority: self.priority,
        };
        let run = self.run;
        let stamp = cx.stamp.clone();
        let key = Key { command: "run action add", key: self.idempotency_key.as_deref() };
        let (Added { id }, chain) = cx.write(|tx| {
            let chain = store::run::get(tx, &run)?.chain();
            let add = || Ok(Added { id: store::action::insert(tx, &run, &new, &stamp)? });
            Ok::<_, OpsError>((once(tx, key, &(&run, &new), &stamp, add)?, chain))
        })?;
        warn_unless_in(&chain, &new.phase, cx);
        let verb = format!("Added action {id}");
        cx.out.show(&Done { id, verb, phase: &new.phase, command: &new.command })?;
        Ok(Answer::Yes)
    }
}

/// List the actions of a run
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run action list k3x9q2ab --phase=planned")]
pub(super) struct List {
    /// The run
    run: RunId,
    /// Only those of this phase
    #[arg(long)]
    phase: Option<String>,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Actions(Vec<ActionView>);

impl View for Actions {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        if self.0.is_empty() {
            return writeln!(w, "No actions registered.");
        }
        for ActionView { phase, command, args, mode, priority, .. } in &self.0 {
            write!(w, "  {} → {}", one_line(phase.as_str()), one_line(command))?;
            if let Some(args) = args {
                write!(w, " {}", one_line(&args.to_string()))?;
            }
            writeln!(w, "  [{mode}, priority={priority}]")?;
        }
        Ok(())
    }
}

impl Verb for List {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let phase = self.phase.and_then(|phase| phase.parse::<Phase>().ok());
        let actions = cx.read(|tx| {
            let run = store::run::get(tx, &self.run)?;
            store::action::list(tx, &run.id, phase.as_ref())
        })?;
        cx.out.show(&Actions(actions.iter().map(ActionView::from).collect()))?;
        Ok(Answer::Yes)
    }
}

/// Change an action
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run action update k3x9q2ab --phase=planned --command=/work --mode=both")]
pub(super) struct Update {
    /// The run
    run: RunId,
    /// The phase that triggers it
    #[arg(long)]
    phase: Phase,
    /// What it runs
    #[arg(long)]
    command: Required,
    /// New arguments, JSON
    #[arg(long, value_name = "JSON", value_parser = json)]
    args: Option<String>,
    /// Who carries it out: interactive, autonomous or both
    #[arg(long)]
    mode: Option<ActionMode>,
    /// Order within the phase, lowest first
    #[arg(long)]
    priority: Option<i64>,
}

impl Verb for Update {
    const KEPT: &'static [&'static str] = &["args"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let Self { run, phase, command, args, mode, priority } = self;
        let changes = Changes { args: args::given(args), mode, priority };
        let stamp = cx.stamp.clone();
        let id = cx.write(|tx| {
            let action = members::action(tx, &run, &phase, command.as_str())?;
            store::action::update(tx, &action, &changes, &stamp)?;
            Ok::<_, OpsError>(action.id)
        })?;
        cx.out.show(&Done { id, verb: "Updated".to_owned(), phase: &phase, command: command.as_str() })?;
        Ok(Answer::Yes)
    }
}

/// Remove an action
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run action delete k3x9q2ab --phase=planned --command=/work")]
pub(super) struct Delete {
    /// The run
    run: RunId,
    /// The phase that triggers it
    #[arg(long)]
    phase: Phase,
    /// What it runs
    #[arg(long)]
    command: Required,
}

impl Verb for Delete {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let Self { run, phase, command } = self;
        let stamp = cx.stamp.clone();
        let id = cx.write(|tx| {
            let action = members::action(tx, &run, &phase, command.as_str())?;
            store::action::delete(tx, &action, &stamp)?;
            Ok::<_, OpsError>(action.id)
        })?;
        cx.out.show(&Done { id, verb: "Deleted".to_owned(), phase: &phase, command: command.as_str() })?;
        Ok(Answer::Yes)
    }
}
