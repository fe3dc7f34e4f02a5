//! Canaries: the sessions after an override, compared with those before it.
//!
//! Samples are not stored. They are counted from the evidence, as everything else is. Rates are in
//! thousandths, so that they compare exactly.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AgentName;
use super::evidence::{Row, count};
use super::policy::Thresholds;
use crate::domain::order;

/// The number of sessions before the change that make the baseline.
const BASELINE_SESSIONS: usize = 20;

words!(
    /// The status of a canary.
    CanaryStatus, "canary status" {
        /// The override is being watched.
        Active = "active",
        /// Nothing got worse.
        Passed = "passed",
        /// Something got worse.
        Alert = "alert",
        /// The override was reverted.
        Reverted = "reverted",
        /// The window is over, and there was nothing to judge by.
        ExpiredUnused = "expired_unused",
    }
);

/// Rates over some sessions, in thousandths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rates {
    /// The number of sessions, not in thousandths.
    pub sessions: i64,
    /// Overrides per session.
    pub override_rate: i64,
    /// The share of overrides that say that the agent was wrong.
    pub fp_rate: i64,
    /// Rows per session.
    pub finding_density: i64,
}

/// Returns the sessions in which an agent worked, each with the time of its first row.
fn sessions<'a>(rows: &'a [Row], agent: &AgentName) -> Vec<(i64, Vec<&'a Row>)> {
    let mut by_name: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.is_about(agent) && !row.session.is_empty()) {
        by_name.entry(&row.session).or_default().push(row);
    }
    let first = |rows: &[&Row]| rows.iter().map(|row| row.at).min().unwrap_or(0);
    let mut sessions: Vec<_> = by_name.into_values().map(|rows| (first(&rows), rows)).collect();
    order::by_key(&mut sessions, |(at, rows)| (*at, rows.first().map_or(0, |row| row.id)));
    sessions
}

fn rates(sessions: &[(i64, Vec<&Row>)]) -> Rates {
    let rows = || sessions.iter().flat_map(|(_, rows)| rows.iter());
    let overrides = count(rows().filter(|row| row.is_override()).count());
    let wrong = count(rows().filter(|row| row.is_override() && row.reason == "agent_wrong").count());
    let of = |part: i64, whole: i64| if whole == 0 { 0 } else { part * 1000 / whole };
    let n = count(sessions.len());
    Rates {
        sessions: n,
        override_rate: of(overrides, n),
        fp_rate: of(wrong, overrides),
        finding_density: of(count(rows().count()), n),
    }
}

/// Returns the rates of the last twenty sessions before a change. `None` if there were too few sessions.
pub fn baseline(rows: &[Row], agent: &AgentName, before: i64, thresholds: &Thresholds) -> Option<Rates> {
    let mut sessions = sessions(rows, agent);
    sessions.retain(|(at, _)| *at < before);
    let last = &sessions[sessions.len().saturating_sub(BASELINE_SESSIONS)..];
    (count(last.len()) >= thresholds.canary_min_baseline).then(|| rates(last))
}

/// The window in which an override is watched.
#[derive(Clone, Debug)]
pub struct Window<'a> {
    pub agent: &'a AgentName,
    /// The beginning, in Unix seconds.
    pub from: i64,
    /// The latest end, in Unix seconds.
    pub until: i64,
    /// The number of sessions after which the window ends.
    pub uses: i64,
    pub baseline: Option<&'a Rates>,
}

/// The content of a window at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    pub rates: Rates,
    /// Whether the window is over.
    pub over: bool,
    /// The verdict and its reason. `None` while the window is open.
    pub verdict: Option<(CanaryStatus, String)>,
}

/// Counts the sessions of a window at `now`, in Unix seconds, and judges them once the window is over.
pub fn observe(rows: &[Row], window: &Window<'_>, now: i64, thresholds: &Thresholds) -> Observation {
    let mut sessions = sessions(rows, window.agent);
    sessions.retain(|(at, _)| (window.from..window.until).contains(at));
    sessions.truncate(usize::try_from(window.uses).unwrap_or(usize::MAX));
    let rates = rates(&sessions);
    let over = now >= window.until || rates.sessions >= window.uses;
    let verdict = over.then(|| judge(&rates, window.baseline, thresholds));
    Observation { rates, over, verdict }
}

fn judge(now: &Rates, before: Option<&Rates>, thresholds: &Thresholds) -> (CanaryStatus, String) {
    if now.sessions == 0 {
        return (CanaryStatus::ExpiredUnused, "no session in its window".to_owned());
    }
    let Some(before) = before else {
        return (CanaryStatus::ExpiredUnused, "too few sessions before it to compare with".to_owned());
    };
    let beyond = |least: i64, most: i64| {
        let change = most - least;
        change > thresholds.canary_noise && change * 100 > least.max(0) * thresholds.canary_alert_pct
    };
    let fell = before.finding_density - now.finding_density;
    let density =
        fell > thresholds.canary_noise && fell * 100 > before.finding_density * thresholds.canary_alert_pct;
    let worse = [
        (
            "override_rate rose",
            beyond(before.override_rate, now.override_rate),
            before.override_rate,
            now.override_rate,
        ),
        ("fp_rate rose", beyond(before.fp_rate, now.fp_rate), before.fp_rate, now.fp_rate),
        ("finding_density fell", density, before.finding_density, now.finding_density),
    ];
    let reasons: Vec<_> = worse
        .iter()
        .filter(|(_, worse, ..)| *worse)
        .map(|(what, _, from, to)| format!("{what} from {} to {}", thousandths(*from), thousandths(*to)))
        .collect();
    if reasons.is_empty() {
        (CanaryStatus::Passed, "nothing got worse".to_owned())
    } else {
        (CanaryStatus::Alert, reasons.join(", "))
    }
}

