//! `ic hook post-edit`

use std::io;
use std::os::fd::AsFd;

use crate::app::hook::{HookAnswer, edit};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};

/// Extend the reservation of the file that an agent has edited
///
/// For an agent's `PostToolUse` hook: the call comes as a JSON object on stdin. Prints nothing and holds the
/// file for 15 minutes more, or prints one JSON object that tells the agent that another owner got the file
/// while it was edited.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic hook post-edit <call.json")]
pub(in crate::cli) struct PostEdit {}

impl Command for PostEdit {
    type Answer = HookAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<HookAnswer>, Error> {
        Ok(edit::post_edit(cx, io::stdin().as_fd()))
    }
}
