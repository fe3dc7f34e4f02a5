//! Phases and chains: the phases of a run, their order, and the effect of a skip.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// The name of one step in a run's life.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Phase(String);

impl Phase {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_plain(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    }
}

impl FromStr for Phase {
    type Err = super::text::Empty;

    /// Parses any text that is not empty. The [`Chain`] of a run decides whether the run has the phase.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() { Err(super::text::Empty) } else { Ok(Self(text.to_owned())) }
    }
}

impl crate::domain::TextColumn for Phase {}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A reason to refuse a chain.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Not a JSON array of strings.
    #[error("parse phase chain: {0}")]
    Json(String),
    /// Fewer than two phases.
    #[error("parse phase chain: need at least 2 phases, got {0}")]
    TooShort(usize),
    /// A name with characters other than letters, digits, `_` and `-`.
    #[error("parse phase chain: invalid phase name \"{0}\" (must match [a-zA-Z0-9_-]+)")]
    Name(String),
    /// A phase named twice.
    #[error("parse phase chain: duplicate phase \"{0}\"")]
    Duplicate(Phase),
}

/// The phases of a run, in order. The first is where it starts; the last ends it, whatever its name.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Chain(Vec<Phase>);

/// One step along a chain.
///
/// `adjacent` is the phase after `from`; `to` is the phase that is entered after passing over skipped ones.
/// Gates are looked up by `from` and `adjacent`: leaving a phase always needs that phase's own exit rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The current phase.
    pub from: Phase,
    /// The next phase in the chain.
    pub adjacent: Phase,
    /// The next phase in the chain that is not skipped.
    pub to: Phase,
}

const DEFAULT: [&str; 9] = [
    "brainstorm",
    "brainstorm-reviewed",
    "strategized",
    "planned",
    "executing",
    "review",
    "polish",
    "reflect",
    "done",
];

impl Default for Chain {
    fn default() -> Self {
        Self(DEFAULT.iter().map(|&name| Phase(name.to_owned())).collect())
    }
}

impl FromStr for Chain {
    type Err = ChainError;

    /// Parses a JSON array of at least two distinct phase names.
    fn from_str(json: &str) -> Result<Self, ChainError> {
        let phases: Vec<Phase> =
            serde_json::from_str(json).map_err(|err| ChainError::Json(err.to_string()))?;
        if phases.len() < 2 {
            return Err(ChainError::TooShort(phases.len()));
        }
        let mut seen = BTreeSet::new();
        for phase in &phases {
            if !phase.is_plain() {
                return Err(ChainError::Name(phase.0.clone()));
            }
            if !seen.insert(phase) {
                return Err(ChainError::Duplicate(phase.clone()));
            }
        }
        Ok(Self(phases))
    }
}

impl Chain {
    pub fn phases(&self) -> &[Phase] {
        &self.0
    }

    /// Returns the phase in which a run starts.
    pub fn first(&self) -> &Phase {
        &self.0[0]
    }

    /// Returns the phase in which a run ends.
    pub fn last(&self) -> &Phase {
        &self.0[self.0.len() - 1]
    }

    /// Returns the position of `phase` in the chain.
    pub fn index(&self, phase: &Phase) -> Option<usize> {
        self.0.iter().position(|p| p == phase)
    }

    /// Returns the phases after `phase`: none for the last one, and for one that the chain does not have.
    pub fn after(&self, phase: &Phase) -> &[Phase] {
        self.index(phase).map_or(&[], |at| &self.0[at + 1..])
    }

    /// Returns the step from `from`, or `None` at the last phase and outside the chain. The last phase cannot
    /// be passed over. Advance, gate check and override must agree on the destination, so all of them use
    /// this function.
    pub fn step(&self, from: &Phase, skipped: &BTreeSet<Phase>) -> Option<Step> {
        let rest = self.after(from);
        let adjacent = rest.first()?;
        let to = rest.iter().find(|phase| !skipped.contains(*phase)).unwrap_or_else(|| self.last());
        Some(Step { from: from.clone(), adjacent: adjacent.clone(), to: to.clone() })
    }

    /// Returns the JSON array that the chain is stored as.
    pub fn to_json(&self) -> String {
        serde_json::Value::from(self.0.iter().map(|p| p.0.clone()).collect::<Vec<_>>()).to_string()
    }

    /// Checks whether `phase` is in the chain, and not its last one.
    pub fn has_next(&self, phase: &Phase) -> bool {
        self.index(phase).is_some() && phase != self.last()
    }

    /// Returns the phases of the default chain that automatic skips leave out at a complexity. Level 1 walks
    /// brainstorm, planned, executing and done; level 2 also brainstorm-reviewed; level 3 and above walk
    /// every phase.
    pub fn auto_skips(complexity: i64) -> Vec<Phase> {
        let kept: &[&str] = match complexity {
            ..=1 => &["brainstorm", "planned", "executing", "done"],
            2 => &["brainstorm", "brainstorm-reviewed", "planned", "executing", "done"],
            _ => &DEFAULT,
        };
        DEFAULT.iter().filter(|name| !kept.contains(name)).map(|&name| Phase(name.to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(name: &str) -> Phase {
        name.parse().unwrap()
    }

    #[test]
    fn chains_are_checked_when_read() {
        assert_eq!("[\"a\"]".parse::<Chain>(), Err(ChainError::TooShort(1)));
        assert_eq!("[\"a\",\"b c\"]".parse::<Chain>(), Err(ChainError::Name("b c".into())));
        assert_eq!("[\"a\",\"\"]".parse::<Chain>(), Err(ChainError::Name(String::new())));
        assert_eq!("[\"a\",\"b\",\"a\"]".parse::<Chain>(), Err(ChainError::Duplicate(phase("a"))));
        assert!(matches!("{}".parse::<Chain>(), Err(ChainError::Json(_))));
        assert!(matches!("[\"a\",\"b\"] x".parse::<Chain>(), Err(ChainError::Json(_))));
        assert_eq!("[\"a\",\"b\"]".parse::<Chain>().unwrap().to_json(), "[\"a\",\"b\"]");
    }

    /// PH-04
    #[test]
    fn a_step_walks_past_skipped_phases_but_keeps_the_pair_it_leaves_by() {
        let chain: Chain = r#"["a","b","c","d"]"#.parse().unwrap();
        let skipped = BTreeSet::from([phase("b"), phase("c"), phase("d")]);
        let step = chain.step(&phase("a"), &skipped).unwrap();
        assert_eq!((step.adjacent, step.to), (phase("b"), phase("d")));
        assert_eq!(chain.step(&phase("d"), &skipped), None);
        assert_eq!(chain.step(&phase("x"), &skipped), None);
        assert_eq!(chain.step(&phase("b"), &BTreeSet::new()).unwrap().to, phase("c"));
    }

    /// PH-12
    #[test]
    fn complexity_decides_what_auto_skip_leaves_out() {
        let left = |level| {
            let skips = Chain::auto_skips(level);
            let chain = Chain::default();
            chain.phases().iter().filter(|p| !skips.contains(p)).map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(left(1), ["brainstorm", "planned", "executing", "done"]);
        assert_eq!(left(2), ["brainstorm", "brainstorm-reviewed", "planned", "executing", "done"]);
        assert_eq!(left(3).len(), 9);
    }
}
