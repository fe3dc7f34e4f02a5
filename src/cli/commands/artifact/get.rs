//! `ic artifact get`

use crate::app::artifact::{self, ArtifactAnswer};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};
use crate::domain::ids::ArtifactId;

/// Show an artifact
///
/// The output is the artifact's line of `ic artifact list`. An artifact that was rolled back is shown too.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic artifact get w8d2f5gh --json")]
pub(in crate::cli) struct Get {
    /// The artifact
    id: ArtifactId,
}

impl Command for Get {
    type Answer = ArtifactAnswer;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<ArtifactAnswer>, Error> {
        artifact::get(cx, &self.id)
    }
}
