//! The agents that the evidence suffices to exclude.

use schemars::JsonSchema;
use serde::Serialize;

use super::repo::{OverrideRepo, RepoOptions};
use super::{quarantine, refused};
use crate::app::{CommandContext, Error, Reply};
use crate::domain::interspect::AgentName;
use crate::domain::interspect::evidence::{self, Case, EvidencePattern};
use crate::ops::OpsError;
use crate::ops::interspect::{self, Refusal};
use crate::store;

/// The part of the evidence that is asked for.
#[derive(Debug)]
pub(crate) enum EligibleRequest {
    /// The cases that suffice.
    Cases,
    /// The case against one agent.
    Agent(AgentName),
    /// The patterns behind all cases.
    Patterns,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum EligibleAnswer {
    Cases(Vec<Case>),
    Patterns(Vec<EvidencePattern>),
}

/// Returns the cases that suffice against agents without an override and not on the blacklist; or one case;
/// or the patterns of the evidence.
///
/// # Errors
/// [`Refusal::Blacklisted`] or [`Refusal::BelowThreshold`] for one agent that cannot be excluded;
/// [`Refusal::Malformed`] if the overrides cannot be read.
pub(crate) fn eligible(
    cx: &mut CommandContext,
    request: EligibleRequest,
    options: &RepoOptions,
) -> Result<Reply<EligibleAnswer>, Error> {
    let repo = OverrideRepo::find(cx, options)?;
    let overrides = repo.overrides()?;
    let (now, quarantine) = (cx.stamp.secs(), quarantine(&cx.env));
    let (rows, blacklist) = cx.read(|tx| {
        let rows = interspect::counting(tx, quarantine, now)?;
        Ok::<_, OpsError>((rows, store::interspect::blacklist(tx)?))
    })?;
    let thresholds = &repo.thresholds;
    let blacklisted = |agent: &AgentName| blacklist.iter().find(|entry| entry.pattern_key == agent.as_str());
    let answer = match request {
        EligibleRequest::Patterns => EligibleAnswer::Patterns(evidence::patterns(&rows, thresholds)),
        EligibleRequest::Agent(agent) => {
            let case = evidence::case(&rows, &agent);
            if let Some(entry) = blacklisted(&agent) {
                return Err(refused(Refusal::Blacklisted { reason: entry.reason.clone(), agent }));
            }
            if let Some(lacks) = case.lacks(thresholds) {
                return Err(refused(Refusal::BelowThreshold { agent, lacks }));
            }
            EligibleAnswer::Cases(vec![case])
        }
        EligibleRequest::Cases => {
            let is_free = |agent: &AgentName| blacklisted(agent).is_none() && overrides.of(agent).is_none();
            let cases = evidence::accused(&rows).into_iter().filter(is_free);
            let cases = cases.map(|agent| evidence::case(&rows, &agent));
            EligibleAnswer::Cases(cases.filter(|case| case.lacks(thresholds).is_none()).collect())
        }
    };
    Ok(Reply::yes(answer))
}
