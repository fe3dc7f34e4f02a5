//! Evidence about agents: its patterns, and the case against each agent.
//!
//! Evidence has no table. It is the events of source `interspect` that callers record, which never change and
//! have an index by source. They are counted on demand.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::policy::Thresholds;
use super::{AgentName, bare};
use crate::domain::order;

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The number of the event.
    pub id: i64,
    /// The time at which it was noticed, in Unix seconds.
    pub at: i64,
    /// The agent as it was named.
    pub source: String,
    /// The kind of evidence, such as `override`.
    pub event: String,
    /// The reason of an override.
    pub reason: String,
    /// Empty if it is not known.
    pub session: String,
    /// Empty if it is not known.
    pub project: String,
    /// The time from which it counts, in Unix seconds.
    pub counts_from: i64,
}

impl Row {
    /// Checks whether the row is about an agent, under any of its names.
    pub fn is_about(&self, agent: &AgentName) -> bool {
        bare(&self.source) == agent.as_str()
    }

    /// Checks whether the agent was overridden.
    pub fn is_override(&self) -> bool {
        self.event == "override" || self.event == "disagreement_override"
    }

    /// Checks whether the agent was wrong, or wrong about the severity.
    pub fn says_wrong(&self) -> bool {
        self.is_override() && ["agent_wrong", "severity_miscalibrated"].contains(&self.reason.as_str())
    }
}

words!(
    /// The maturity of a pattern.
    PatternClass, "class" {
        /// All three thresholds are met.
        Ready = "ready",
        /// Some thresholds are met.
        Growing = "growing",
        /// No threshold is met.
        Emerging = "emerging",
    }
);

/// The rows of one agent, kind and reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EvidencePattern {
    /// The agent as it was named.
    pub source: String,
    pub event: String,
    pub reason: String,
    /// The number of rows.
    pub events: i64,
    /// The number of different sessions.
    pub sessions: i64,
    /// The number of different projects.
    pub projects: i64,
    pub class: PatternClass,
}

/// Counts different names. An empty name does not count.
fn distinct<'a>(names: impl Iterator<Item = &'a String>) -> i64 {
    count(order::set(names.filter(|name| !name.is_empty())).len())
}

pub(super) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Returns the patterns of at least two rows, the largest first.
pub fn patterns(rows: &[Row], thresholds: &Thresholds) -> Vec<EvidencePattern> {
    let mut groups: BTreeMap<(&str, &str, &str), Vec<&Row>> = BTreeMap::new();
    for row in rows {
        groups.entry((&row.source, &row.event, &row.reason)).or_default().push(row);
    }
    let mut found: Vec<EvidencePattern> = groups
        .into_iter()
        .filter(|(_, rows)| rows.len() >= 2)
        .map(|((source, event, reason), rows)| {
            let events = count(rows.len());
            let sessions = distinct(rows.iter().map(|row| &row.session));
            let projects = distinct(rows.iter().map(|row| &row.project));
            let met = [
                events >= thresholds.min_events,
                sessions >= thresholds.min_sessions,
                projects >= thresholds.min_diversity,
            ];
            let class = match met.iter().filter(|met| **met).count() {
                3 => PatternClass::Ready,
                0 => PatternClass::Emerging,
                _ => PatternClass::Growing,
            };
            let text = |text: &str| text.to_owned();
            let (source, event, reason) = (text(source), text(event), text(reason));
            EvidencePattern { source, event, reason, events, sessions, projects, class }
        })
        .collect();
    order::by_key(&mut found, |pattern| std::cmp::Reverse(pattern.events));
    found
}

/// The case against an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Case {
    pub agent: String,
    /// The number of overrides.
    pub events: i64,
    /// The number of different sessions.
    pub sessions: i64,
    /// The number of different projects.
    pub projects: i64,
    /// The number of overrides that say that the agent was wrong.
    pub wrong: i64,
    /// The same in percent, rounded down; 0 without overrides.
    pub pct: i64,
}

impl Case {
    /// Returns the confidence in hundredths. A decision without evidence has full confidence.
    pub fn confidence(&self) -> i64 {
        if self.events == 0 { 100 } else { (self.wrong * 200 + self.events) / (2 * self.events) }
    }

    /// Returns which threshold the case does not meet, if there is one.
    pub fn lacks(&self, thresholds: &Thresholds) -> Option<String> {
        let wanted = [
            (self.pct, thresholds.min_agent_wrong_pct, "percent say that it was wrong"),
            (self.events, thresholds.min_events, "overrides"),
            (self.sessions, thresholds.min_sessions, "sessions"),
            (self.projects, thresholds.min_diversity, "projects"),
        ];
        let short = wanted.iter().find(|(has, least, _)| has < least);
        short.map(|(has, least, of)| format!("{has} of {least} {of}"))
    }
}

