//! Escalation: the choice of the model for the next attempt.

use serde::{Deserialize, Serialize};

/// The models, from the weakest to the strongest.
const LADDER: [&str; 3] = ["sonnet", "opus", "fable"];
/// The number of attempts on a model before the next one is used.
const STRIKES: i64 = 2;
/// The maximum number of escalations of a chain.
const CLIMBS: i64 = 2;

/// The state of a chain of attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    pub chain_key: String,
    /// The attempts, by dispatch.
    pub dispatches: Vec<String>,
    /// The models that they ran on.
    pub models: Vec<String>,
    /// The failure of each attempt.
    pub failures: Vec<String>,
    /// The model of the last attempt.
    pub current_model: String,
    /// The number of failures of that model.
    pub strikes_at_rung: i64,
    /// The number of escalations.
    pub escalations: i64,
    /// Whether no model is left.
    pub exhausted: bool,
}

/// The consequence of another failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Another attempt.
    Again {
        model: String,
        /// Whether the model is stronger than before.
        escalated: bool,
    },
    /// No model is left.
    Exhausted,
}

impl Chain {
    /// Creates a chain that begins with a model; a model that the ladder does not know counts as the first.
    pub fn new(key: &str, model: Option<&str>) -> Self {
        Self {
            chain_key: key.to_owned(),
            current_model: model.unwrap_or(LADDER[0]).to_owned(),
            ..Self::default()
        }
    }

    /// Records that the dispatch failed on the current model, and returns the consequence. `strongest` says
    /// whether the strongest model may be used.
    pub fn strike(&mut self, dispatch: &str, failure: &str, strongest: bool) -> Step {
        self.dispatches.push(dispatch.to_owned());
        self.models.push(self.current_model.clone());
        self.failures.push(failure.to_owned());
        self.strikes_at_rung += 1;
        if self.strikes_at_rung < STRIKES {
            return Step::Again { model: self.current_model.clone(), escalated: false };
        }
        let rung = LADDER.iter().position(|model| *model == self.current_model).unwrap_or(0);
        let top = if strongest { LADDER.len() } else { LADDER.len() - 1 };
        match LADDER[..top].get(rung + 1) {
            Some(next) if self.escalations < CLIMBS => {
                (*next).clone_into(&mut self.current_model);
                self.strikes_at_rung = 0;
                self.escalations += 1;
                Step::Again { model: self.current_model.clone(), escalated: true }
            }
            _ => {
                self.exhausted = true;
                Step::Exhausted
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn climb(model: &str, strongest: bool) -> Vec<String> {
        let mut chain = Chain::new("k", Some(model));
        let mut seen = Vec::new();
        loop {
            match chain.strike("d", "error: x", strongest) {
                Step::Again { model, escalated } => {
                    seen.push(format!("{model}{}", if escalated { "*" } else { "" }));
                }
                Step::Exhausted => return seen,
            }
        }
    }

    /// DI-07
    #[test]
    fn each_rung_has_two_strikes() {
        assert_eq!(climb("sonnet", false), ["sonnet", "opus*", "opus"]);
        assert_eq!(climb("opus", true), ["opus", "fable*", "fable"]);
        assert_eq!(climb("sonnet", true), ["sonnet", "opus*", "opus", "fable*", "fable"]);
        assert_eq!(climb("home-made", false), ["home-made", "opus*", "opus"]);
    }
}
