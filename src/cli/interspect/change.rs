//! `ic interspect propose`, `approve`, `apply`, `revert`

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::flow::{Done, How, perform};
use super::site::Site;
use super::{Named, Where};
use crate::app::Error;
use crate::app::caller;
use crate::cli::output::View;
use crate::cli::verb::Verb as Command;
use crate::cli::{Answer, Cx, args};
use crate::domain::routing::{AgentName, Scope, file_pattern};
use crate::domain::text::{Required, one_line};
use crate::ops::routing::{Change, Decided, Verb};

/// What revert says where nobody says why: the readers of the history know it.
const REVERTED: &str = "User requested revert via /interspect:interspect-revert";

/// How a change is made.
#[derive(Clone, Debug, clap::Args)]
struct Manner {
    #[command(flatten)]
    place: Where,
    /// Who makes the change [default: `INTERMUTE_AGENT_ID`, else the agent's session, else human]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// How long to wait for whoever else changes overrides
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = wait)]
    wait: Duration,
    /// Ask the repository's hooks (pre-commit, commit-msg): they may refuse
    #[arg(long, conflicts_with = "no_verify")]
    verify: bool,
    /// Do not ask them, which is the default
    #[arg(long)]
    no_verify: bool,
    /// Go on if the roster does not have the agent
    #[arg(long)]
    allow_unknown: bool,
}

fn wait(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "want a duration such as 500ms, 30s or 0".to_owned())
}

/// What speaks for a change.
#[derive(Clone, Debug, clap::Args)]
struct Case {
    /// Why, free text
    #[arg(long, value_name = "TEXT")]
    reason: Required,
    /// The numbers of the events that speak for it, with commas between
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    evidence: Vec<i64>,
    /// Only for this kind of project; may be repeated
    #[arg(long, value_name = "DOMAIN")]
    domain: Vec<Required>,
    /// Only for work on files that this pattern covers; may be repeated
    #[arg(long, value_name = "GLOB", value_parser = pattern)]
    file_pattern: Vec<String>,
    /// Also where the evidence that there is does not suffice
    #[arg(long)]
    force: bool,
}

fn pattern(text: &str) -> Result<String, String> {
    file_pattern(text).map(|_| text.to_owned())
}

/// The result of a change.
#[derive(Serialize)]
struct Shown {
    agent: AgentName,
    /// What was done.
    action: Verb,
    changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modification: Option<String>,
    /// Why nothing was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<String>,
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        let Self { agent, commit, .. } = self;
        if let Some(info) = &self.info {
            return writeln!(w, "INFO: {}", one_line(info));
        }
        let commit = commit.as_deref().unwrap_or_default();
        match self.action {
            Verb::Propose => writeln!(w, "SUCCESS: Proposed excluding {agent}. Commit: {commit}"),
            Verb::Approve => writeln!(w, "SUCCESS: Approved exclusion for {agent}. Commit: {commit}"),
            Verb::Apply => writeln!(w, "SUCCESS: Excluded {agent}. Commit: {commit}"),
            Verb::Amend => writeln!(w, "SUCCESS: Updated override for {agent}. Commit: {commit}"),
            Verb::Revert => writeln!(w, "SUCCESS: Reverted routing override for {agent}."),
        }
    }
}

impl Manner {
    /// Makes the change and shows it.
    fn make(self, change: Change, cx: &mut Cx) -> Result<Answer, Error> {
        let site = Site::find(&self.place, cx)?;
        let how = How { wait: self.wait, hooks: self.verify, allow_unknown: self.allow_unknown };
        let done = perform(cx, &site, &how, &change)?;
        let mut shown = Shown {
            agent: change.agent,
            action: change.verb,
            changed: false,
            commit: None,
            modification: None,
            info: None,
        };
        match done {
            Done::Nothing(why) => shown.info = Some(why),
            Done::Changed { verb, commit, modification } => {
                shown.action = verb;
                shown.changed = true;
                shown.commit = Some(commit);
                shown.modification = modification.map(|id| id.to_string());
            }
        }
        cx.out.show(&shown)?;
        Ok(Answer::Yes)
    }

    fn by(&self) -> String {
        let given = args::given(self.by.clone());
        given
            .or_else(|| caller::owner(&crate::app::Environment::Process, None))
            .unwrap_or_else(|| "human".to_owned())
    }

