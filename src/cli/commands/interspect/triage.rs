//! `ic interspect triage`

use std::io::{self, Write};

use super::RepoArgs;
use crate::app::interspect::triage::{self, TriageAnswer, TriageDecision, TriageRequest};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::text::{Required, one_line};

/// Decide which agents are excluded from a piece of work
///
/// For orchestrators of reviewers. An override with a scope counts if it covers the domain and one of the
/// files; an override that has expired or that cannot be read does not count. Only the file is read. If it
/// cannot be read, no agent is excluded and the exit code is 0.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic interspect triage --domain=tui-app --file=src/ui.rs --json")]
pub(in crate::cli) struct Triage {
    /// The kind of project
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<Required>,
    /// A file that is to be looked at, relative to the repository; may be repeated
    #[arg(long, value_name = "PATH", num_args = 1..)]
    file: Vec<String>,
    #[command(flatten)]
    repo: RepoArgs,
}

impl Command for Triage {
    type Answer = TriageAnswer;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<TriageAnswer>, Error> {
        let domain = self.domain.map(|domain| domain.to_string());
        let request = TriageRequest { domain, files: self.file, repo: self.repo.into_options() };
        triage::triage(cx, &request)
    }
}

impl Text for TriageAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        for TriageDecision { agent, excluded, reason, proposed, orphaned, .. } in &self.agents {
            let decision = match (excluded, proposed) {
                (true, _) => "exclude",
                (false, true) => "propose",
                (false, false) => "use",
            };
            let orphaned = if *orphaned { "orphaned" } else { "" };
            let reason = one_line(reason.as_deref().unwrap_or(""));
            writeln!(w, "{}\t{decision}\t{reason}\t{orphaned}", one_line(agent))?;
        }
        Ok(())
    }
}
