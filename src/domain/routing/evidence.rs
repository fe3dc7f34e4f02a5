//! What was noticed about agents, counted: which patterns there are, and whom they speak against.
//!
//! There is no table of it: evidence is the events of source `interspect` that callers record, which are never changed and
//! have an index by source. Counting them is for whoever asks.

use crate::domain::order;
use std::collections::BTreeMap;

use serde::Serialize;

use super::policy::Thresholds;
use super::{AgentName, bare};

/// One thing that was noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The number of its event.
    pub id: i64,
    /// Unix seconds.
    pub at: i64,
    /// The agent as it was named.
    pub source: String,
    /// What was noticed.
    pub event: String,
    /// Why it was overridden.
    pub reason: String,
    /// In which session; empty if nobody said so.
    pub session: String,
    /// In which project; empty if nobody said so.
    pub project: String,
    /// From when on it counts, in Unix seconds.
    pub counts_from: i64,
}

impl Row {
    /// Whether it is about that agent, however it was named.
    pub fn is_about(&self, agent: &AgentName) -> bool {
        bare(&self.source) == agent.as_str()
    }

    /// Whether it tells of an agent that was overridden.
    pub fn is_override(&self) -> bool {
        self.event == "override" || self.event == "disagreement_override"
    }

    /// Whether the agent was wrong, or wrong about how bad it is.
    pub fn says_wrong(&self) -> bool {
        self.is_override() && ["agent_wrong", "severity_miscalibrated"].contains(&self.reason.as_str())
    }
}

words!(
    /// How far a pattern has come.
    Class, "class" {
        /// All three thresholds are met.
        Ready = "ready",
        /// Some are.
        Growing = "growing",
        /// None is.
        Emerging = "emerging",
    }
);

/// Rows of one agent, kind and reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pattern {
    /// The agent as it was named.
    pub source: String,
    /// What was noticed.
    pub event: String,
    /// Why it was overridden.
    pub reason: String,
    /// How many rows.
    pub events: i64,
    /// From how many sessions.
    pub sessions: i64,
    /// From how many projects.
    pub projects: i64,
    /// How far it has come.
    pub class: Class,
}

/// How many different names there are; no name is none.
fn distinct<'a>(names: impl Iterator<Item = &'a String>) -> i64 {
    count(order::set(names.filter(|name| !name.is_empty())).len())
}

pub(super) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The patterns of at least two rows, those with most rows first.
pub fn patterns(rows: &[Row], thresholds: &Thresholds) -> Vec<Pattern> {
    let mut groups: BTreeMap<(&str, &str, &str), Vec<&Row>> = BTreeMap::new();
    for row in rows {
        groups.entry((&row.source, &row.event, &row.reason)).or_default().push(row);
    }
    let mut found: Vec<Pattern> = groups
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
                3 => Class::Ready,
                0 => Class::Emerging,
                _ => Class::Growing,
            };
            let text = |text: &str| text.to_owned();
            let (source, event, reason) = (text(source), text(event), text(reason));
            Pattern { source, event, reason, events, sessions, projects, class }
        })
        .collect();
    order::by_key(&mut found, |pattern| std::cmp::Reverse(pattern.events));
    found
}

/// What speaks for leaving an agent out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Case {
    /// The agent.
    pub agent: String,
    /// How often it was overridden.
    pub events: i64,
    /// In how many sessions.
    pub sessions: i64,
    /// In how many projects.
    pub projects: i64,
    /// How often it was wrong.
    pub wrong: i64,
    /// The same in percent, rounded down; 0 where there is nothing.
    pub pct: i64,
}

impl Case {
    /// How sure one can be, in hundredths: sure where somebody decides without evidence.
    pub fn confidence(&self) -> i64 {
        if self.events == 0 { 100 } else { (self.wrong * 200 + self.events) / (2 * self.events) }
    }

    /// What is missing, if anything.
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

/// The case against one agent, under all its names.
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

/// The agents that there is any case against, by name.
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

    /// The fifth fault of the shell version: all spellings of an agent are one agent, for whatever is counted.
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
        assert_eq!(class(&many(5, 3, 2)), Some(Class::Ready));
        assert_eq!(class(&many(4, 3, 2)), Some(Class::Growing));
        assert_eq!(class(&many(5, 1, 1)), Some(Class::Growing));
        assert_eq!(class(&many(2, 1, 1)), Some(Class::Emerging));
        assert_eq!(class(&many(1, 1, 1)), None, "one row is no pattern");
    }
}
