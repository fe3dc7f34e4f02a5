//! Gates: facts in, verdict out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::phase::Phase;
use super::rules::{Check, Rule, Tier};

words!(
    /// The result of a gate or of one of its conditions.
    Outcome, "gate result" {
        /// True.
        Pass = "pass",
        /// Not true.
        Fail = "fail",
        /// Not evaluated.
        Open = "none",
    }
);

words!(
    /// The weight of a gate.
    GateTier, "gate tier" {
        /// Not evaluated.
        Open = "none",
        /// A failure is recorded and the run advances.
        Soft = "soft",
        /// A failure blocks.
        Hard = "hard",
    }
);

words!(
    /// The source of a gate's rules.
    RuleSource, "rule source" {
        /// The run's own rules.
        PerRun = "per-run",
        /// The table for well-known phase names.
        Default = "default",
        /// The table, with a tier raised by a calibration file.
        Calibrated = "calibrated",
        /// The run's metadata alone.
        Required = "required",
    }
);

words!(
    /// The category of an override.
    OverrideCategory, "override category" {
        /// The gate is wrong in this case.
        Justified = "justified",
        /// The gate is right, and time is short.
        Expedient = "expedient",
        /// The caller did not say.
        Uncategorized = "uncategorized",
    }
);

/// The caller's priority: 0 and 1 make gates hard, 2 and 3 soft; 4 and above disables them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priority(pub i64);

impl Priority {
    /// Returns the weight of a condition that has none of its own.
    pub fn tier(self) -> GateTier {
        match self.0 {
            ..=1 => GateTier::Hard,
            2 | 3 => GateTier::Soft,
            _ => GateTier::Open,
        }
    }
}

/// The finding of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Whether the rule's condition is true.
    pub holds: bool,
    /// The number that was found, for checks that count.
    pub count: Option<i64>,
    /// A sentence that says what is missing.
    pub detail: Option<String>,
}

/// One condition as evidence, in the form that the event log stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Condition {
    pub check: Check,
    /// The phase that was checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// `pass` or `fail`.
    pub result: Outcome,
    /// The number that was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    /// A sentence that says what is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The verdict of a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether every condition is true.
    pub result: Outcome,
    /// The heaviest tier among the failing conditions, or the priority's tier when none fails.
    pub tier: GateTier,
    /// Every condition that was evaluated.
    pub conditions: Vec<Condition>,
}

impl Verdict {
    /// Returns the verdict of a gate that is not evaluated.
    pub fn open() -> Self {
        Self { result: Outcome::Open, tier: GateTier::Open, conditions: Vec::new() }
    }

    /// Judges each condition by its own tier.
    pub fn judge(found: impl IntoIterator<Item = (Rule, Fact)>, priority: Priority) -> Self {
        let mut heaviest_failure = None;
        let mut conditions = Vec::new();
        for (rule, fact) in found {
            if !fact.holds {
                let tier = rule.tier.map_or(priority.tier(), |tier| match tier {
                    Tier::Hard => GateTier::Hard,
                    Tier::Soft => GateTier::Soft,
                });
                heaviest_failure = heaviest_failure.max(Some(tier));
            }
            conditions.push(Condition {
                check: rule.check,
                phase: rule.phase,
                result: if fact.holds { Outcome::Pass } else { Outcome::Fail },
                count: fact.count,
                detail: fact.detail,
            });
        }
        Self {
            result: if heaviest_failure.is_some() { Outcome::Fail } else { Outcome::Pass },
            tier: heaviest_failure.unwrap_or_else(|| priority.tier()),
            conditions,
        }
    }

    /// Checks whether the run must stay in its phase.
    pub fn blocks(&self) -> bool {
        self.result == Outcome::Fail && self.tier == GateTier::Hard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(tier: Option<Tier>) -> Rule {
        Rule { check: Check::AgentsComplete, phase: None, tier }
    }

    fn fact(holds: bool) -> Fact {
        Fact { holds, count: Some(0), detail: None }
    }

    /// PH-06, as a decision table: rule tiers of a failing and a passing condition, priority, then the gate's
    /// tier and whether it blocks.
    #[test]
    fn a_condition_blocks_only_by_its_own_tier() {
        use Tier::{Hard, Soft};
        for (failing, passing, priority, tier, blocks) in [
            (None, None, 1, GateTier::Hard, true),
            (None, None, -5, GateTier::Hard, true),
            (None, None, 3, GateTier::Soft, false),
            (Some(Soft), Some(Hard), 3, GateTier::Soft, false),
            (Some(Soft), Some(Hard), 1, GateTier::Soft, false),
            (Some(Hard), Some(Soft), 3, GateTier::Hard, true),
            (Some(Hard), None, 2, GateTier::Hard, true),
        ] {
            let found = [(rule(failing), fact(false)), (rule(passing), fact(true))];
            let verdict = Verdict::judge(found, Priority(priority));
            assert_eq!(
                (verdict.result, verdict.tier),
                (Outcome::Fail, tier),
                "{failing:?} {passing:?} {priority}"
            );
            assert_eq!(verdict.blocks(), blocks, "{failing:?} {passing:?} {priority}");
            assert_eq!(verdict.conditions.len(), 2);
        }
    }

    #[test]
    fn a_gate_without_rules_passes() {
        let verdict = Verdict::judge([], Priority(1));
        assert_eq!((verdict.result, verdict.tier, verdict.blocks()), (Outcome::Pass, GateTier::Hard, false));
    }
}
