//! `ic run current`

use std::io::{self, Write};

use crate::app::run::status::{self, CurrentRun};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};

/// Print the newest active run of a project
///
/// A project may have several active runs. If it has none, the exit code is 1.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: run=$(ic run current) || echo 'no active run here'")]
pub(in crate::cli) struct Current {
    /// The project's directory; symlinks are resolved [default: the working directory]
    #[arg(long, value_name = "DIR")]
    project: Option<String>,
}

impl Command for Current {
    type Answer = CurrentRun;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<CurrentRun>, Error> {
        status::current(cx, self.project.as_deref())
    }
}

impl Text for CurrentRun {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        self.run.as_ref().map_or(Ok(()), |run| writeln!(w, "{}", run.id))
    }
}
