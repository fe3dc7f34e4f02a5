//! `ic hook uninstall`

use super::TargetArgs;
use crate::app::hook::install::{self, InstallAnswer};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};

/// Remove the hooks
///
/// Removes what `ic hook install` of this or an earlier release added and nothing else, from both places or
/// from the one that is named.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic hook uninstall")]
pub(in crate::cli) struct Uninstall {
    #[command(flatten)]
    target: TargetArgs,
}

impl Command for Uninstall {
    type Answer = InstallAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<InstallAnswer>, Error> {
        install::uninstall(cx, self.target.into())
    }
}
