//! The gate rules of a run, or of the default chain.

use schemars::JsonSchema;
use serde::Serialize;

use crate::app::{CommandContext, Error, Reply};
use crate::domain::gate::RuleSource;
use crate::domain::ids::RunId;
use crate::domain::phase::{Chain, Phase};
use crate::domain::rules::{Check, Rule, Tier, default_rules};
use crate::ops::gate;
use crate::store;

/// Gates, in the order of the chain.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct GateRulesList(pub Vec<TransitionRules>);

/// The rules of the gate between two adjacent phases.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TransitionRules {
    pub checks: Vec<RuleDetails>,
    pub from: Phase,
    /// `run`, `default` or `required`.
    pub source: &'static str,
    pub to: Phase,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RuleDetails {
    pub check: Check,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Left out if the caller's priority decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
}

impl From<Rule> for RuleDetails {
    fn from(Rule { check, phase, tier }: Rule) -> Self {
        Self { check, phase, tier }
    }
}

/// Returns the rules in force for a run, or the default rules; with `from`, only those of the gate out of
/// that phase.
///
/// # Errors
/// [`Error::Ops`] if the run does not exist.
pub(crate) fn rules(
    cx: &mut CommandContext,
    run: Option<&RunId>,
    from: Option<&str>,
) -> Result<Reply<GateRulesList>, Error> {
    let mut found = match run {
        None => transitions(&Chain::default(), |from, to| (RuleSource::Default, default_rules(from, to))),
        Some(id) => {
            let run = cx.read(|tx| store::run::get(tx, id))?;
            transitions(&run.chain(), |from, to| gate::rules_between(&run, from, to))
        }
    };
    if let Some(from) = from {
        found.retain(|transition| transition.from.as_str() == from);
    }
    Ok(Reply::yes(GateRulesList(found)))
}

/// Returns the transitions of a chain. Those without a check are listed only where the run's own rules name
/// them.
fn transitions(
    chain: &Chain,
    rules: impl Fn(&Phase, &Phase) -> (RuleSource, Vec<Rule>),
) -> Vec<TransitionRules> {
    let pairs = chain.phases().iter().zip(chain.phases().iter().skip(1));
    let transition = |(from, to): (&Phase, &Phase)| {
        let (source, rules) = rules(from, to);
        let is_listed = source == RuleSource::PerRun || !rules.is_empty();
        let checks = rules.into_iter().map(RuleDetails::from).collect();
        is_listed.then(|| TransitionRules {
            checks,
            from: from.clone(),
            source: word(source),
            to: to.clone(),
        })
    };
    pairs.filter_map(transition).collect()
}

/// Returns the word for the source of rules in this list: `gate check` says `per-run` for what is `run` here.
fn word(source: RuleSource) -> &'static str {
    if source == RuleSource::PerRun { "run" } else { source.as_str() }
}
