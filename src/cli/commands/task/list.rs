//! `ic task list`

use std::io::{self, Write};

use super::{directory, status};
use crate::app::task::query::{self, Tasks};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::task::status::Status;

/// List the tasks of both files, by number
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic task list --status=planned")]
pub(in crate::cli) struct List {
    /// The directory of TODO.md and state.json [default: specs, .claude/specs or .opencode/specs]
    #[arg(long, value_parser = directory)]
    dir: Option<String>,
    /// List only the tasks of this status
    #[arg(long, value_parser = status)]
    status: Option<Status>,
}

impl Command for List {
    type Answer = Tasks;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Tasks>, Error> {
        query::list(cx, self.dir.as_deref(), self.status)
    }
}

impl Text for Tasks {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        self.tasks.iter().try_for_each(|task| task.text(w))
    }
}
