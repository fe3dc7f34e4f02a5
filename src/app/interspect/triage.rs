//! Triage: the agents that are excluded from a piece of work.

use std::time::UNIX_EPOCH;

use schemars::JsonSchema;
use serde::Serialize;

use super::repo::{OverrideRepo, RepoOptions};
use crate::app::{CommandContext, Error, Reply};
use crate::domain::interspect::file::{Entry, Overrides};
use crate::domain::interspect::{Action, AgentName, Scope};
use crate::domain::order;
use crate::domain::time::secs_up;

/// The work that agents are chosen for.
#[derive(Debug)]
pub(crate) struct TriageRequest {
    /// The kind of project.
    pub domain: Option<String>,
    /// The files to be looked at, relative to the repository.
    pub files: Vec<String>,
    pub repo: RepoOptions,
}

/// The decision on an agent.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TriageDecision {
    pub agent: String,
    pub excluded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Whether the exclusion is only proposed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub proposed: bool,
    /// Whether the roster no longer has the agent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub orphaned: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TriageAnswer {
    pub agents: Vec<TriageDecision>,
}

/// Returns a decision on every agent of the roster, and on every agent that has an override. A file of
/// overrides that cannot be read excludes no agent.
///
/// # Errors
/// As [`OverrideRepo::find`].
pub(crate) fn triage(cx: &mut CommandContext, request: &TriageRequest) -> Result<Reply<TriageAnswer>, Error> {
    let repo = OverrideRepo::find(cx, &request.repo)?;
    let overrides = repo.overrides().or_else(|err| {
        cx.warn(err);
        Overrides::parse("").map_err(Error::Input)
    })?;
    let (entries, malformed) = overrides.entries();
    let ignored = malformed + entries.iter().filter(|entry| entry.scope.is_none()).count();
    if ignored > 0 {
        cx.warn(format_args!("{}: {ignored} entries make no sense and do not count", repo.path));
    }
    let now = cx.stamp.secs();
    let domain = request.domain.as_deref();
    let counts = |entry: &&Entry| {
        let is_covered = entry.scope.as_ref().is_some_and(|scope| scope.covers(domain, &request.files));
        is_covered && !has_expired(entry, now)
    };
    let members = repo.roster.members();
    let is_member = |agent: &str| members.iter().any(|known| known.as_str() == agent);
    let counting: Vec<&Entry> = entries.iter().filter(counts).collect();
    let mut names: Vec<String> = members.iter().map(ToString::to_string).collect();
    names.extend(counting.iter().map(|entry| entry.agent.clone()).filter(|name| !is_member(name)));
    order::natural(&mut names);
    names.dedup();
    let decide = |agent: String| {
        let of = |action| counting.iter().find(|entry| entry.agent == agent && entry.action == action);
        let (exclude, propose) = (of(Action::Exclude), of(Action::Propose));
        let entry = exclude.or(propose);
        TriageDecision {
            excluded: exclude.is_some(),
            reason: entry.and_then(|entry| entry.reason.clone()),
            scope: entry.and_then(|entry| entry.scope.clone()).filter(|scope| !scope.is_empty()),
            proposed: propose.is_some() && exclude.is_none(),
            orphaned: !is_member(&agent),
            agent,
        }
    };
    let agents: Vec<_> = names.into_iter().map(decide).collect();
    for TriageDecision { agent, .. } in agents.iter().filter(|decision| decision.excluded) {
        if agent.parse::<AgentName>().is_ok_and(|agent| agent.is_cross_cutting()) {
            cx.warn(format_args!("{agent} looks at all work, and is left out"));
        }
    }
    Ok(Reply::yes(TriageAnswer { agents }))
}

fn has_expired(entry: &Entry, now: i64) -> bool {
    let end = entry.expires_at.as_deref().and_then(|text| humantime::parse_rfc3339_weak(text).ok());
    let end = end.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    end.is_some_and(|end| i64::try_from(end.as_millis()).is_ok_and(|end| secs_up(end) <= now))
}
