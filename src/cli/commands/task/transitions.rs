//! `ic task transitions`

use std::io::{self, Write};

use super::status;
use crate::app::task::query::{self, TaskTransitions, TransitionTable};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::task::status::Status;

/// List which status may follow which
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic task transitions planned")]
pub(in crate::cli) struct Transitions {
    /// List only what may follow this status
    #[arg(value_parser = status)]
    status: Option<Status>,
}

impl Command for Transitions {
    type Answer = TransitionTable;
    const ACCESS: Access = Access::Read;

    fn run(self, _: &mut CommandContext) -> Result<Reply<TransitionTable>, Error> {
        Ok(query::transitions(self.status))
    }
}

impl Text for TransitionTable {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        for TaskTransitions { status, next, .. } in &self.rows {
            let next: Vec<_> = next.iter().map(|status| status.as_str()).collect();
            let next = if next.is_empty() { "nothing".to_owned() } else { next.join(", ") };
            writeln!(w, "{status} → {next}")?;
        }
        Ok(())
    }
}
