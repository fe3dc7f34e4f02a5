//! `ic interspect list`

use std::io::{self, Write};

use super::RepoArgs;
use crate::app::interspect::status::{self, OverrideEntries};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::interspect::file::Entry;
use crate::domain::text::one_line;

/// List the overrides in the file
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic interspect list")]
pub(in crate::cli) struct List {
    #[command(flatten)]
    repo: RepoArgs,
}

impl Command for List {
    type Answer = OverrideEntries;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<OverrideEntries>, Error> {
        status::list(cx, &self.repo.into_options())
    }
}

impl Text for OverrideEntries {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        for Entry { agent, action, reason, .. } in &self.entries {
            let reason = one_line(reason.as_deref().unwrap_or(""));
            writeln!(w, "{}\t{action}\t{reason}", one_line(agent))?;
        }
        Ok(())
    }
}
