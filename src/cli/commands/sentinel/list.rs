//! `ic sentinel list`

use std::io::{self, Write};

use crate::app::sentinel::{self, Sentinels};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::text::one_line;

/// List sentinels by name and scope
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic sentinel list")]
pub(in crate::cli) struct List {}

impl Command for List {
    type Answer = Sentinels;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Sentinels>, Error> {
        sentinel::list(cx)
    }
}

impl Text for Sentinels {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        self.0.iter().try_for_each(|sentinel| {
            let (name, scope) = (one_line(&sentinel.name), one_line(&sentinel.scope_id));
            writeln!(w, "{name}\t{scope}\t{}", sentinel.last_fired)
        })
    }
}
