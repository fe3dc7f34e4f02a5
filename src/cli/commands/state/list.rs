//! `ic state list`

use std::io::{self, Write};

use crate::app::state::{self, Scopes};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::state::Key;
use crate::domain::text::one_line;

/// List the scopes that have a value of a key
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic state list sprint.checkpoint")]
pub(in crate::cli) struct List {
    /// The key
    key: Key,
}

impl Command for List {
    type Answer = Scopes;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Scopes>, Error> {
        state::list(cx, &self.key)
    }
}

impl Text for Scopes {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        self.0.iter().try_for_each(|scope| writeln!(w, "{}", one_line(scope)))
    }
}
