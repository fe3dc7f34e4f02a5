//! `ic run action list`

use std::io::{self, Write};

use crate::app::action::{self, ActionAnswer, Actions};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::ids::RunId;
use crate::domain::text::one_line;

/// List the actions of a run
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run action list k3x9q2ab --phase=planned")]
pub(in crate::cli) struct List {
    /// The run
    run: RunId,
    /// Only actions of this phase
    #[arg(long)]
    phase: Option<String>,
}

impl Command for List {
    type Answer = Actions;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Actions>, Error> {
        // An empty phase stands for all.
        let phase = self.phase.and_then(|phase| phase.parse().ok());
        action::list(cx, &self.run, phase.as_ref())
    }
}

impl Text for Actions {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        if self.0.is_empty() {
            return writeln!(w, "No actions registered.");
        }
        for ActionAnswer { phase, command, args, mode, priority, .. } in &self.0 {
            write!(w, "  {} → {}", one_line(phase.as_str()), one_line(command))?;
            if let Some(args) = args {
                write!(w, " {}", one_line(&args.to_string()))?;
            }
            writeln!(w, "  [{mode}, priority={priority}]")?;
        }
        Ok(())
    }
}
