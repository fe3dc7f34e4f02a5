//! `ic task show`

use std::io::{self, Write};

use super::TaskArgs;
use crate::app::task::query::{self, TaskDetails};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::text::one_line;

/// Show a task as both files have it
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic task show 320 --json")]
pub(in crate::cli) struct Show {
    #[command(flatten)]
    task: TaskArgs,
}

impl Command for Show {
    type Answer = TaskDetails;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<TaskDetails>, Error> {
        query::show(cx, self.task.dir.as_deref(), self.task.task)
    }
}

impl Text for TaskDetails {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        self.task.text(w)?;
        self.task.paths.iter().try_for_each(|path| writeln!(w, "  {}", one_line(path)))
    }
}
