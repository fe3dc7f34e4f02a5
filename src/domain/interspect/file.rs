//! `routing-overrides.json`, version 1. A change of one entry keeps the text of everything else in the file.

use super::json::Json;
use super::{Action, AgentName, Scope, bare};

/// The only known version.
const VERSION: i64 = 1;
/// The order in which members of an entry are written.
const MEMBER_ORDER: [&str; 10] = [
    "agent",
    "action",
    "reason",
    "evidence_ids",
    "created",
    "created_by",
    "approved",
    "confidence",
    "canary",
    "scope",
];

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overrides {
    root: Json,
}

/// An entry of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The agent, without the name of its plugin.
    pub agent: String,
    pub action: Action,
    pub reason: Option<String>,
    pub created_by: Option<String>,
    /// The time from which the entry no longer counts, as it is written.
    pub expires_at: Option<String>,
    /// `None` for a scope that cannot be read, which applies to no work.
    pub scope: Option<Scope>,
    /// The whole entry.
    pub json: Json,
}

/// The part of an entry that a change sets.
#[derive(Clone, Debug)]
pub struct EntryFields<'a> {
    pub action: Action,
    pub reason: &'a str,
    /// The numbers of the events that support the entry.
    pub evidence: &'a [i64],
    /// The present time, in RFC 3339.
    pub now: &'a str,
    pub by: &'a str,
    pub scope: &'a Scope,
    /// The confidence of an exclusion, in hundredths.
    pub confidence: i64,
    /// The number of sessions after which an exclusion is judged.
    pub window_uses: i64,
    /// The latest time at which an exclusion is judged, in RFC 3339.
    pub window_ends: &'a str,
}

impl Entry {
    /// Returns the numbers of the events that support the entry. What is not a number is left out.
    pub fn evidence(&self) -> Vec<i64> {
        let ids = self.json.get("evidence_ids").and_then(Json::as_array).unwrap_or_default();
        let number = |id: &Json| match id.as_str() {
            Some(text) => text.parse().ok(),
            None => id.to_value().as_i64(),
        };
        ids.iter().filter_map(number).collect()
    }
}

impl Overrides {
    /// Reads the file. A file that is empty or does not exist has no entries.
    ///
    /// # Errors
    /// A description of the fault. The file is never overwritten then.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self {
                root: Json::object([
                    ("version", Json::number(VERSION)),
                    ("overrides", Json::Array(Vec::new())),
                ]),
            });
        }
        let root = Json::parse(text)?;
        if !matches!(root, Json::Object(_)) {
            return Err("it is not an object".to_owned());
        }
        match root.get("version").map(Json::to_value) {
            Some(version) if version.as_i64() == Some(VERSION) => {}
            Some(version) => return Err(format!("version {version} is not known, only {VERSION}")),
            None => return Err("it has no version".to_owned()),
        }
        match root.get("overrides") {
            Some(Json::Array(_)) => Ok(Self { root }),
            _ => Err("`overrides` is not a list".to_owned()),
        }
    }

    fn items(&self) -> &[Json] {
        self.root.get("overrides").and_then(Json::as_array).unwrap_or_default()
    }

    /// Returns the entries that exclude agents, and the number of entries that cannot be read. Entries of
    /// another kind are neither.
    pub fn entries(&self) -> (Vec<Entry>, usize) {
        let mut malformed = 0;
        let mut entries = Vec::new();
        for item in self.items().iter().filter(|item| !is_foreign(item)) {
            match read(item) {
                Some(entry) => entries.push(entry),
                None => malformed += 1,
            }
        }
        (entries, malformed)
    }

    /// Returns the entry of an agent. Of several entries an exclusion comes first.
    pub fn of(&self, agent: &AgentName) -> Option<Entry> {
        let (entries, _) = self.entries();
        let mut of = entries.into_iter().filter(|entry| entry.agent == agent.as_str());
        let first = of.next()?;
        if first.action == Action::Exclude {
            return Some(first);
        }
        Some(of.find(|entry| entry.action == Action::Exclude).unwrap_or(first))
    }

    /// Adds an entry, or turns the proposal that exists into an exclusion.
    pub fn put(&mut self, agent: &AgentName, new: &EntryFields<'_>) {
        let EntryFields { action, reason, evidence, now, by, scope, .. } = *new;
        let mut members = vec![
            ("agent", Json::string(agent.as_str())),
            ("action", Json::string(action.as_str())),
            ("reason", Json::string(reason)),
            ("evidence_ids", ids(evidence)),
            ("created", Json::string(now)),
            ("created_by", Json::string(by)),
        ];
        if action == Action::Exclude {
            members.push(("confidence", hundredths(new.confidence)));
            members.push(("canary", canary(new)));
        }
        if !scope.is_empty() {
            members.push(("scope", scope_json(scope)));
        }
        match self.find_mut(agent) {
            None => {
                if let Some(Json::Array(items)) = self.root.get_mut("overrides") {
                    items.push(Json::object(members));
                }
            }
            // Members of other programs stay, and so do the time and the author of the proposal.
            Some(entry) => {
                set(entry, "approved", Json::string(now));
                for (key, value) in members {
                    if !["agent", "created", "created_by"].contains(&key) {
                        set(entry, key, value);
                    }
                }
            }
        }
    }

    /// Turns a proposal into an exclusion.
    pub fn approve(&mut self, agent: &AgentName, new: &EntryFields<'_>) {
        if let Some(entry) = self.find_mut(agent) {
            set(entry, "action", Json::string(Action::Exclude.as_str()));
            set(entry, "approved", Json::string(new.now));
            set(entry, "confidence", hundredths(new.confidence));
            set(entry, "canary", canary(new));
        }
    }

    /// Changes the reason, the evidence and the scope of an exclusion.
    pub fn amend(&mut self, agent: &AgentName, new: &EntryFields<'_>) {
        if let Some(entry) = self.find_mut(agent) {
            set(entry, "reason", Json::string(new.reason));
            set(entry, "evidence_ids", ids(new.evidence));
            if new.scope.is_empty() {
                entry.remove("scope");
            } else {
                set(entry, "scope", scope_json(new.scope));
            }
        }
    }

    /// Replaces the entry of an agent with the one that another version of the file has.
    pub fn adopt(&mut self, agent: &AgentName, other: &Self) {
        let Some(entry) = other.of(agent) else { return self.remove(agent) };
        match self.find_mut(agent) {
            Some(there) => *there = entry.json,
            None => {
                if let Some(Json::Array(items)) = self.root.get_mut("overrides") {
                    items.push(entry.json);
                }
            }
        }
    }

    /// Removes every entry of an agent.
    pub fn remove(&mut self, agent: &AgentName) {
        if let Some(Json::Array(items)) = self.root.get_mut("overrides") {
            items.retain(|item| {
                is_foreign(item) || read(item).is_none_or(|entry| entry.agent != agent.as_str())
            });
        }
    }

    fn find_mut(&mut self, agent: &AgentName) -> Option<&mut Json> {
        let wanted = self.of(agent)?.json;
        let Some(Json::Array(items)) = self.root.get_mut("overrides") else { return None };
        items.iter_mut().find(|item| **item == wanted)
    }

    /// Returns the text of the file.
    pub fn text(&self) -> String {
        self.root.pretty()
    }
}

