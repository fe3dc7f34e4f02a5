//! `ic run action`: commands that are due when a run enters a phase.

pub(in crate::cli) mod add;
pub(in crate::cli) mod delete;
pub(in crate::cli) mod list;
pub(in crate::cli) mod update;

use std::io::{self, Write};

use crate::app::action::{ActionChange, ActionChanged};
use crate::cli::command::Text;
use crate::cli::tree::{Node, command};
use crate::domain::text::one_line;

/// The verbs of `ic run action`.
pub(in crate::cli) const NODES: &[Node] = &[
    command::<add::Add>("add"),
    command::<list::List>("list"),
    command::<update::Update>("update"),
    command::<delete::Delete>("delete"),
];

/// Checks that arguments are JSON, and returns them as written. Empty text stands for none.
fn json(text: &str) -> Result<String, String> {
    if !text.is_empty()
        && let Err(err) = serde_json::from_str::<serde_json::Value>(text)
    {
        return Err(format!("not valid JSON: {err}"));
    }
    Ok(text.to_owned())
}

impl Text for ActionChanged {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        let (phase, command) = (one_line(self.phase.as_str()), one_line(&self.command));
        match self.change {
            ActionChange::Added => writeln!(w, "Added action {}: {phase} → {command}", self.id),
            ActionChange::Updated => writeln!(w, "Updated: {phase} → {command}"),
            ActionChange::Deleted => writeln!(w, "Deleted: {phase} → {command}"),
        }
    }
}
