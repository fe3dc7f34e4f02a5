//! `ic coordination release`

use std::io::{self, Write};

use crate::app::coordination::release::{self, ReleaseRequest, Released};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::coordination::word;

/// Release a lock, or every lock that an owner holds in a scope
///
/// With --owner and --scope, the owner's places in the queue are removed too; a process that still waits there joins the queue
/// anew.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic coordination release --owner=me --scope=.")]
pub(in crate::cli) struct Release {
    /// The lock
    id: Option<String>,
    /// The owner whose locks are released; with an id, refuse if the lock is another owner's
    #[arg(long, value_parser = word)]
    owner: Option<String>,
    /// The scope
    #[arg(long, value_parser = word)]
    scope: Option<String>,
}

impl Command for Release {
    type Answer = Released;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Released>, Error> {
        let request = match (self.id, self.owner, self.scope) {
            (Some(id), owner, _) => ReleaseRequest::Lock { id, owner },
            (None, Some(owner), Some(scope)) => ReleaseRequest::Owner { owner, scope },
            _ => return Err(Error::usage("coordination release: provide <id> or --owner + --scope")),
        };
        release::release(cx, &request)
    }
}

impl Text for Released {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{} released", self.released)
    }
}
