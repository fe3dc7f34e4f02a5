//! `ic hook stop`

use std::io;
use std::os::fd::AsFd;

use crate::app::hook::{HookAnswer, stop};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};

/// Release the files that the hooks reserved for a session
///
/// For an agent's `SessionEnd` hook: the call comes as a JSON object on stdin. Releases every file that
/// `pre-edit` and `post-edit` reserved for the owner. At the end of a turn (`Stop`, `SubagentStop`, or a call
/// that names no event), and when a session is cleared or resumed, it releases only files that git tracks and
/// that are as they were committed, and none while a background task runs: work that is not committed stays
/// reserved. It never releases what the owner reserved with `ic coordination reserve`, nor the lock that
/// `INTERCORE_FENCE` names.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic hook stop <call.json")]
pub(in crate::cli) struct Stop {}

impl Command for Stop {
    type Answer = HookAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<HookAnswer>, Error> {
        Ok(stop::stop(cx, io::stdin().as_fd()))
    }
}
