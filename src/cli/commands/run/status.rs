//! `ic run status`

use std::io::{self, Write};

use crate::app::run::status::{self, RunDetails};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args::RunRef;
use crate::cli::command::{Access, Command, Text};
use crate::domain::text::one_line;

/// Show a run
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run status --json")]
pub(in crate::cli) struct Status {
    #[command(flatten)]
    run: RunRef,
}

impl Command for Status {
    type Answer = RunDetails;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<RunDetails>, Error> {
        status::status(cx, self.run.into())
    }
}

impl Text for RunDetails {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        let mut line = |label: &str, value: &str| writeln!(w, "{label:<12}{}", one_line(value));
        line("ID:", self.id.as_str())?;
        line("Status:", self.status.as_str())?;
        line("Phase:", self.phase.as_str())?;
        line("Goal:", &self.goal)?;
        line("Project:", &self.project_dir)?;
        line("Complexity:", &self.complexity.to_string())?;
        if self.force_full {
            line("ForceFull:", "true")?;
        }
        if !self.auto_advance {
            line("AutoAdv:", "false")?;
        }
        if let Some(scope) = &self.scope_id {
            line("Scope:", scope)?;
        }
        if let (Some(tokens), Some(warn_pct)) = (self.token_budget, self.budget_warn_pct) {
            line("Budget:", &format!("{tokens} tokens (warn at {warn_pct}%)"))?;
        }
        if let Some(parent) = &self.parent_run_id {
            line("Parent:", parent.as_str())?;
        }
        if let Some(max) = self.max_dispatches {
            line("MaxDisp:", &max.to_string())?;
        }
        if !self.children.is_empty() {
            writeln!(w, "\nChildren: ({})", self.children.len())?;
        }
        for child in &self.children {
            let (project, goal) = (one_line(&child.project_dir), one_line(&child.goal));
            writeln!(w, "  {}\t{}\t{}\t{project}\t{goal}", child.id, child.status, child.phase)?;
        }
        Ok(())
    }
}
