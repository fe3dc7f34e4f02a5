//! `ic run list`

use std::io::{self, Write};

use crate::app::run::status::{self, RunFilter, RunList};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::text::one_line;

/// List runs, newest first
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run list --active --json")]
pub(in crate::cli) struct List {
    /// Only active runs
    #[arg(long)]
    active: bool,
    /// Only runs of this scope
    #[arg(long)]
    scope: Option<String>,
    /// Only portfolios
    #[arg(long)]
    portfolio: bool,
}

impl Command for List {
    type Answer = RunList;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<RunList>, Error> {
        let Self { active, scope, portfolio } = self;
        status::list(cx, &RunFilter { active, scope, portfolio })
    }
}

impl Text for RunList {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        for run in &self.0 {
            writeln!(w, "{}\t{}\t{}\t{}", run.id, run.status, run.phase, one_line(&run.goal))?;
        }
        Ok(())
    }
}
