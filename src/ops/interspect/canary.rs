//! Canaries and limits in the database: judging the overrides whose window is over, and enforcing the limits.

use serde_json::{Map, json};

use super::Refusal;
use crate::db::{ReadTx, WriteTx};
use crate::domain::interspect::AgentName;
use crate::domain::interspect::canary::CanaryStatus;
use crate::domain::interspect::limits::{Limits, reverted};
use crate::domain::interspect::policy::Thresholds;
use crate::domain::interspect::watch::{CanaryState, observation};
use crate::domain::time::Stamp;
use crate::ops::OpsError;
use crate::store::interspect as store;

/// Judges every canary of a file whose window is over, and returns all canaries of the file as they are then.
pub fn check(
    tx: &WriteTx<'_>,
    scope: &str,
    path: &str,
    thresholds: &Thresholds,
    stamp: &Stamp,
) -> Result<Vec<CanaryState>, OpsError> {
    let rows = store::evidence(tx, 0)?;
    let now = stamp.secs();
    for one in store::of_file(tx, scope, path, None)? {
        if one.canary != CanaryStatus::Active {
            continue;
        }
        let observation = observation(&one, &rows, thresholds, now);
        if let Some((status, why)) = observation.verdict {
            let data = Map::from_iter([
                ("agent".to_owned(), one.agent.as_str().into()),
                ("rates".to_owned(), json!(observation.rates)),
                ("baseline".to_owned(), json!(one.detail.baseline)),
            ]);
            store::judge(tx, &one, status, &why, data, stamp)?;
        }
    }
    let after = store::of_file(tx, scope, path, None)?;
    Ok(after.iter().map(|one| CanaryState::of(one, &rows, thresholds, now)).collect())
}

/// Checks that an agent may apply an override by itself: the circuit breaker and the rate limit.
///
/// # Errors
/// [`Refusal::CircuitOpen`], [`Refusal::RateLimited`].
pub(super) fn check_limits(
    tx: &ReadTx<'_>,
    scope: &str,
    path: &str,
    agent: &AgentName,
    thresholds: &Thresholds,
    stamp: &Stamp,
) -> Result<(), OpsError> {
    let all = store::of_file(tx, scope, path, None)?;
    let limits = Limits::of(&all, thresholds, stamp.secs());
    let days = thresholds.circuit_breaker_days;
    if limits.tripped.iter().any(|tripped| tripped == agent.as_str()) {
        let reverted = reverted(&all, agent, thresholds, stamp.secs());
        return Err(Refusal::CircuitOpen { reverted, days, agents: agent.to_string() }.into());
    }
    if limits.system_tripped {
        let reverted = thresholds.circuit_breaker_max;
        return Err(Refusal::CircuitOpen { reverted, days, agents: limits.tripped.join(", ") }.into());
    }
    if limits.applied >= limits.applied_max {
        let (applied, hours) = (limits.applied, thresholds.rate_limit_hours);
        return Err(Refusal::RateLimited { applied, hours }.into());
    }
    Ok(())
}
