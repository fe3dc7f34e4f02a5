//! `ic gate override`: the next phase, whatever the gate says.

use std::io::{self, Write};

use serde::Serialize;

use crate::cli::dispatch;
use crate::cli::effects::{self, Moved};
use crate::cli::error::CliError;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx, args};
use crate::domain::gate::OverrideCategory;
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::domain::text::{Required, one_line};
use crate::ops::override_gate::{Request, override_gate};

/// Move a run to its next phase past the gate
///
/// The gate is looked at all the same: its true verdict is recorded beside the reason.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic gate override k3x9q2ab --reason=\"plan agreed by phone\" --justified")]
pub(in crate::cli) struct Override {
    /// The run
    run: RunId,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Required,
    /// The gate is wrong here
    #[arg(long)]
    justified: bool,
    /// The gate is right, and time is short
    #[arg(long)]
    expedient: bool,
    /// Refuse if the run is in another phase
    #[arg(long, value_name = "PHASE")]
    expect_phase: Option<Phase>,
}

#[derive(Serialize)]
struct Overridden<'a> {
    category: OverrideCategory,
    from_phase: &'a Phase,
    reason: &'a str,
    to_phase: &'a Phase,
}

impl View for Overridden<'_> {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        let Self { category, from_phase, reason, to_phase } = self;
        let reason = one_line(reason);
        writeln!(w, "{from_phase} → {to_phase} (override: {reason}, category: {category})")
    }
}

impl Verb for Override {
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        let category = match (self.justified, self.expedient) {
            (true, true) => {
                return Err(CliError::usage(
                    "gate override: --justified and --expedient are mutually exclusive",
                ));
            }
            (true, false) => OverrideCategory::Justified,
            (false, true) => OverrideCategory::Expedient,
            (false, false) => OverrideCategory::Uncategorized,
        };
        let request = Request {
            id: self.run,
            expect: self.expect_phase,
            reason: args::redacted("--reason", self.reason.as_str(), cx),
            category,
        };
        let stamp = cx.stamp.clone();
        let done = cx.write(|tx| override_gate(tx, &request, &stamp))?;
        let moved = Moved {
            event_id: done.event_id,
            kind: "override",
            from: &done.step.from,
            to: &done.step.to,
            reason: Some(&done.reason),
        };
        effects::phase_hook(cx, &done.run, &moved);
        dispatch::auto::dispatch_agents(cx, &done.run, &done.step.to);
        if category == OverrideCategory::Uncategorized {
            cx.out.warn(
                "gate override: DEPRECATION: say --justified or --expedient; one of them will be required",
            );
        }
        cx.out.show(&Overridden {
            category,
            from_phase: &done.step.from,
            reason: &request.reason,
            to_phase: &done.step.to,
        })?;
        Ok(Answer::Yes)
    }
}
