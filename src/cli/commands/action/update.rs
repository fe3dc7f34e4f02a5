//! `ic run action update`

use super::json;
use crate::app::action::{self, ActionChanged, ActionRef, UpdateRequest};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command};
use crate::domain::action::ActionMode;
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::domain::stored::Stored;
use crate::domain::text::Required;

/// Change an action
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run action update k3x9q2ab --phase=planned --command=/work --mode=both")]
pub(in crate::cli) struct Update {
    /// The run
    run: RunId,
    /// The phase that triggers the action
    #[arg(long)]
    phase: Phase,
    /// The command of the action
    #[arg(long)]
    command: Required,
    /// New arguments, JSON
    #[arg(long, value_name = "JSON", value_parser = args::stored(json))]
    args: Option<Stored>,
    /// Mode of execution: interactive, autonomous or both
    #[arg(long)]
    mode: Option<ActionMode>,
    /// Order within the phase, lowest first
    #[arg(long)]
    priority: Option<i64>,
}

impl Command for Update {
    type Answer = ActionChanged;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<ActionChanged>, Error> {
        let Self { run, phase, command, args, mode, priority } = self;
        let action = ActionRef { run_id: run, phase, command: command.to_string() };
        action::update(cx, action, UpdateRequest { args: args::given_stored(args), mode, priority })
    }
}
