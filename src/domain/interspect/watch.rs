//! The state of a canary at one moment, as it is reported.

use schemars::JsonSchema;
use serde::Serialize;

use super::AgentName;
use super::canary::{CanaryStatus, Observation, Rates, Window, observe};
use super::evidence::Row;
use super::modification::Modification;
use super::policy::Thresholds;

/// The state of a canary.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CanaryState {
    /// The identifier of the override that is watched.
    pub modification: String,
    pub agent: AgentName,
    /// Whether the override is in force.
    pub applied: bool,
    /// The stored status. A canary that is not judged yet is `monitoring` without a baseline, and `expired`
    /// once its window is over.
    pub status: &'static str,
    /// The number of sessions so far.
    pub uses: i64,
    /// The number of sessions after which the canary is judged.
    pub window_uses: i64,
    /// The latest time at which the canary is judged, in Unix seconds.
    pub window_expires_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Rates>,
    pub rates: Rates,
    /// The reason of the verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
}

impl CanaryState {
    /// Returns the state of an override's canary at `now`, in Unix seconds.
    pub fn of(modification: &Modification, rows: &[Row], thresholds: &Thresholds, now: i64) -> Self {
        let detail = &modification.detail;
        let observation = observation(modification, rows, thresholds, now);
        let status = match modification.canary {
            // The clock decides, not whether a check has run since.
            CanaryStatus::Active if observation.over => "expired",
            CanaryStatus::Active if detail.baseline.is_none() => "monitoring",
            stored => stored.as_str(),
        };
        Self {
            modification: modification.id.to_string(),
            agent: modification.agent.clone(),
            applied: modification.is_applied(),
            status,
            uses: observation.rates.sessions,
            window_uses: detail.window_uses,
            window_expires_at: detail.window_expires_at,
            baseline: detail.baseline.clone(),
            rates: observation.rates,
            verdict: detail.verdict.clone(),
        }
    }

    /// Checks whether an override that is in force made something worse.
    pub fn is_alert(&self) -> bool {
        self.applied && self.status == CanaryStatus::Alert.as_str()
    }
}

/// Counts the sessions in the window of an override's canary at `now`, in Unix seconds.
pub fn observation(
    modification: &Modification,
    rows: &[Row],
    thresholds: &Thresholds,
    now: i64,
) -> Observation {
    let window = Window {
        agent: &modification.agent,
        from: modification.created_at,
        until: modification.detail.window_expires_at,
        uses: modification.detail.window_uses,
        baseline: modification.detail.baseline.as_ref(),
    };
    observe(rows, &window, now, thresholds)
}
