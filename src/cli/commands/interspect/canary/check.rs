//! `ic interspect canary check`

use std::io::{self, Write};

use crate::app::interspect::canary::{self, Canaries};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::cli::commands::interspect::{RepoArgs, canary_line};

/// Judge the overrides whose window is over
///
/// An override is watched for a number of sessions or days. Its canary passes if nothing got worse than
/// before. Otherwise there is an alert, with exit code 1 until the override is reverted.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic interspect canary check")]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    repo: RepoArgs,
}

impl Command for Check {
    type Answer = Canaries;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Canaries>, Error> {
        canary::check(cx, &self.repo.into_options())
    }
}

impl Text for Canaries {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        self.0.iter().try_for_each(|canary| canary_line(canary, w))
    }
}
