//! `ic task postflight`

use super::{ArtifactArgs, ChangeArgs};
use crate::app::task::{ChangeKind, TaskChange, change};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};

/// Check and link the artifacts of a task after the work, set its status, and commit
///
/// An artifact must be a file with content; a missing one is looked for once more after a second. The commit
/// holds the artifacts and the task files, whatever else is staged. If it fails, that is a warning, and the
/// task is up to date all the same.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic task postflight 320 --to=planned --artifact=plan:specs/320_x/plans/implementation-001.md"
)]
pub(in crate::cli) struct Postflight {
    #[command(flatten)]
    change: ChangeArgs,
    #[command(flatten)]
    artifacts: ArtifactArgs,
    /// Do not commit in git
    #[arg(long)]
    no_commit: bool,
}

impl Command for Postflight {
    type Answer = TaskChange;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<TaskChange>, Error> {
        let commit = !self.no_commit;
        change::change(cx, self.change.into_request(ChangeKind::Postflight, self.artifacts, commit))
    }
}