/// Returns the case against an agent, under all its names.
pub fn case(rows: &[Row], agent: &AgentName) -> Case {
    let of: Vec<_> = rows.iter().filter(|row| row.is_about(agent) && row.is_override()).collect();
    let (events, wrong) = (count(of.len()), count(of.iter().filter(|row| row.says_wrong()).count()));
    Case {
        agent: agent.to_string(),
        events,
        sessions: distinct(of.iter().map(|row| &row.session)),
        projects: distinct(of.iter().map(|row| &row.project)),
        wrong,
        pct: if events == 0 { 0 } else { wrong * 100 / events },
    }
}

/// Returns the agents that were overridden at least once, sorted by name.
pub fn accused(rows: &[Row]) -> Vec<AgentName> {
    let names = rows.iter().filter(|row| row.is_override()).filter_map(|row| row.source.parse().ok());
    order::set(names).into_iter().collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn row(id: i64, source: &str, event: &str, reason: &str, session: &str, project: &str) -> Row {
        let text = |text: &str| text.to_owned();
        Row {
            id,
            at: id,
            source: text(source),
            event: text(event),
            reason: text(reason),
            session: text(session),
            project: text(project),
            counts_from: id,
        }
    }

    fn agent() -> AgentName {
        "fd-a".parse().unwrap()
    }

    /// All spellings of an agent are one agent, in every count.
    #[test]
    fn an_agent_is_one_under_all_its_names() {
        let rows = [
            row(1, "fd-a", "override", "agent_wrong", "s1", "p1"),
            row(2, "interflux:fd-a", "disagreement_override", "severity_miscalibrated", "s2", "p1"),
            row(3, "interflux:review:fd-a", "override", "agent_wrong", "s3", "p2"),
            row(4, "fd-a", "override", "deprioritized", "", ""),
            row(5, "fd-a", "agent_dispatch", "agent_wrong", "s9", "p9"),
            row(6, "fd-ab", "override", "agent_wrong", "s9", "p9"),
        ];
        let case = case(&rows, &agent());
        assert_eq!((case.events, case.wrong, case.pct), (4, 3, 75));
        assert_eq!((case.sessions, case.projects, case.confidence()), (3, 2, 75));
        assert_eq!(accused(&rows), [agent(), "fd-ab".parse().unwrap()]);
    }

    #[test]
    fn the_percentage_is_rounded_down() {
        let wrong = |of: i64, total: i64| {
            let reason = |id| if id < of { "agent_wrong" } else { "stale" };
            let rows: Vec<_> = (0..total)
                .map(|id| row(id, "fd-a", "override", reason(id), &id.to_string(), &(id % 2).to_string()))
                .collect();
            case(&rows, &agent())
        };
        let thresholds = Thresholds::default();
        assert_eq!(wrong(7, 9).pct, 77);
        assert!(wrong(7, 9).lacks(&thresholds).unwrap().contains("77 of 80 percent"));
        assert_eq!(wrong(7, 9).confidence(), 78);
        assert_eq!(wrong(8, 10).lacks(&thresholds), None);
        assert!(wrong(4, 4).lacks(&thresholds).unwrap().contains("4 of 5 overrides"));
        assert_eq!((wrong(0, 0).pct, wrong(0, 0).confidence()), (0, 100));
    }

    #[test]
    fn patterns_are_ready_growing_or_emerging() {
        let many = |n: i64, sessions: i64, projects: i64| -> Vec<Row> {
            let of = |id: i64, n: i64| (id % n).to_string();
            (0..n).map(|id| row(id, "fd-a", "override", "x", &of(id, sessions), &of(id, projects))).collect()
        };
        let class =
            |rows: &[Row]| patterns(rows, &Thresholds::default()).first().map(|pattern| pattern.class);
        assert_eq!(class(&many(5, 3, 2)), Some(PatternClass::Ready));
        assert_eq!(class(&many(4, 3, 2)), Some(PatternClass::Growing));
        assert_eq!(class(&many(5, 1, 1)), Some(PatternClass::Growing));
        assert_eq!(class(&many(2, 1, 1)), Some(PatternClass::Emerging));
        assert_eq!(class(&many(1, 1, 1)), None, "one row is no pattern");
    }
}