/// Checks whether an entry belongs to another feature.
fn is_foreign(item: &Json) -> bool {
    item.get("kind").is_some()
}

fn read(item: &Json) -> Option<Entry> {
    let text = |key: &str| item.get(key).and_then(Json::as_str);
    let scope = match item.get("scope") {
        None => Some(Scope::default()),
        Some(scope) => serde_json::from_value(scope.to_value()).ok(),
    };
    Some(Entry {
        agent: bare(&text("agent")?).to_owned(),
        action: text("action")?.parse().ok()?,
        reason: text("reason"),
        created_by: text("created_by"),
        expires_at: text("expires_at"),
        scope,
        json: item.clone(),
    })
}

/// Sets a member at its place in [`MEMBER_ORDER`].
fn set(entry: &mut Json, key: &'static str, value: Json) {
    let at = MEMBER_ORDER.iter().position(|known| *known == key).unwrap_or(MEMBER_ORDER.len());
    entry.set(key, value, &MEMBER_ORDER[..at]);
}

fn ids(evidence: &[i64]) -> Json {
    Json::Array(evidence.iter().map(|id| Json::string(&id.to_string())).collect())
}

fn canary(new: &EntryFields<'_>) -> Json {
    Json::object([
        ("status", Json::string("active")),
        ("window_uses", Json::number(new.window_uses)),
        ("expires_at", Json::string(new.window_ends)),
    ])
}

fn scope_json(scope: &Scope) -> Json {
    let parts = [("domains", &scope.domains), ("file_patterns", &scope.file_patterns)];
    Json::object(parts.into_iter().filter(|(_, of)| !of.is_empty()).map(|(key, of)| (key, Json::strings(of))))
}

/// Makes a number of hundredths as `jq` prints it: `1`, `0.8`, `0.78`.
fn hundredths(value: i64) -> Json {
    Json::Scalar(decimal(value))
}

