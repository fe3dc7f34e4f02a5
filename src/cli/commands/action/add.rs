//! `ic run action add`

use super::json;
use crate::app::action::{self, ActionChanged, AddRequest};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command};
use crate::domain::action::{ActionMode, ActionType};
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::domain::stored::Stored;
use crate::domain::text::Required;

/// Add an action to a phase of a run
///
/// When the run enters the phase, `ic run advance --json` lists the action. The arguments may use the
/// templates `${artifact:TYPE}`, `${run_id}` and `${project_dir}` inside JSON strings.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic run action add k3x9q2ab --phase=planned --command=/work --args='[\"plan.md\"]'"
)]
pub(in crate::cli) struct Add {
    /// The run
    run: RunId,
    /// The phase that triggers the action
    #[arg(long)]
    phase: Stored<Phase>,
    /// The command to run
    #[arg(long)]
    command: Stored<Required>,
    /// The arguments of the command, JSON
    #[arg(long, value_name = "JSON", value_parser = args::stored(json))]
    args: Option<Stored>,
    /// Mode of execution: interactive, autonomous or both
    #[arg(long, default_value_t = ActionMode::Interactive)]
    mode: ActionMode,
    /// Kind of action: command, spawn or hook
    #[arg(long = "type", value_name = "TYPE", default_value_t = ActionType::Command)]
    action_type: ActionType,
    /// Order within the phase, lowest first
    #[arg(long, default_value_t = 0)]
    priority: i64,
    /// Add the action once per key: a repeat returns the first result
    #[arg(long, value_name = "KEY", value_parser = args::stored(args::key))]
    idempotency_key: Option<Stored>,
}

impl Command for Add {
    type Answer = ActionChanged;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<ActionChanged>, Error> {
        let request = AddRequest {
            run_id: self.run,
            phase: self.phase.into_inner(),
            action_type: self.action_type,
            command: self.command.to_string(),
            args: args::given_stored(self.args),
            mode: self.mode,
            priority: self.priority,
            idempotency_key: self.idempotency_key.map(Stored::into_inner),
        };
        action::add(cx, request)
    }
}
