//! The outcomes of past gate decisions.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::event::Event;
use super::gate::{Condition, Outcome};
use super::ids::RunId;
use super::phase::Chain;

words!(
    /// The outcome of a gate decision, in hindsight.
    SignalType, "signal type" {
        /// Blocked, and not overridden.
        TruePositive = "tp",
        /// Failed, and the run advanced all the same.
        FalsePositive = "fp",
        /// Passed.
        TrueNegative = "tn",
        /// Passed, and rolled back later.
        FalseNegative = "fn",
    }
);

/// One condition of one gate decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Signal {
    /// The event that recorded the decision.
    pub event_id: i64,
    pub run_id: RunId,
    /// The check; empty when the event holds no evidence.
    pub check_type: String,
    /// The phase that was left, or would have been.
    pub from_phase: String,
    /// The phase that was entered, or would have been.
    pub to_phase: String,
    /// The outcome.
    pub signal_type: SignalType,
    /// Unix seconds.
    pub created_at: i64,
    /// The category of an override.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
}

/// Collects signals from phase events in order.
#[derive(Default)]
pub struct Collector {
    signals: Vec<Signal>,
    chains: BTreeMap<RunId, Chain>,
}

impl Collector {
    /// Takes the next phase event. `chain` returns the chain of a run that is not known yet.
    pub fn take<E>(
        &mut self,
        event: &Event,
        chain: impl FnOnce(&RunId) -> Result<Chain, E>,
    ) -> Result<(), E> {
        let Some(run_id) = &event.run_id else { return Ok(()) };
        match event.kind.as_str() {
            "block" => self
                .push(run_id, event, |result| (result != Outcome::Pass).then_some(SignalType::TruePositive)),
            "advance" => self.push(run_id, event, |result| match result {
                Outcome::Pass => Some(SignalType::TrueNegative),
                Outcome::Fail => Some(SignalType::FalsePositive),
                Outcome::Open => None,
            }),
            "override" => {
                let (from, to) = (event.from.as_str(), event.to.as_str());
                let same = |s: &Signal| s.run_id == *run_id && s.from_phase == from && s.to_phase == to;
                self.signals.retain(|s| !(s.signal_type == SignalType::TruePositive && same(s)));
                self.push(run_id, event, |result| {
                    (result != Outcome::Pass).then_some(SignalType::FalsePositive)
                });
            }
            "rollback" => {
                if !self.chains.contains_key(run_id) {
                    self.chains.insert(run_id.clone(), chain(run_id)?);
                }
                self.came_back(run_id, event);
            }
            _ => {}
        }
        Ok(())
    }

    /// Turns passes into the phases that a rollback undoes into false negatives.
    fn came_back(&mut self, run_id: &RunId, event: &Event) {
        let Some(chain) = self.chains.get(run_id) else { return };
        let place = |name: &str| chain.phases().iter().position(|phase| phase.as_str() == name);
        let (Some(from), Some(to)) = (place(&event.from), place(&event.to)) else { return };
        for signal in self.signals.iter_mut().filter(|s| s.run_id == *run_id) {
            let undone = place(&signal.to_phase).is_some_and(|at| at > to && at <= from);
            if signal.signal_type == SignalType::TrueNegative && undone {
                signal.signal_type = SignalType::FalseNegative;
            }
        }
    }

    fn push(&mut self, run_id: &RunId, event: &Event, classify: impl Fn(Outcome) -> Option<SignalType>) {
        let data = event.data();
        let gate = |key: &str| data.get("gate").and_then(|gate| gate.get(key)).cloned();
        let conditions: Vec<Condition> =
            gate("conditions").and_then(|list| serde_json::from_value(list).ok()).unwrap_or_default();
        let whole = gate("result").and_then(|r| serde_json::from_value(r).ok()).unwrap_or(Outcome::Open);
        let signal = |check_type: String, signal_type| Signal {
            event_id: event.id,
            run_id: run_id.clone(),
            check_type,
            from_phase: event.from.clone(),
            to_phase: event.to.clone(),
            signal_type,
            created_at: event.secs(),
            category: data.get("override_category").and_then(|c| c.as_str()).map(ToOwned::to_owned),
        };
        if conditions.is_empty() {
            self.signals.extend(classify(whole).map(|signal_type| signal(String::new(), signal_type)));
        }
        let each = |c: &Condition| Some(signal(c.check.to_string(), classify(c.result)?));
        self.signals.extend(conditions.iter().filter_map(each));
    }

    /// Returns the signals, oldest first.
    pub fn into_signals(self) -> Vec<Signal> {
        self.signals
    }
}
