//! `ic coordination list`

use std::io::{self, Write};

use crate::app::coordination::query::{self, ListRequest, Locks};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::coordination::{LockKind, word};
use crate::domain::text::one_line;

/// List locks, newest first, and the processes that wait for one
///
/// Places in the queue follow the locks, first come first; --active leaves them out. Their state is `waiting`, or `left` while
/// a place is kept for an owner of which no process waits now; `release --owner` and `sweep` remove such places. A lock that
/// another program has written and that cannot be understood holds all that it may mean; its line names what is unreadable, and
/// `release ID` ends it. A byte that is not UTF-8 is shown as `\xNN`, also in an ID.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic coordination list --active --scope=.")]
pub(in crate::cli) struct List {
    /// Only locks of this scope
    #[arg(long, value_parser = word)]
    scope: Option<String>,
    /// Only locks of this owner
    #[arg(long, value_parser = word)]
    owner: Option<String>,
    /// Only locks of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<LockKind>,
    /// Only locks that hold now
    #[arg(long)]
    active: bool,
}

impl Command for List {
    type Answer = Locks;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Locks>, Error> {
        let Self { scope, owner, kind, active } = self;
        query::list(cx, ListRequest { scope, owner, kind, active })
    }
}

impl Text for Locks {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        for lock in &self.locks {
            // After the clock was set back, nothing is older than it is.
            let age = self.now.saturating_sub(lock.created_at).max(0);
            let (id, kind) = (one_line(&lock.id), one_line(&lock.kind));
            let (owner, pattern) = (one_line(&lock.owner), one_line(&lock.pattern));
            write!(w, "{id}\t{kind}\t{owner}\t{pattern}\t{}\t{age}s", lock.state)?;
            if lock.unreadable.is_empty() {
                writeln!(w)?;
            } else {
                writeln!(w, "\tunreadable: {}", lock.unreadable.join(", "))?;
            }
        }
        Ok(())
    }
}
