//! `ic events cursor list`

use std::io::{self, Write};

use serde_json::json;

use crate::app::events::cursor::{self, Cursors};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::text::one_line;

/// List the cursors of all consumers
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events cursor list --json")]
pub(in crate::cli) struct List {}

impl Command for List {
    type Answer = Cursors;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Cursors>, Error> {
        cursor::list(cx)
    }
}

impl Text for Cursors {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        for cursor in &self.0 {
            // Older callers keep a number for each source: it is the same number for all of them now.
            let at = cursor.position;
            let payload = json!({ "position": at, "phase": at, "dispatch": at, "interspect": at, "discovery": at,
                "review": at, "coordination": at });
            writeln!(w, "{}\t{payload}", one_line(&cursor.scope))?;
        }
        Ok(())
    }
}
