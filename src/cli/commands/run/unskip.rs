//! `ic run unskip`, `ic phase unskip`

use super::skip::PhaseArgs;
use crate::app::run::skip::{self, SkipAnswer};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};

/// Take a skip back
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run unskip \"$run\" polish --reason='the reviewer asked for it'")]
pub(in crate::cli) struct Unskip {
    #[command(flatten)]
    phase: PhaseArgs,
}

impl Command for Unskip {
    type Answer = SkipAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<SkipAnswer>, Error> {
        skip::unskip(cx, self.phase.into())
    }
}
