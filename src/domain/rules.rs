//! Gate rules: what must be true before a run may leave a phase.

use crate::domain::order;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::phase::{Chain, Phase};

words!(
    /// The condition of a rule.
    Check, "check" {
        /// At least one active artifact is filed under a phase.
        ArtifactExists = "artifact_exists",
        /// No agent of the run is active.
        AgentsComplete = "agents_complete",
        /// Some dispatch of the run has the verdict `pass` or `warn`.
        VerdictExists = "verdict_exists",
        /// As above, and none has a bad verdict.
        VerdictClean = "verdict_clean",
        /// The run has tokens left.
        BudgetNotExceeded = "budget_not_exceeded",
        /// No child of the portfolio is in an earlier phase.
        ChildrenAtPhase = "children_at_phase",
        /// An artifact with the evidence that the run's metadata asks for is there, its file unchanged.
        RuntimeEvidence = "runtime_evidence",
    }
);

/// The checks that a caller may name in `--gates`. The program itself adds the others.
pub const CALLER_CHECKS: [Check; 5] = [
    Check::ArtifactExists,
    Check::AgentsComplete,
    Check::VerdictExists,
    Check::VerdictClean,
    Check::BudgetNotExceeded,
];

words!(
    /// The weight of a rule.
    Tier, "tier" {
        /// A failure blocks.
        Hard = "hard",
        /// A failure is recorded.
        Soft = "soft",
    }
);

/// One condition of a gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// The condition.
    pub check: Check,
    /// The phase that is checked, for checks that need one.
    pub phase: Option<Phase>,
    /// The rule's own weight; without one, the caller's priority decides.
    pub tier: Option<Tier>,
}

/// The rules of one transition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gate {
    /// The current phase.
    pub from: Phase,
    /// The next phase in the chain.
    pub to: Phase,
    /// The conditions; empty for an open gate.
    pub rules: Vec<Rule>,
}

/// The gates of a run that has its own rules: one per adjacent pair, in chain order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct GateRules(Vec<Gate>);

/// A reason to refuse gate rules.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// Not the JSON that was expected.
    #[error("parse gate rules: {0}")]
    Json(String),
    /// A key without the arrow.
    #[error("parse gate rules: invalid transition key \"{0}\" (want from→to)")]
    Key(String),
    /// An empty key.
    #[error("parse gate rules: empty transition key")]
    EmptyKey,
    /// A check that may not be named here.
    #[error(
        "parse gate rules: {key}[{at}]: unknown check \"{check}\" (want one of: artifact_exists, agents_complete, \
         verdict_exists, verdict_clean, budget_not_exceeded)"
    )]
    Check {
        /// The transition.
        key: String,
        /// The rule's position in it.
        at: usize,
        /// The word that was given.
        check: String,
    },
    /// A check that only the program itself adds.
    #[error("parse gate rules: {key}[{at}]: check \"{check}\" cannot be asked for in gate rules")]
    Reserved {
        /// The transition.
        key: String,
        /// The rule's position in it.
        at: usize,
        /// The word that was given.
        check: String,
    },
    /// A tier that does not exist.
    #[error("parse gate rules: {key}[{at}]: invalid tier \"{tier}\" (want hard, soft, or empty)")]
    Tier {
        /// The transition.
        key: String,
        /// The rule's position in it.
        at: usize,
        /// The word that was given.
        tier: String,
    },
    /// A transition that skips phases.
    #[error("validate gate rules: transition \"{0}\" is not adjacent in active phase chain")]
    NotAdjacent(String),
    /// A transition between phases that the chain does not have.
    #[error("validate gate rules: transition \"{0}\" not present in active phase chain")]
    NotPresent(String),
    /// Transitions left out.
    #[error(
        "validate gate rules: missing transitions for active phase chain: {0} (use explicit [] to mark ungated)"
    )]
    Missing(String),
}

#[derive(Deserialize)]
struct RawRule(#[serde(deserialize_with = "folded_keys")] Map<String, Value>);

/// Parses an object with its keys in lower case.
fn folded_keys<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    let raw = Map::deserialize(deserializer)?;
    Ok(raw.into_iter().map(|(key, value)| (key.to_lowercase(), value)).collect())
}

