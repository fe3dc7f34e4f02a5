//! `ic lock release`

use super::LockArgs;
use crate::app::lock::{self, LockAnswer};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};

/// Release a lock
///
/// Without --owner the lock must belong to the calling process. If the lock is not held, or another owner
/// holds it, the exit code is 1 and nothing changes.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic lock release deploy \"$project\"")]
pub(in crate::cli) struct Release {
    #[command(flatten)]
    lock: LockArgs,
}

impl Command for Release {
    type Answer = LockAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<LockAnswer>, Error> {
        lock::release(cx, &self.lock.into())
    }
}
