//! The limits of overrides that agents apply by themselves: the circuit breaker and the rate limit.

use schemars::JsonSchema;
use serde::Serialize;

use super::AgentName;
use super::modification::{Modification, ModificationStatus};
use super::policy::Thresholds;
use crate::domain::order;

/// The recent outcome of overrides, measured against the limits.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Limits {
    /// Agents whose overrides were reverted too often.
    pub tripped: Vec<String>,
    /// Whether the circuit breaker is tripped for half of all agents, of which there are at least three.
    pub system_tripped: bool,
    /// The number of overrides that were applied within the hours that count.
    pub applied: i64,
    pub applied_max: i64,
}

impl Limits {
    /// Counts what happened within the windows that the project sets. `now` is in Unix seconds.
    pub fn of(all: &[Modification], thresholds: &Thresholds, now: i64) -> Self {
        let since = now.saturating_sub(thresholds.rate_limit_hours * 3600);
        let applied = all.iter().filter(|one| one.created_at > since).count();
        let mut agents: Vec<_> = all.iter().map(|one| &one.agent).collect();
        order::natural(&mut agents);
        agents.dedup();
        let mut tripped = agents.clone();
        tripped.retain(|agent| reverted(all, agent, thresholds, now) >= thresholds.circuit_breaker_max);
        Self {
            system_tripped: agents.len() >= 3 && tripped.len() * 2 >= agents.len(),
            tripped: tripped.into_iter().map(ToString::to_string).collect(),
            applied: i64::try_from(applied).unwrap_or(i64::MAX),
            applied_max: thresholds.rate_limit_max,
        }
    }
}

/// Counts the overrides of an agent that were reverted within the days of the circuit breaker.
pub fn reverted(all: &[Modification], agent: &AgentName, thresholds: &Thresholds, now: i64) -> i64 {
    let since = now.saturating_sub(thresholds.circuit_breaker_days * 24 * 3600);
    let is_recent = |one: &&Modification| {
        one.agent == *agent
            && one.status == ModificationStatus::Reverted
            && one.detail.reverted_at.is_some_and(|at| at > since)
    };
    i64::try_from(all.iter().filter(is_recent).count()).unwrap_or(i64::MAX)
}