impl RawRule {
    fn text(&self, key: &str) -> Result<&str, RulesError> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(""),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(RulesError::Json(format!("\"{key}\" must be a string, not {other}"))),
        }
    }

    fn rule(&self, key: &str, at: usize, from: &Phase) -> Result<Rule, RulesError> {
        let check = self.text("check")?;
        let known = check.parse::<Check>().ok();
        let known = match known {
            Some(known) if CALLER_CHECKS.contains(&known) => known,
            Some(_) => return Err(RulesError::Reserved { key: key.into(), at, check: check.into() }),
            None if check == "upstreams_at_phase" => {
                return Err(RulesError::Reserved { key: key.into(), at, check: check.into() });
            }
            None => return Err(RulesError::Check { key: key.into(), at, check: check.into() }),
        };
        let tier = match self.text("tier")? {
            "" => None,
            tier => {
                Some(tier.parse().map_err(|_| RulesError::Tier { key: key.into(), at, tier: tier.into() })?)
            }
        };
        let phase = match self.text("phase")?.parse::<Phase>() {
            Ok(phase) => Some(phase),
            // Without a phase the check could never pass, so it takes the phase that is left.
            Err(_) if known == Check::ArtifactExists => Some(from.clone()),
            Err(_) => None,
        };
        Ok(Rule { check: known, phase, tier })
    }
}

impl GateRules {
    /// Parses `{"from→to":[{"check":…,"phase":…,"tier":…}]}` and checks it against `chain`: every adjacent
    /// pair must be there, and no other. The literal `null` and blank text mean that there are no rules.
    pub fn parse(json: &str, chain: &Chain) -> Result<Option<Self>, RulesError> {
        if json.trim().is_empty() {
            return Ok(None);
        }
        let raw: Option<Map<String, Value>> =
            serde_json::from_str(json).map_err(|err| RulesError::Json(err.to_string()))?;
        let Some(raw) = raw else { return Ok(None) };
        let mut gates = Vec::new();
        for (key, list) in raw {
            if key.is_empty() {
                return Err(RulesError::EmptyKey);
            }
            let pair =
                key.split_once('→').and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
            let (from, to): (Phase, Phase) = pair.ok_or_else(|| RulesError::Key(key.clone()))?;
            let list: Option<Vec<RawRule>> =
                serde_json::from_value(list).map_err(|err| RulesError::Json(format!("{key}: {err}")))?;
            let rules = list.unwrap_or_default();
            let rules = rules.iter().enumerate().map(|(at, rule)| rule.rule(&key, at, &from));
            gates.push(Gate { rules: rules.collect::<Result<_, _>>()?, from, to });
        }
        Self::fit(gates, chain).map(Some)
    }

    fn fit(gates: Vec<Gate>, chain: &Chain) -> Result<Self, RulesError> {
        let place = |gate: &Gate| Some((chain.index(&gate.from)?, chain.index(&gate.to)?));
        for gate in &gates {
            let key = format!("{}→{}", gate.from, gate.to);
            match place(gate) {
                None => return Err(RulesError::NotPresent(key)),
                Some((from, to)) if to != from + 1 => return Err(RulesError::NotAdjacent(key)),
                Some(_) => {}
            }
        }
        let pairs = || chain.phases().windows(2).map(|pair| (&pair[0], &pair[1]));
        let missing: Vec<_> = pairs()
            .filter(|(from, to)| !gates.iter().any(|gate| (&gate.from, &gate.to) == (*from, *to)))
            .map(|(from, to)| format!("{from}→{to}"))
            .collect();
        if !missing.is_empty() {
            return Err(RulesError::Missing(missing.join(", ")));
        }
        let mut gates = gates;
        order::by_key(&mut gates, |gate| place(gate));
        Ok(Self(gates))
    }

    /// Returns the gates in chain order.
    pub fn gates(&self) -> &[Gate] {
        &self.0
    }

    /// Returns the rules between two adjacent phases.
    pub fn between(&self, from: &Phase, to: &Phase) -> &[Rule] {
        self.0.iter().find(|gate| (&gate.from, &gate.to) == (from, to)).map_or(&[], |gate| &gate.rules)
    }

