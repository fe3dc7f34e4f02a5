//! `ic interspect status`

use std::io::{self, Write};

use super::{RepoArgs, canary_line};
use crate::app::interspect::status::{self, OverrideStatus, StatusAnswer};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::interspect::limits::Limits;
use crate::domain::text::one_line;

/// Show overrides with their records, canaries and limits
///
/// Shows the overrides in the file, their records, the outcome so far, and whether a change is unfinished.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic interspect status")]
pub(in crate::cli) struct Status {
    #[command(flatten)]
    repo: RepoArgs,
}

impl Command for Status {
    type Answer = StatusAnswer;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<StatusAnswer>, Error> {
        status::status(cx, &self.repo.into_options())
    }
}

impl Text for StatusAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        for OverrideStatus { agent, action, reason, commit, orphaned, .. } in &self.overrides {
            let orphaned = if *orphaned { "orphaned" } else { "" };
            let (agent, reason) = (one_line(agent), one_line(reason.as_deref().unwrap_or("")));
            let commit = commit.as_deref().unwrap_or("-");
            writeln!(w, "{agent}\t{action}\t{commit}\t{reason}\t{orphaned}")?;
        }
        for canary in &self.canaries {
            write!(w, "canary\t")?;
            canary_line(canary, w)?;
        }
        let Limits { tripped, applied, applied_max, .. } = &self.limits;
        if !tripped.is_empty() {
            writeln!(w, "circuit breaker\t{}", tripped.join(" "))?;
        }
        writeln!(w, "applied lately\t{applied}/{applied_max}")?;
        if self.unfinished > 0 {
            writeln!(w, "unfinished\t{}", self.unfinished)?;
        }
        Ok(())
    }
}
