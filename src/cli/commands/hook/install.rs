//! `ic hook install`

use super::TargetArgs;
use crate::app::hook::install::{self, InstallAnswer};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};

/// Call the hooks from an agent's settings and from git
///
/// Adds `ic hook pre-edit`, `post-edit` and, for the end of a session, `stop` to the agent's settings, and
/// `ic hook pre-commit` to git's hook; without --claude or --git to both. Hooks that an earlier release added
/// are replaced; other content stays as it is, and a repeated call changes nothing.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic hook install --dry-run\n         ic hook install --claude")]
pub(in crate::cli) struct Install {
    #[command(flatten)]
    target: TargetArgs,
}

impl Command for Install {
    type Answer = InstallAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<InstallAnswer>, Error> {
        install::install(cx, self.target.into())
    }
}
