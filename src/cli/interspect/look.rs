//! `ic interspect triage`, `eligible`, `list`, `status`

use crate::domain::order;
use std::io::{self, Write};
use std::time::UNIX_EPOCH;

use serde::Serialize;
use serde_json::Value;

use super::site::{Site, refused};
use super::{Where, lists, quarantine};
use crate::app::Error;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::routing::evidence::{self, Case, Pattern};
use crate::domain::routing::file::{Entry, Overrides};
use crate::domain::routing::{Action, AgentName, Scope};
use crate::domain::text::{Required, one_line};
use crate::domain::time::secs_up;
use crate::ops::OpsError;
use crate::ops::routing::canary::{self, Limits, Watched};
use crate::ops::routing::{self, INTENT, Refusal};
use crate::store;
use crate::store::intent;

/// Which agents are left out for this work, and why
///
/// What an orchestrator of reviewers asks. An override with a scope counts if domain and files are its own; one that has
/// expired, or that cannot be read, does not count. Reads the file only, and never refuses: a file that cannot be read leaves
/// nobody out.
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
    place: Where,
}

/// What becomes of an agent.
#[derive(Serialize)]
struct Decided {
    agent: String,
    excluded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    /// Whether somebody proposes to leave it out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    proposed: bool,
    /// Whether the roster does not have it any more (IS-16).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    orphaned: bool,
}

#[derive(Serialize)]
struct Decisions {
    agents: Vec<Decided>,
}

impl View for Decisions {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        for Decided { agent, excluded, reason, proposed, orphaned, .. } in &self.agents {
            let what = match (excluded, proposed) {
                (true, _) => "exclude",
                (false, true) => "propose",
                _ => "use",
            };
            let orphaned = if *orphaned { "orphaned" } else { "" };
            let reason = reason.as_deref().unwrap_or("");
            writeln!(w, "{}\t{what}\t{}\t{orphaned}", one_line(agent), one_line(reason))?;
        }
        Ok(())
    }
}

impl Verb for Triage {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let site = Site::find(&self.place, cx)?;
        let overrides = site.overrides().or_else(|err| {
            cx.out.warn(err);
            Overrides::parse("").map_err(Error::Input)
        })?;
        let domain = self.domain.as_ref().map(Required::as_str);
        let (entries, malformed) = overrides.entries();
        let odd = malformed + entries.iter().filter(|entry| entry.scope.is_none()).count();
        if odd > 0 {
            cx.out.warn(format_args!("{}: {odd} entries make no sense and do not count", site.path));
        }
        let now = cx.stamp.secs();
        let counts = |entry: &&Entry| {
            let covered = entry.scope.as_ref().is_some_and(|scope| scope.covers(domain, &self.file));
            covered && !has_expired(entry, now)
        };
        let members = site.roster.members();
        let mut names: Vec<String> = members.iter().map(ToString::to_string).collect();
        let counting: Vec<&Entry> = entries.iter().filter(counts).collect();
        let strangers = counting.iter().map(|entry| entry.agent.clone());
        names.extend(strangers.filter(|name| !members.iter().any(|known| known.as_str() == name)));
        order::natural(&mut names);
        names.dedup();
        let decide = |agent: String| {
            let of = |action| counting.iter().find(|entry| entry.agent == agent && entry.action == action);
            let (exclude, propose) = (of(Action::Exclude), of(Action::Propose));
            let entry = exclude.or(propose);
            Decided {
                excluded: exclude.is_some(),
                reason: entry.and_then(|entry| entry.reason.clone()),
                scope: entry.and_then(|entry| entry.scope.clone()).filter(|scope| !scope.is_empty()),
                proposed: propose.is_some() && exclude.is_none(),
                orphaned: !members.iter().any(|known| known.as_str() == agent),
                agent,
            }
        };
        let agents: Vec<_> = names.into_iter().map(decide).collect();
        for Decided { agent, .. } in agents.iter().filter(|one| one.excluded) {
            if agent.parse::<AgentName>().is_ok_and(|agent| agent.is_cross_cutting()) {
                cx.out.warn(format_args!("{agent} looks at all work, and is left out"));
            }
        }
        cx.out.show(&Decisions { agents })?;
        Ok(Answer::Yes)
    }
}

fn has_expired(entry: &Entry, now: i64) -> bool {
    let until = entry.expires_at.as_deref().and_then(|text| humantime::parse_rfc3339_weak(text).ok());
    let until = until.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    until.is_some_and(|until| i64::try_from(until.as_millis()).is_ok_and(|until| secs_up(until) <= now))
}