/// Formats thousandths as a decimal number.
pub fn thousandths(value: i64) -> String {
    format!("{}.{:03}", value / 1000, value % 1000)
}

#[cfg(test)]
mod tests {
    use super::super::evidence::tests::row;
    use super::*;

    /// Makes `sessions` sessions from `from` on, with `each` rows each, the first ones overrides and wrong
    /// ones.
    fn history(from: i64, sessions: i64, each: i64, overrides: i64, wrong: i64) -> Vec<Row> {
        let mut rows = Vec::new();
        for session in 0..sessions {
            for nth in 0..each {
                let event = if nth < overrides { "override" } else { "agent_dispatch" };
                let reason = if nth < wrong { "agent_wrong" } else { "stale" };
                let at = from + session;
                rows.push(Row { at, ..row(at * 100 + nth, "fd-a", event, reason, &format!("s{at}"), "p") });
            }
        }
        rows
    }

    fn observed(before: &[Row], after: &[Row], now: i64) -> Observation {
        let (agent, thresholds) = ("fd-a".parse().unwrap(), Thresholds::default());
        let rows = [before, after].concat();
        let baseline = baseline(&rows, &agent, 1000, &thresholds);
        let window = Window { agent: &agent, from: 1000, until: 2000, uses: 20, baseline: baseline.as_ref() };
        observe(&rows, &window, now, &thresholds)
    }

    fn verdict(before: &[Row], after: &[Row], now: i64) -> Option<(CanaryStatus, String)> {
        observed(before, after, now).verdict
    }

    #[test]
    fn the_baseline_is_the_last_twenty_sessions_and_needs_fifteen() {
        let (agent, thresholds) = ("fd-a".parse().unwrap(), Thresholds::default());
        let of = |rows: &[Row]| baseline(rows, &agent, 1000, &thresholds);
        assert_eq!(of(&history(1, 14, 2, 1, 1)), None);
        let rates = of(&history(1, 15, 2, 1, 1)).unwrap();
        assert_eq!(
            (rates.sessions, rates.override_rate, rates.fp_rate, rates.finding_density),
            (15, 1000, 1000, 2000)
        );
        let rows = [history(1, 30, 9, 9, 9), history(100, 20, 2, 1, 0)].concat();
        let rates = of(&rows).unwrap();
        assert_eq!(
            (rates.sessions, rates.override_rate, rates.fp_rate),
            (20, 1000, 0),
            "older ones do not count"
        );
        assert_eq!(of(&history(1000, 20, 1, 1, 1)), None, "nor later ones");
    }

    #[test]
    fn a_window_ends_after_its_uses_or_its_time() {
        let before = history(1, 20, 2, 1, 0);
        assert_eq!(verdict(&before, &history(1000, 19, 2, 1, 0), 1999), None);
        assert_eq!(verdict(&before, &history(1000, 19, 2, 1, 0), 2000).unwrap().0, CanaryStatus::Passed);
        assert_eq!(verdict(&before, &history(1000, 20, 2, 1, 0), 1100).unwrap().0, CanaryStatus::Passed);
        assert_eq!(verdict(&before, &[], 2000).unwrap().0, CanaryStatus::ExpiredUnused);
        assert_eq!(verdict(&[], &history(1000, 20, 2, 1, 0), 2000).unwrap().0, CanaryStatus::ExpiredUnused);
        assert_eq!(
            observed(&before, &history(1000, 30, 2, 1, 0), 1100).rates.sessions,
            20,
            "one sample a session, twenty at most"
        );
        assert_eq!(observed(&before, &history(2000, 5, 2, 1, 0), 2100).rates.sessions, 0, "too late");
    }

    #[test]
    fn what_got_worse_by_more_than_a_fifth_is_an_alert() {
        let alert = |before: &[Row], after: &[Row]| {
            let (status, why) = verdict(before, after, 2000).unwrap();
            if status == CanaryStatus::Alert { why } else { String::new() }
        };
        let before = history(1, 20, 10, 5, 2);
        assert_eq!(alert(&before, &history(1000, 20, 10, 5, 2)), "");
        assert_eq!(alert(&before, &history(1000, 20, 10, 6, 2)), "", "a fifth is not more than a fifth");
        assert_eq!(alert(&before, &history(1000, 20, 10, 7, 2)), "override_rate rose from 5.000 to 7.000");
        assert_eq!(alert(&before, &history(1000, 20, 10, 5, 4)), "fp_rate rose from 0.400 to 0.800");
        assert_eq!(alert(&before, &history(1000, 20, 7, 5, 2)), "finding_density fell from 10.000 to 7.000");
        // From next to nothing to a little is noise.
        let (quiet, loud) =
            ([history(1, 19, 2, 0, 0), history(50, 1, 2, 1, 0)].concat(), history(1000, 20, 2, 0, 0));
        assert_eq!(alert(&quiet, &[loud, history(1050, 1, 2, 1, 0)].concat()), "");
    }
}
