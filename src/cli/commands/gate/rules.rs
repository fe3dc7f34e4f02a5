//! `ic gate rules`

use std::io::{self, Write};

use crate::app::gate::rules::{self, GateRulesList, RuleDetails, TransitionRules};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command, Text};
use crate::domain::ids::RunId;
use crate::domain::text::one_line;

/// List gate rules in the order of the chain
///
/// With --run, lists the rules that are in force for that run; without it, the default rules of the default
/// chain. The source of a run's own rules is `run`.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic gate rules --run=k3x9q2ab --phase=planned")]
pub(in crate::cli) struct Rules {
    /// Only the gate out of this phase
    #[arg(long, value_name = "FROM")]
    phase: Option<String>,
    /// The run
    #[arg(long, value_name = "ID")]
    run: Option<RunId>,
}

impl Command for Rules {
    type Answer = GateRulesList;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<GateRulesList>, Error> {
        let from = args::given(self.phase);
        rules::rules(cx, self.run.as_ref(), from.as_deref())
    }
}

impl Text for GateRulesList {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        for TransitionRules { checks, from, to, .. } in &self.0 {
            for RuleDetails { check, phase, tier } in checks {
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
