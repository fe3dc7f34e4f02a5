//! `ic gate rules`: which conditions hold between which phases.

use std::io::{self, Write};

use serde::Serialize;

use crate::app::Error;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx, args};
use crate::domain::gate::RuleSource;
use crate::domain::ids::RunId;
use crate::domain::phase::{Chain, Phase};
use crate::domain::rules::{Check, Rule, Tier, default_rules};
use crate::domain::text::one_line;
use crate::ops::gate;
use crate::store;

/// List gate rules in the order of the chain
///
/// With --run the rules that are in force for that run; without it the default rules of the default chain. The source of
/// rules that a run has of its own is `run`.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic gate rules --run=k3x9q2ab --phase=planned")]
pub(in crate::cli) struct Rules {
    /// Only the gate out of this phase
    #[arg(long, value_name = "FROM")]
    phase: Option<String>,
    /// The run whose rules are meant
    #[arg(long, value_name = "ID")]
    run: Option<RunId>,
}

#[derive(Serialize)]
struct RuleView {
    check: Check,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<Phase>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<Tier>,
}

impl From<Rule> for RuleView {
    fn from(Rule { check, phase, tier }: Rule) -> Self {
        Self { check, phase, tier }
    }
}

#[derive(Serialize)]
struct GateView {
    checks: Vec<RuleView>,
    from: Phase,
    source: &'static str,
    to: Phase,
}

/// Returns the word for the source of rules in this list: `gate check` says `per-run` for what is `run` here.
fn word(source: RuleSource) -> &'static str {
    if source == RuleSource::PerRun { "run" } else { source.as_str() }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Gates(Vec<GateView>);

impl View for Gates {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        for GateView { checks, from, to, .. } in &self.0 {
            for RuleView { check, phase, tier } in checks {
                write!(w, "{from} → {to}\t{check}")?;
                if let Some(phase) = phase {
                    write!(w, " (phase: {})", one_line(phase.as_str()))?;
                }
                if let Some(tier) = tier {
                    write!(w, " [{tier}]")?;
                }
                writeln!(w)?;
            }
        }
        Ok(())
    }
}

/// Returns the gates of a chain. Those without a check are listed only where the run's own rules name them.
fn gates(chain: &Chain, rules: impl Fn(&Phase, &Phase) -> (RuleSource, Vec<Rule>)) -> Vec<GateView> {
    let pairs = chain.phases().iter().zip(chain.phases().iter().skip(1));
    let gate = |(from, to): (&Phase, &Phase)| {
        let (source, rules) = rules(from, to);
        let listed = source == RuleSource::PerRun || !rules.is_empty();
        let checks = rules.into_iter().map(RuleView::from).collect();
        listed.then(|| GateView { checks, from: from.clone(), source: word(source), to: to.clone() })
    };
    pairs.filter_map(gate).collect()
}

impl Verb for Rules {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let mut found = match &self.run {
            None => gates(&Chain::default(), |from, to| (RuleSource::Default, default_rules(from, to))),
            Some(id) => {
                let run = cx.read(|tx| store::run::get(tx, id))?;
                gates(&run.chain(), |from, to| gate::rules_between(&run, from, to))
            }
        };
        if let Some(from) = args::given(self.phase) {
            found.retain(|gate| gate.from.as_str() == from);
        }
        cx.out.show(&Gates(found))?;
        Ok(Answer::Yes)
    }
}
