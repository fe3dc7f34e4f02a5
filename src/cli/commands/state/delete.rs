//! `ic state delete`

use std::io::{self, Write};

use super::ValueArgs;
use crate::app::state::{self, StateDeleted};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::state::Scope;

/// Delete a value
///
/// With --all the values of the key in every scope are deleted in one step, and the output has a line for
/// each.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic state delete sprint.checkpoint s42")]
pub(in crate::cli) struct Delete {
    #[command(flatten)]
    value: ValueArgs,
    /// Delete the values in every scope
    #[arg(long)]
    all: bool,
}

impl Command for Delete {
    type Answer = StateDeleted;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<StateDeleted>, Error> {
        let ValueArgs { key, scope } = self.value;
        if self.all && scope.is_some() {
            return Err(Error::usage("state delete: want a scope or --all, not both"));
        }
        let scope = if self.all { None } else { Some(scope.unwrap_or_else(Scope::global)) };
        state::delete(cx, &key, scope.as_ref())
    }
}

impl Text for StateDeleted {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        match *self {
            Self::Scope { deleted } => writeln!(w, "{}", if deleted { "deleted" } else { "not found" }),
            Self::All { deleted } => (0..deleted).try_for_each(|_| writeln!(w, "deleted")),
        }
    }
}
