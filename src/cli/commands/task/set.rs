//! `ic task set`

use super::{ArtifactArgs, ChangeArgs};
use crate::app::task::{ChangeKind, TaskChange, change};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};

/// Change a task in any way: its status, its links, or both
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic task set 320 --to=blocked --reason='waits for task 317'\n         \
                        ic task set 320 --artifact=research:specs/320_x/reports/research-002.md")]
pub(in crate::cli) struct Set {
    #[command(flatten)]
    change: ChangeArgs,
    #[command(flatten)]
    artifacts: ArtifactArgs,
    /// Commit the change in git
    #[arg(long)]
    commit: bool,
}

impl Command for Set {
    type Answer = TaskChange;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<TaskChange>, Error> {
        change::change(cx, self.change.into_request(ChangeKind::Set, self.artifacts, self.commit))
    }
}
