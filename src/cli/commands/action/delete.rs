//! `ic run action delete`

use crate::app::action::{self, ActionChanged, ActionRef};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::domain::text::Required;

/// Delete an action
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run action delete k3x9q2ab --phase=planned --command=/work")]
pub(in crate::cli) struct Delete {
    /// The run
    run: RunId,
    /// The phase that triggers the action
    #[arg(long)]
    phase: Phase,
    /// The command of the action
    #[arg(long)]
    command: Required,
}

impl Command for Delete {
    type Answer = ActionChanged;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<ActionChanged>, Error> {
        let Self { run, phase, command } = self;
        action::delete(cx, ActionRef { run_id: run, phase, command: command.to_string() })
    }
}
