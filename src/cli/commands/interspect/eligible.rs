//! `ic interspect eligible`

use std::io::{self, Write};

use super::RepoArgs;
use crate::app::interspect::eligible::{self, EligibleAnswer, EligibleRequest};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::interspect::AgentName;
use crate::domain::interspect::evidence::{Case, EvidencePattern};
use crate::domain::text::one_line;

/// List the agents that the evidence suffices to exclude
///
/// Prints a line for each agent: name, overrides, sessions, projects, and the percentage of overrides that
/// say that it was wrong. Agents that have an override or are on the blacklist are not listed. With an agent,
/// says what is missing for that agent, if anything (exit code 1).
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic interspect eligible\n         ic interspect eligible --patterns --json")]
pub(in crate::cli) struct Eligible {
    /// Only this agent
    #[arg(value_name = "AGENT")]
    agent: Option<AgentName>,
    /// List the patterns of the evidence instead: agent, kind, reason, counts, and maturity
    #[arg(long, conflicts_with = "agent")]
    patterns: bool,
    #[command(flatten)]
    repo: RepoArgs,
}

impl Command for Eligible {
    type Answer = EligibleAnswer;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<EligibleAnswer>, Error> {
        let request = match self.agent {
            Some(agent) => EligibleRequest::Agent(agent),
            None if self.patterns => EligibleRequest::Patterns,
            None => EligibleRequest::Cases,
        };
        eligible::eligible(cx, request, &self.repo.into_options())
    }
}

impl Text for EligibleAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Cases(cases) => cases.iter().try_for_each(|case| {
                let Case { agent, events, sessions, projects, pct, .. } = case;
                writeln!(w, "{agent}|{events}|{sessions}|{projects}|{pct}")
            }),
            Self::Patterns(patterns) => patterns.iter().try_for_each(|pattern| {
                let EvidencePattern { source, event, reason, events, sessions, projects, class } = pattern;
                let [source, event, reason] =
                    [source, event, reason].map(|text| one_line(text).replace('|', "/"));
                writeln!(w, "{source}|{event}|{reason}|{events}|{sessions}|{projects}|{class}")
            }),
        }
    }
}
