//! `ic coordination check`

use std::io::{self, Write};

use crate::app::coordination::query::{self, Blockers, CheckRequest};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::coordination::{LockKind, word};
use crate::domain::text::one_line;

/// Check whether a reservation would conflict with others
///
/// Prints the locks that a reservation of the same kind would conflict with, and exits with 1 if there are any. Nothing is
/// reserved: another process may reserve the files between this call and the next, so do not use it in place of `reserve`.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic coordination check --scope=. --pattern=src/main.rs --exclude-owner=me")]
pub(in crate::cli) struct Check {
    /// The scope: a directory stands for its repository, any other name for itself
    #[arg(long, value_parser = word)]
    scope: String,
    /// The files or the name
    #[arg(long)]
    pattern: String,
    /// Kind of lock: `file_reservation`, `write_set` or `named_lock`
    #[arg(long = "type", value_name = "TYPE", default_value_t = LockKind::FileReservation)]
    kind: LockKind,
    /// Leave out the locks of this owner
    #[arg(long, value_name = "OWNER", value_parser = word)]
    exclude_owner: Option<String>,
    /// Check for a reservation that others may share
    #[arg(long)]
    shared: bool,
}

impl Command for Check {
    type Answer = Blockers;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Blockers>, Error> {
        let Self { scope, pattern, kind, exclude_owner, shared } = self;
        query::check(cx, &CheckRequest { scope, pattern, kind, exclude_owner, shared })
    }
}

impl Text for Blockers {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        for lock in &self.0 {
            let reason = lock.reason.as_deref().unwrap_or("");
            writeln!(w, "{}\t{}\t{}", one_line(&lock.owner), one_line(&lock.pattern), one_line(reason))?;
        }
        Ok(())
    }
}
