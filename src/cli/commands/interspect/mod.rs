//! `ic interspect`: evidence about agents, and overrides that exclude them.

pub(in crate::cli) mod apply;
pub(in crate::cli) mod approve;
pub(in crate::cli) mod blacklist;
pub(in crate::cli) mod canary;
pub(in crate::cli) mod eligible;
pub(in crate::cli) mod import;
pub(in crate::cli) mod list;
pub(in crate::cli) mod propose;
pub(in crate::cli) mod query;
pub(in crate::cli) mod record;
pub(in crate::cli) mod revert;
pub(in crate::cli) mod status;
pub(in crate::cli) mod triage;
pub(in crate::cli) mod unblock;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use crate::app::interspect::blacklist::BlacklistChange;
use crate::app::interspect::change::{ChangeAnswer, ChangeOptions, Grounds};
use crate::app::interspect::repo::RepoOptions;
use crate::cli::args;
use crate::cli::command::Text;
use crate::cli::tree::{Node, command, group, stream};
use crate::domain::interspect::canary::thousandths;
use crate::domain::interspect::watch::CanaryState;
use crate::domain::interspect::{AgentName, OverrideAction, Scope, file_pattern, override_path};
use crate::domain::stored::Stored;
use crate::domain::text::{Required, one_line};

/// The verbs of `ic interspect`.
pub(in crate::cli) const NODES: &[Node] = &[
    command::<record::Record>("record"),
    stream::<query::Query>("query"),
    command::<import::Import>("import"),
    command::<eligible::Eligible>("eligible"),
    command::<triage::Triage>("triage"),
    command::<list::List>("list"),
    command::<status::Status>("status"),
    command::<propose::Propose>("propose"),
    command::<approve::Approve>("approve"),
    command::<apply::Apply>("apply"),
    command::<revert::Revert>("revert"),
    command::<blacklist::Blacklist>("blacklist"),
    command::<unblock::Unblock>("unblock"),
    group("canary", "Canaries: the outcome of overrides", canary::NODES),
];

/// Where the overrides and the agents are.
#[derive(Clone, Debug, clap::Args)]
struct RepoArgs {
    /// The file, relative to the repository [default: `FLUX_ROUTING_OVERRIDES_PATH`, else
    /// .claude/routing-overrides.json]
    #[arg(long, value_name = "FILE", value_parser = override_path)]
    path: Option<String>,
    #[command(flatten)]
    roster: RosterArgs,
}

/// Where the agents are.
#[derive(Clone, Debug, clap::Args)]
struct RosterArgs {
    /// A directory in which agents are defined; may be repeated [default: `INTERSPECT_ROSTER`, else those of
    /// the project and of installed plugins]
    #[arg(long, value_name = "DIR")]
    roster: Vec<String>,
}

/// How a change is made. The path of the file is stored with the change.
#[derive(Clone, Debug, clap::Args)]
struct ChangeArgs {
    /// The file, relative to the repository [default: `FLUX_ROUTING_OVERRIDES_PATH`, else
    /// .claude/routing-overrides.json]
    #[arg(long, value_name = "FILE", value_parser = args::stored(override_path))]
    path: Option<Stored>,
    #[command(flatten)]
    roster: RosterArgs,
    /// The author of the change [default: `INTERMUTE_AGENT_ID`, else the agent's session, else human]
    #[arg(long, value_name = "NAME")]
    by: Option<Stored>,
    /// Time to wait for other processes that change overrides
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = wait)]
    wait: Duration,
    /// Run the repository's hooks (pre-commit, commit-msg), which may refuse the change
    #[arg(long, conflicts_with = "no_verify")]
    verify: bool,
    /// Do not run the hooks; this is the default
    #[arg(long)]
    no_verify: bool,
    /// Go on if the roster does not have the agent
    #[arg(long)]
    allow_unknown: bool,
}