/// Which agents the evidence speaks against
///
/// A line for each that could be left out: agent, overrides, sessions, projects, and how many percent of the overrides say
/// that it was wrong. Those that are overridden or blacklisted already are not named. With an agent, says what is missing for
/// that one, if anything (exit code 1).
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic interspect eligible\n         ic interspect eligible --patterns --json")]
pub(in crate::cli) struct Eligible {
    /// Only this agent
    #[arg(value_name = "AGENT")]
    agent: Option<AgentName>,
    /// Show the patterns behind it instead: agent, what was noticed, why, counts, and how far it has come
    #[arg(long, conflicts_with = "agent")]
    patterns: bool,
    #[command(flatten)]
    place: Where,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Cases(Vec<Case>);

impl View for Cases {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        for Case { agent, events, sessions, projects, pct, .. } in &self.0 {
            writeln!(w, "{agent}|{events}|{sessions}|{projects}|{pct}")?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Patterns(Vec<Pattern>);

impl View for Patterns {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        for Pattern { source, event, reason, events, sessions, projects, class } in &self.0 {
            let [source, event, reason] =
                [source, event, reason].map(|text| one_line(text).replace('|', "/"));
            writeln!(w, "{source}|{event}|{reason}|{events}|{sessions}|{projects}|{class}")?;
        }
        Ok(())
    }
}

impl Verb for Eligible {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let site = Site::find(&self.place, cx)?;
        let overrides = site.overrides()?;
        let now = cx.stamp.secs();
        let (rows, blacklist) = cx.read(|tx| {
            let rows = routing::counting(tx, quarantine(), now)?;
            Ok::<_, OpsError>((rows, store::routing::blacklist(tx)?))
        })?;
        let thresholds = &site.thresholds;
        if self.patterns {
            cx.out.show(&Patterns(evidence::patterns(&rows, thresholds)))?;
            return Ok(Answer::Yes);
        }
        let blocked =
            |agent: &AgentName| blacklist.iter().find(|one| one.pattern_key == agent.as_str()).cloned();
        let Some(agent) = self.agent else {
            let free = |agent: &AgentName| blocked(agent).is_none() && overrides.of(agent).is_none();
            let cases = evidence::accused(&rows).into_iter().filter(free);
            let cases = cases.map(|agent| evidence::case(&rows, &agent));
            cx.out.show(&Cases(cases.filter(|case| case.lacks(thresholds).is_none()).collect()))?;
            return Ok(Answer::Yes);
        };
        let case = evidence::case(&rows, &agent);
        if let Some(known) = blocked(&agent) {
            return Err(refused(Refusal::Blacklisted { agent, reason: known.reason }));
        }
        if let Some(lacks) = case.lacks(thresholds) {
            return Err(refused(Refusal::BelowThreshold { agent, lacks }));
        }
        cx.out.show(&Cases(vec![case]))?;
        Ok(Answer::Yes)
    }
}

/// List the overrides that the file has
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic interspect list")]
pub(in crate::cli) struct List {
    #[command(flatten)]
    place: Where,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Entries {
    json: Vec<Value>,
    #[serde(skip)]
    entries: Vec<Entry>,
}

impl View for Entries {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        for Entry { agent, action, reason, .. } in &self.entries {
            writeln!(w, "{}\t{action}\t{}", one_line(agent), one_line(reason.as_deref().unwrap_or("")))?;
        }
        Ok(())
    }
}

impl Verb for List {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let site = Site::find(&self.place, cx)?;
        let (entries, malformed) = site.overrides()?.entries();
        if malformed > 0 {
            cx.out.warn(format_args!("{}: {malformed} entries make no sense", site.path));
        }
        let json = entries.iter().map(|entry| entry.json.to_value()).collect();
        cx.out.show(&Entries { json, entries })?;
        Ok(Answer::Yes)
    }
}

/// Overrides with their records, canaries and limits
///
/// What the file has, what is on record of it, how it turns out, and whether a change is unfinished.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic interspect status")]
pub(in crate::cli) struct Status {
    #[command(flatten)]
    place: Where,
}

#[derive(Serialize)]
struct Shown {
    path: String,
    overrides: Vec<Standing>,
    canaries: Vec<Watched>,
    limits: Limits,
    blacklisted: usize,
    /// Changes that are under way, or whose process is gone: the next change finishes those.
    unfinished: usize,
    /// Entries that make no sense.
    malformed: usize,
}

/// An override as it stands.
#[derive(Serialize)]
struct Standing {
    agent: String,
    action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    /// The commit that brought it, where it is on record.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modification: Option<String>,
    /// Whether the roster does not have it any more (IS-16).
    orphaned: bool,
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        for Standing { agent, action, reason, commit, orphaned, .. } in &self.overrides {
            let orphaned = if *orphaned { "orphaned" } else { "" };
            let (commit, reason) = (commit.as_deref().unwrap_or("-"), reason.as_deref().unwrap_or(""));
            let agent = one_line(agent);
            writeln!(w, "{agent}\t{action}\t{commit}\t{}\t{orphaned}", one_line(reason))?;
        }
        for one in &self.canaries {
            write!(w, "canary\t")?;
            lists::line(one, w)?;
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

impl Verb for Status {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let site = Site::find(&self.place, cx)?;
        let (entries, malformed) = site.overrides()?.entries();
        let resource = routing::resource(&site.top, &site.path);
        let now = cx.stamp.secs();
        let (all, rows, blacklist, unfinished) = cx.read(|tx| {
            Ok::<_, OpsError>((
                store::routing::of_file(tx, &site.top, &site.path, None)?,
                store::routing::evidence(tx, 0)?,
                store::routing::blacklist(tx)?,
                intent::on(tx, INTENT, &resource)?,
            ))
        })?;
        let standing = |entry: &Entry| {
            let of =
                |agent: &str| all.iter().rev().find(|one| one.agent.as_str() == agent && one.is_applied());
            let record = of(&entry.agent).filter(|_| entry.action == Action::Exclude);
            Standing {
                agent: entry.agent.clone(),
                action: entry.action,
                reason: entry.reason.clone(),
                created_by: entry.created_by.clone(),
                commit: record.map(|one| one.commit.clone()),
                modification: record.map(|one| one.id.to_string()),
                orphaned: !site.roster.has(&entry.agent),
            }
        };
        cx.out.show(&Shown {
            overrides: entries.iter().map(standing).collect(),
            canaries: all.iter().map(|one| canary::watch(one, &rows, &site.thresholds, now)).collect(),
            limits: canary::limits(&all, &site.thresholds, now),
            blacklisted: blacklist.len(),
            unfinished: unfinished.len(),
            malformed,
            path: site.path,
        })?;
        Ok(Answer::Yes)
    }
}
