//! `ic gate override`

use std::io::{self, Write};

use crate::app::gate::override_::{self, OverrideAnswer, OverrideRequest};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command, Text};
use crate::domain::gate::OverrideCategory;
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::domain::text::{Required, one_line};

/// Move a run to its next phase past the gate
///
/// The gate is still evaluated, and its true verdict is recorded with the reason. The last step of a run that
/// asks for runtime evidence cannot be overridden (exit 1).
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic gate override k3x9q2ab --reason=\"plan agreed by phone\" --justified")]
pub(in crate::cli) struct Override {
    /// The run
    run: RunId,
    /// The reason
    #[arg(long, value_name = "TEXT")]
    reason: Required,
    /// The gate is wrong in this case
    #[arg(long)]
    justified: bool,
    /// The gate is right, and time is short
    #[arg(long)]
    expedient: bool,
    /// Do it only if the run is in this phase (exit 1 otherwise)
    #[arg(long, value_name = "PHASE")]
    expect_phase: Option<Phase>,
}

impl Command for Override {
    type Answer = OverrideAnswer;
    const ACCESS: Access = Access::Process;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<OverrideAnswer>, Error> {
        let category = match (self.justified, self.expedient) {
            (true, true) => {
                return Err(Error::usage(
                    "gate override: --justified and --expedient are mutually exclusive",
                ));
            }
            (true, false) => OverrideCategory::Justified,
            (false, true) => OverrideCategory::Expedient,
            (false, false) => OverrideCategory::Uncategorized,
        };
        let reason = args::redacted("--reason", self.reason.as_str(), cx);
        let request = OverrideRequest { id: self.run, expect: self.expect_phase, reason, category };
        override_::override_(cx, request)
    }
}

impl Text for OverrideAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        let Self { category, from_phase, reason, to_phase, blocked } = self;
        if *blocked {
            return writeln!(w, "{from_phase} (blocked: block)");
        }
        let reason = one_line(reason);
        writeln!(w, "{from_phase} → {to_phase} (override: {reason}, category: {category})")
    }
}
