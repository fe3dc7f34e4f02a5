//! `ic dispatch wait`

use std::io::{self, Write};
use std::time::Duration;

use crate::app::dispatch::wait::{self, WaitAnswer, WaitRequest};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::ids::DispatchId;

/// Wait for dispatches to end
///
/// For all of them, or with --any for the first one. Exit code 0 if they were completed or cancelled, 1 if
/// one failed or timed out. With --timeout, dispatches that are not over by then are ended, with status
/// timeout.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic dispatch wait w8d2f5gh --timeout=10m\n         ic dispatch wait $a $b --any"
)]
pub(in crate::cli) struct Wait {
    /// The dispatches
    #[arg(required = true)]
    ids: Vec<DispatchId>,
    /// Until the first one ends
    #[arg(long, conflicts_with = "all")]
    any: bool,
    /// Until all have ended, which is the default
    #[arg(long)]
    all: bool,
    /// The longest time to wait; then the dispatches are ended
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// Accepted for older callers: an end is seen within 50 ms anyway
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, hide = true)]
    poll: Option<Duration>,
}

impl Command for Wait {
    type Answer = WaitAnswer;
    const ACCESS: Access = Access::Process;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<WaitAnswer>, Error> {
        let Self { ids, any, timeout, .. } = self;
        wait::wait(cx, &WaitRequest { ids, any, timeout })
    }
}

impl Text for WaitAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::One(dispatch) => dispatch.text(w),
            Self::Several(dispatches) => dispatches.text(w),
        }
    }
}
