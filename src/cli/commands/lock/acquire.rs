//! `ic lock acquire`

use std::time::Duration;

use super::LockArgs;
use crate::app::lock::{self, AcquireRequest, LockAnswer};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command};

/// Acquire a lock
///
/// Waits up to --timeout for it; if another owner still holds it then, the exit code is 1. The lock belongs
/// to the calling process: once that has ended, and the lock is five seconds old, other owners may take it. A
/// process of another machine, or of a container with pids of its own, never counts as ended; --ttl bounds
/// the time in any case.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic lock acquire deploy \"$project\" --timeout=10s || exit 1")]
pub(in crate::cli) struct Acquire {
    #[command(flatten)]
    lock: LockArgs,
    /// Time to wait for the lock
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = wait)]
    timeout: Duration,
    /// Time after which the lock expires; 0 for as long as its owner lives
    #[arg(long, value_name = "DURATION", value_parser = args::ttl)]
    ttl: Option<i64>,
}

fn wait(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "want a duration such as 500ms, 10s or 0".to_owned())
}

impl Command for Acquire {
    type Answer = LockAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<LockAnswer>, Error> {
        let ttl_seconds = self.ttl.filter(|secs| *secs > 0);
        lock::acquire(cx, AcquireRequest { lock: self.lock.into(), ttl_seconds, timeout: self.timeout })
    }
}