/// Formats hundredths as a decimal number without trailing zeros.
fn decimal(hundredths: i64) -> String {
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    match (rest, rest % 10) {
        (0, _) => whole.to_string(),
        (_, 0) => format!("{whole}.{}", rest / 10),
        _ => format!("{whole}.{rest:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(name: &str) -> AgentName {
        name.parse().unwrap()
    }

    fn new(action: Action, scope: &Scope) -> EntryFields<'_> {
        EntryFields {
            action,
            reason: "slow",
            evidence: &[7, 12],
            now: "2026-11-20T23:53:57Z",
            by: "human",
            scope,
            confidence: 100,
            window_uses: 20,
            window_ends: "2026-12-04T23:53:57Z",
        }
    }

    fn compact(overrides: &Overrides) -> String {
        overrides.text().split_whitespace().collect()
    }

    #[test]
    fn entries_have_their_members_in_order() {
        let everywhere = Scope::default();
        let mut file = Overrides::parse(" \n").unwrap();
        file.put(&agent("fd-a"), &new(Action::Propose, &everywhere));
        assert_eq!(
            file.text(),
            "{\n  \"version\": 1,\n  \"overrides\": [\n    {\n      \"agent\": \"fd-a\",\n      \"action\": \"propose\",\n      \
             \"reason\": \"slow\",\n      \"evidence_ids\": [\n        \"7\",\n        \"12\"\n      ],\n      \
             \"created\": \"2026-11-20T23:53:57Z\",\n      \"created_by\": \"human\"\n    }\n  ]\n}\n"
        );
        file.approve(&agent("fd-a"), &new(Action::Exclude, &everywhere));
        let keys = |file: &Overrides| {
            let Json::Object(members) = file.of(&agent("fd-a")).unwrap().json else { panic!("no object") };
            members.into_iter().map(|(key, _)| key.replace('"', "")).collect::<Vec<_>>().join(" ")
        };
        let order = "agent action reason evidence_ids created created_by approved confidence canary";
        assert_eq!(keys(&file), order);
        let some = Scope { domains: vec!["tui-app".to_owned()], file_patterns: vec!["a/**".to_owned()] };
        let mut file = Overrides::parse("").unwrap();
        file.put(&agent("fd-a"), &new(Action::Exclude, &some));
        assert_eq!(keys(&file), order.replace("approved ", "") + " scope");
        assert_eq!(file.of(&agent("fd-a")).unwrap().scope, Some(some));
        assert!(compact(&file).contains(
            r#""confidence":1,"canary":{"status":"active","window_uses":20,"expires_at":"2026-12-04T23:53:57Z"}"#
        ));
    }

    /// A change keeps unknown members, entries of other kinds, and entries that cannot be read.
    #[test]
    fn the_part_of_others_stays() {
        let text = r#"{"note":1.0,"version":1,"overlays":[{"x":1}],"overrides":[
            {"kind":"skill_tune","agent":"fd-a","action":"exclude"},{"odd":true},7,
            {"agent":"interflux:fd-a","action":"propose","reason":"r","recommended_model":"haiku",
             "evidence_ids":["3",4,"x",null]}],"end":null}"#;
        let mut file = Overrides::parse(text).unwrap();
        let (entries, malformed) = file.entries();
        assert_eq!((entries.len(), malformed), (1, 2));
        assert_eq!((entries[0].agent.as_str(), entries[0].evidence()), ("fd-a", vec![3, 4]));
        file.put(&agent("fd-a"), &new(Action::Exclude, &Scope::default()));
        let after = compact(&file);
        assert!(
            after.starts_with(r#"{"note":1.0,"version":1,"overlays":[{"x":1}],"overrides":["#),
            "{after}"
        );
        assert!(after.contains(r#"{"agent":"interflux:fd-a","action":"exclude","reason":"slow","recommended_model":"haiku","evidence_ids":["7","12"],"approved""#));
        assert!(
            after.contains(r#""recommended_model":"haiku""#) && after.ends_with(r#"],"end":null}"#),
            "{after}"
        );
        file.remove(&agent("fd-a"));
        let left = r#""overrides":[{"kind":"skill_tune","agent":"fd-a","action":"exclude"},{"odd":true},7]"#;
        assert!(compact(&file).contains(left));
    }

    /// IS-05
    #[test]
    fn amending_the_same_changes_nothing() {
        let scope = Scope { domains: vec!["d".to_owned()], ..Scope::default() };
        let mut file = Overrides::parse("").unwrap();
        file.put(&agent("fd-a"), &new(Action::Exclude, &scope));
        let before = file.text();
        file.amend(&agent("fd-a"), &new(Action::Exclude, &scope));
        assert_eq!(file.text(), before);
        file.amend(
            &agent("fd-a"),
            &EntryFields { reason: "other", ..new(Action::Exclude, &Scope::default()) },
        );
        assert!(file.text().contains("other") && !file.text().contains("scope"));
    }

    /// IS-10
    #[test]
    fn what_cannot_be_read_is_refused() {
        for bad in [
            "{",
            "[]",
            "7",
            "{}",
            r#"{"version":2,"overrides":[]}"#,
            r#"{"version":"1","overrides":[]}"#,
            r#"{"version":1}"#,
            r#"{"version":1,"overrides":{}}"#,
            r#"{"version":1,"overrides":null}"#,
        ] {
            assert!(Overrides::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hundredths_are_printed_as_jq_does() {
        let printed = [(100, "1"), (0, "0"), (80, "0.8"), (78, "0.78"), (5, "0.05"), (10, "0.1")];
        assert!(printed.iter().all(|(value, text)| decimal(*value) == *text));
    }
}