    fn change(&self, verb: Verb, agent: &Named, reason: &str) -> Change {
        Change {
            verb,
            agent: agent.agent.clone(),
            reason: reason.to_owned(),
            evidence: Vec::new(),
            scope: Scope::default(),
            by: self.by(),
            update: false,
            decided: Decided::ByPerson,
            blacklist: false,
        }
    }

    fn with_case(&self, verb: Verb, agent: &Named, case: Case) -> Change {
        let domains = case.domain.iter().map(ToString::to_string).collect();
        Change {
            evidence: case.evidence,
            scope: Scope { domains, file_patterns: case.file_pattern },
            decided: if case.force { Decided::Anyway } else { Decided::ByPerson },
            ..self.change(verb, agent, case.reason.as_str())
        }
    }
}

/// Propose to leave an agent out
///
/// Adds a proposal to the file and commits it. Whoever reads the file takes it as information only, until somebody approves
/// it. Where there is evidence that counts, it has to suffice; where there is none, whoever proposes it decides.
/// What is proposed already stays as it is (exit code 0); an agent that is left out already is refused (exit code 1).
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic interspect propose fd-game-design --reason='wrong 5 of 5' --evidence=12,15"
)]
pub(in crate::cli) struct Propose {
    #[command(flatten)]
    agent: Named,
    #[command(flatten)]
    case: Case,
    #[command(flatten)]
    manner: Manner,
}

impl Command for Propose {
    const KEPT: &'static [&'static str] = &["reason", "domain", "file_pattern", "by", "path"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let change = self.manner.with_case(Verb::Propose, &self.agent, self.case);
        self.manner.make(change, cx)
    }
}

/// Approve a proposal
///
/// From then on the agent is left out, and watched: a canary compares the sessions that follow with those before.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic interspect approve fd-game-design")]
pub(in crate::cli) struct Approve {
    #[command(flatten)]
    agent: Named,
    #[command(flatten)]
    manner: Manner,
}

impl Command for Approve {
    const KEPT: &'static [&'static str] = &["by", "path"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let change = self.manner.change(Verb::Approve, &self.agent, "approved");
        self.manner.make(change, cx)
    }
}

/// Leave an agent out
///
/// Without a proposal, or in the place of one. File, commit and record come together or not at all; nothing else that is
/// staged or changed is touched. An agent that is left out already is refused (exit code 1), unless --update changes what is
/// said of it.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic interspect apply fd-performance --reason=slow --domain=tui-app --file-pattern='src/**'"
)]
pub(in crate::cli) struct Apply {
    #[command(flatten)]
    agent: Named,
    #[command(flatten)]
    case: Case,
    /// Change reason, evidence and scope of an override that is there; nothing happens if they are the same
    #[arg(long)]
    update: bool,
    /// Nobody but an agent has decided this: only with autonomy, and within the project's limits
    #[arg(long, conflicts_with = "force")]
    auto: bool,
    #[command(flatten)]
    manner: Manner,
}

impl Command for Apply {
    const KEPT: &'static [&'static str] = &["reason", "domain", "file_pattern", "by", "path"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let mut change = self.manner.with_case(Verb::Apply, &self.agent, self.case);
        change.update = self.update;
        if self.auto {
            change.decided = Decided::ByAgent;
        }
        self.manner.make(change, cx)
    }
}

/// Take an override, or a proposal, back
///
/// Where there is none, nothing happens (exit code 0).
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic interspect revert fd-performance --reason='it was right after all' --blacklist"
)]
pub(in crate::cli) struct Revert {
    #[command(flatten)]
    agent: Named,
    /// Why, free text
    #[arg(long, value_name = "TEXT")]
    reason: Option<Required>,
    /// And do not let it be proposed again
    #[arg(long)]
    blacklist: bool,
    #[command(flatten)]
    manner: Manner,
}

impl Command for Revert {
    const KEPT: &'static [&'static str] = &["reason", "by", "path"];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let reason = self.reason.as_ref().map_or(REVERTED, Required::as_str);
        let change =
            Change { blacklist: self.blacklist, ..self.manner.change(Verb::Revert, &self.agent, reason) };
        self.manner.make(change, cx)
    }
}