    /// Returns the JSON text that [`GateRules::parse`] reads.
    pub fn to_json(&self) -> String {
        let rule = |rule: &Rule| {
            let mut map = Map::from_iter([("check".to_owned(), json!(rule.check))]);
            map.extend(rule.phase.iter().map(|phase| ("phase".to_owned(), json!(phase))));
            map.extend(rule.tier.iter().map(|tier| ("tier".to_owned(), json!(tier))));
            Value::Object(map)
        };
        let gates = self.0.iter().map(|gate| {
            let rules = gate.rules.iter().map(rule).collect::<Vec<_>>();
            (format!("{}→{}", gate.from, gate.to), Value::Array(rules))
        });
        Value::Object(gates.collect()).to_string()
    }
}

/// Returns the rules between two adjacent phases of a run that does not have its own rules.
pub fn default_rules(from: &Phase, to: &Phase) -> Vec<Rule> {
    let artifact = || Rule { check: Check::ArtifactExists, phase: Some(from.clone()), tier: None };
    let plain = |check| Rule { check, phase: None, tier: None };
    match (from.as_str(), to.as_str()) {
        ("brainstorm", "brainstorm-reviewed")
        | ("brainstorm-reviewed", "strategized")
        | ("strategized" | "goal-formed", "planned")
        | ("planned", "executing")
        | ("reflect", "done") => vec![artifact()],
        ("executing", "review") => vec![plain(Check::AgentsComplete)],
        ("review", "polish") => vec![plain(Check::VerdictExists)],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Chain {
        r#"["a","b","c"]"#.parse().unwrap()
    }

    fn error(json: &str) -> String {
        GateRules::parse(json, &chain()).unwrap_err().to_string()
    }

    #[test]
    fn rules_are_read_whatever_the_case_of_their_keys() {
        let json = r#"{"b→c":null,"a→b":[{"Check":"artifact_exists","TIER":"hard","x":1}]}"#;
        let rules = GateRules::parse(json, &chain()).unwrap().unwrap();
        let first = &rules.gates()[0].rules[0];
        assert_eq!(
            first.phase.as_ref().unwrap().as_str(),
            "a",
            "artifact_exists means the phase that is left"
        );
        assert_eq!(first.tier, Some(Tier::Hard));
        assert_eq!(GateRules::parse(&rules.to_json(), &chain()).unwrap().unwrap(), rules);
        assert_eq!(GateRules::parse("null", &chain()).unwrap(), None);
        assert_eq!(GateRules::parse(" ", &chain()).unwrap(), None);
    }

    #[test]
    fn bad_rules_say_what_is_wrong() {
        for (json, expected) in [
            (r#"{"a->b":[]}"#, "parse gate rules: invalid transition key \"a->b\" (want from→to)"),
            (r#"{"":[]}"#, "parse gate rules: empty transition key"),
            (
                r#"{"a→c":[],"a→b":[],"b→c":[]}"#,
                "validate gate rules: transition \"a→c\" is not adjacent in active phase chain",
            ),
            (r#"{"a→q":[]}"#, "validate gate rules: transition \"a→q\" not present in active phase chain"),
            (
                r"{}",
                "validate gate rules: missing transitions for active phase chain: a→b, b→c (use explicit [] to mark ungated)",
            ),
            (
                r#"{"a→b":[{"check":"artifact_exists","tier":"x"}]}"#,
                "parse gate rules: a→b[0]: invalid tier \"x\" (want hard, soft, or empty)",
            ),
            (
                r#"{"a→b":[{"check":"upstreams_at_phase"}]}"#,
                "parse gate rules: a→b[0]: check \"upstreams_at_phase\" cannot be asked for in gate rules",
            ),
            (
                r#"{"a→b":[{"check":"children_at_phase"}]}"#,
                "parse gate rules: a→b[0]: check \"children_at_phase\" cannot be asked for in gate rules",
            ),
        ] {
            assert_eq!(error(json), expected);
        }
        assert!(
            error(r#"{"a→b":[{"check":"x"}]}"#).starts_with("parse gate rules: a→b[0]: unknown check \"x\"")
        );
        assert!(error("[").starts_with("parse gate rules: "));
        assert!(error(r#"{"a→b":[{"check":3}]}"#).contains("must be a string"));
    }
}
