//! `ic hook pre-edit`

use std::io;
use std::os::fd::AsFd;

use crate::app::hook::{HookAnswer, edit};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};

/// Reserve the file that an agent is about to edit
///
/// For an agent's `PreToolUse` hook: the call comes as a JSON object on stdin. Prints nothing and holds the
/// file for 15 minutes, or prints one JSON object that denies the edit and names the owner of the file. The
/// exit code is 0 either way. The reservation is kept in the database nearest above the file. The owner is
/// `INTERMUTE_AGENT_ID`, or else the session. A session that works under a lock names it in
/// `INTERCORE_FENCE`, as LOCK:TOKEN, and edits nothing once that lock is lost.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic hook pre-edit <call.json")]
pub(in crate::cli) struct PreEdit {
    /// Deny also when it cannot be checked whether the file is free
    #[arg(long)]
    strict: bool,
}

impl Command for PreEdit {
    type Answer = HookAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<HookAnswer>, Error> {
        Ok(edit::pre_edit(cx, io::stdin().as_fd(), self.strict))
    }
}