/// The grounds for an exclusion.
#[derive(Clone, Debug, clap::Args)]
struct GroundsArgs {
    /// The reason, free text
    #[arg(long, value_name = "TEXT")]
    reason: Stored<Required>,
    /// The numbers of the events that support the exclusion, separated by commas
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    evidence: Vec<i64>,
    /// Only for this kind of project; may be repeated
    #[arg(long, value_name = "DOMAIN")]
    domain: Vec<Stored<Required>>,
    /// Only for work on files that this pattern covers; may be repeated
    #[arg(long, value_name = "GLOB", value_parser = args::stored(pattern))]
    file_pattern: Vec<Stored>,
    /// Exclude the agent even if the evidence does not suffice
    #[arg(long)]
    force: bool,
}

/// The agent that a command is about.
#[derive(Clone, Debug, clap::Args)]
struct AgentArg {
    /// The agent, such as fd-performance
    #[arg(value_name = "AGENT")]
    agent: AgentName,
}

fn wait(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "want a duration such as 500ms, 30s or 0".to_owned())
}

fn pattern(text: &str) -> Result<String, String> {
    file_pattern(text).map(|_| text.to_owned())
}

impl RosterArgs {
    fn into_dirs(self) -> Vec<PathBuf> {
        self.roster.into_iter().map(PathBuf::from).collect()
    }
}

impl RepoArgs {
    fn into_options(self) -> RepoOptions {
        RepoOptions { path: self.path, roster: self.roster.into_dirs() }
    }
}

impl ChangeArgs {
    fn into_options(self) -> ChangeOptions {
        ChangeOptions {
            repo: RepoOptions { path: self.path.map(Stored::into_inner), roster: self.roster.into_dirs() },
            by: args::given_stored(self.by),
            wait: self.wait,
            hooks: self.verify,
            allow_unknown: self.allow_unknown,
        }
    }
}

impl GroundsArgs {
    fn into_grounds(self) -> Grounds {
        let domains = self.domain.iter().map(ToString::to_string).collect();
        let file_patterns = self.file_pattern.into_iter().map(Stored::into_inner).collect();
        Grounds {
            reason: self.reason.to_string(),
            evidence: self.evidence,
            scope: Scope { domains, file_patterns },
            force: self.force,
        }
    }
}

impl Text for ChangeAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        let Self { agent, commit, .. } = self;
        if let Some(info) = &self.info {
            return writeln!(w, "INFO: {}", one_line(info));
        }
        let commit = commit.as_deref().unwrap_or_default();
        match self.action {
            OverrideAction::Propose => {
                writeln!(w, "SUCCESS: Proposed excluding {agent}. Commit: {commit}")
            }
            OverrideAction::Approve => {
                writeln!(w, "SUCCESS: Approved exclusion for {agent}. Commit: {commit}")
            }
            OverrideAction::Apply => writeln!(w, "SUCCESS: Excluded {agent}. Commit: {commit}"),
            OverrideAction::Amend => {
                writeln!(w, "SUCCESS: Updated override for {agent}. Commit: {commit}")
            }
            OverrideAction::Revert => writeln!(w, "SUCCESS: Reverted routing override for {agent}."),
        }
    }
}

impl Text for BlacklistChange {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        let pattern = one_line(&self.pattern_key);
        match (self.blacklisted, self.changed) {
            (true, true) => writeln!(w, "SUCCESS: Blacklisted {pattern}."),
            (true, false) => writeln!(w, "INFO: {pattern} is blacklisted for this reason already"),
            (false, _) => writeln!(w, "SUCCESS: Unblocked {pattern}."),
        }
    }
}

/// Writes a canary on a line.
fn canary_line(canary: &CanaryState, w: &mut dyn Write) -> io::Result<()> {
    let CanaryState { agent, status, uses, window_uses, rates, .. } = canary;
    let [overrides, wrong, density] =
        [rates.override_rate, rates.fp_rate, rates.finding_density].map(thousandths);
    let why = one_line(canary.verdict.as_deref().unwrap_or(""));
    writeln!(w, "{agent}\t{status}\t{uses}/{window_uses}\t{overrides}\t{wrong}\t{density}\t{why}")
}
