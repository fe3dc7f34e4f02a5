//! `ic task preflight`

use super::{ArtifactArgs, ChangeArgs};
use crate::app::task::{ChangeKind, TaskChange, change};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};

/// Set the status of a task before work on it begins
///
/// TODO.md, state.json and the plan change together or not at all. If the status may not follow or the files
/// cannot be used, nothing is changed, every reason is reported at once, and the exit code is 1 or 2. Commits
/// nothing.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic task preflight 320 --to=planning")]
pub(in crate::cli) struct Preflight {
    #[command(flatten)]
    change: ChangeArgs,
}

impl Command for Preflight {
    type Answer = TaskChange;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<TaskChange>, Error> {
        change::change(cx, self.change.into_request(ChangeKind::Preflight, ArtifactArgs::default(), false))
    }
}
