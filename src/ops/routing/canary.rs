//! Watching what was applied: windows, verdicts, and the limits that follow from how overrides turned out.

use crate::domain::order;
use serde::Serialize;
use serde_json::{Map, json};

use super::super::OpsError;
use super::Refusal;
use crate::db::{ReadTx, WriteTx};
use crate::domain::routing::AgentName;
use crate::domain::routing::canary::{self as window, CanaryStatus, Rates, Seen, Window};
use crate::domain::routing::evidence::Row;
use crate::domain::routing::modification::{Modification, ModificationStatus};
use crate::domain::routing::policy::Thresholds;
use crate::domain::time::Stamp;
use crate::store::routing as store;

/// A canary as it is now.
#[derive(Clone, Debug, Serialize)]
pub struct Watched {
    /// The override that it watches.
    pub modification: String,
    /// The agent.
    pub agent: AgentName,
    /// Whether the override is in force.
    pub applied: bool,
    /// What it is: one of the statuses that are kept, or `monitoring` and `expired` for one that is not judged yet.
    pub status: &'static str,
    /// How many sessions were counted.
    pub uses: i64,
    /// How many are wanted.
    pub window_uses: i64,
    /// When it is judged at the latest, Unix seconds.
    pub window_expires_at: i64,
    /// What it is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Rates>,
    /// What was counted.
    pub rates: Rates,
    /// Why it was judged so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
}

fn seen(one: &Modification, rows: &[Row], thresholds: &Thresholds, now: i64) -> Seen {
    let window = Window {
        agent: &one.agent,
        from: one.created_at,
        until: one.detail.window_expires_at,
        uses: one.detail.window_uses,
        baseline: one.detail.baseline.as_ref(),
    };
    window::look(rows, &window, now, thresholds)
}

/// The canary of an override, as it looks at `now` (Unix seconds); nothing is written.
pub fn watch(one: &Modification, rows: &[Row], thresholds: &Thresholds, now: i64) -> Watched {
    let seen = seen(one, rows, thresholds, now);
    let status = match one.canary {
        // IS-12: the clock decides, not whether somebody has looked.
        CanaryStatus::Active if seen.over => "expired",
        CanaryStatus::Active if one.detail.baseline.is_none() => "monitoring",
        kept => kept.as_str(),
    };
    Watched {
        modification: one.id.to_string(),
        agent: one.agent.clone(),
        applied: one.is_applied(),
        status,
        uses: seen.rates.sessions,
        window_uses: one.detail.window_uses,
        window_expires_at: one.detail.window_expires_at,
        baseline: one.detail.baseline.clone(),
        rates: seen.rates,
        verdict: one.detail.verdict.clone(),
    }
}

/// Judges every canary of a file whose window is over; answers all of them as they are then.
///
/// # Errors
/// What the engine says.
pub fn check(
    tx: &WriteTx<'_>,
    scope: &str,
    path: &str,
    thresholds: &Thresholds,
    stamp: &Stamp,
) -> Result<Vec<Watched>, OpsError> {
    let rows = store::evidence(tx, 0)?;
    let now = stamp.secs();
    for one in store::of_file(tx, scope, path, None)? {
        if one.canary != CanaryStatus::Active {
            continue;
        }
        let seen = seen(&one, &rows, thresholds, now);
        if let Some((status, why)) = seen.verdict {
            let data = Map::from_iter([
                ("agent".to_owned(), one.agent.as_str().into()),
                ("rates".to_owned(), json!(seen.rates)),
                ("baseline".to_owned(), json!(one.detail.baseline)),
            ]);
            store::judge(tx, &one, status, &why, data, stamp)?;
        }
    }
    let after = store::of_file(tx, scope, path, None)?;
    Ok(after.iter().map(|one| watch(one, &rows, thresholds, now)).collect())
}

/// How overrides turned out lately.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Limits {
    /// Agents whose overrides were taken back too often.
    pub tripped: Vec<String>,
    /// Whether that is so of half of all, and of three at least.
    pub system_tripped: bool,
    /// How many overrides were applied within the hours that count.
    pub applied: i64,
    /// How many may be.
    pub applied_max: i64,
}

/// Counts what happened within the windows that the project sets. Times are compared as numbers: a window is as long as it
/// says.
pub fn limits(all: &[Modification], thresholds: &Thresholds, now: i64) -> Limits {
    let since = |seconds: i64| now.saturating_sub(seconds);
    let hours = since(thresholds.rate_limit_hours * 3600);
    let applied = all.iter().filter(|one| one.created_at > hours).count();
    let mut agents: Vec<_> = all.iter().map(|one| &one.agent).collect();
    order::natural(&mut agents);
    agents.dedup();
    let mut tripped = agents.clone();
    tripped.retain(|agent| reverted(all, agent, thresholds, now) >= thresholds.circuit_breaker_max);
    Limits {
        system_tripped: agents.len() >= 3 && tripped.len() * 2 >= agents.len(),
        tripped: tripped.into_iter().map(ToString::to_string).collect(),
        applied: i64::try_from(applied).unwrap_or(i64::MAX),
        applied_max: thresholds.rate_limit_max,
    }
}

fn reverted(all: &[Modification], agent: &AgentName, thresholds: &Thresholds, now: i64) -> i64 {
    let since = now.saturating_sub(thresholds.circuit_breaker_days * 24 * 3600);
    let lately = |one: &&Modification| {
        one.agent == *agent
            && one.status == ModificationStatus::Reverted
            && one.detail.reverted_at.is_some_and(|at| at > since)
    };
    i64::try_from(all.iter().filter(lately).count()).unwrap_or(i64::MAX)
}

/// Refuses what an agent may not do by itself any more: circuit breaker and rate limit.
///
/// # Errors
/// [`Refusal::CircuitOpen`], [`Refusal::RateLimited`].
pub fn check_limits(
    tx: &ReadTx<'_>,
    scope: &str,
    path: &str,
    agent: &AgentName,
    thresholds: &Thresholds,
    stamp: &Stamp,
) -> Result<(), OpsError> {
    let all = store::of_file(tx, scope, path, None)?;
    let found = limits(&all, thresholds, stamp.secs());
    let days = thresholds.circuit_breaker_days;
    if found.tripped.iter().any(|tripped| tripped == agent.as_str()) {
        let reverted = reverted(&all, agent, thresholds, stamp.secs());
        return Err(Refusal::CircuitOpen { reverted, days, who: agent.to_string() }.into());
    }
    if found.system_tripped {
        let reverted = thresholds.circuit_breaker_max;
        return Err(Refusal::CircuitOpen { reverted, days, who: found.tripped.join(", ") }.into());
    }
    if found.applied >= found.applied_max {
        let (applied, hours) = (found.applied, thresholds.rate_limit_hours);
        return Err(Refusal::RateLimited { applied, hours }.into());
    }
    Ok(())
}
