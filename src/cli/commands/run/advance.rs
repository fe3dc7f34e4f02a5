//! `ic run advance`, `ic phase advance`

use std::io::{self, Write};
use std::path::PathBuf;

use crate::app::run::advance::{self, AdvanceAnswer, AdvanceRequest, DueAction};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command, Text};
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::domain::stored::Stored;
use crate::domain::text::one_line;

/// Move a run to its next phase
///
/// The gate of the phase that is left decides: a hard condition that fails blocks the run (exit 1, and an
/// event says why). Phases that are skipped are walked past. A run whose metadata asks for runtime evidence
/// does not enter its last phase without an artifact of type `runtime-evidence/v1` whose file is unchanged,
/// whatever the flags.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run advance \"$run\" --expect-phase=planned")]
pub(in crate::cli) struct Advance {
    /// The run
    id: RunId,
    /// Priority: 0 and 1 make gates hard, 2 and 3 soft; 4 and above disables gates
    #[arg(long, value_name = "N", default_value_t = 1)]
    priority: i64,
    /// Do not evaluate gates
    #[arg(long)]
    disable_gates: bool,
    /// The reason for the move; it also moves a run that does not advance by itself
    #[arg(long, value_name = "TEXT")]
    skip_reason: Option<Stored>,
    /// Move only if the run is in this phase (exit 1 otherwise)
    #[arg(long, value_name = "PHASE")]
    expect_phase: Option<Phase>,
    /// A file with tiers that were learned from past gate decisions, JSON
    #[arg(long, value_name = "FILE")]
    calibration_file: Option<PathBuf>,
}

impl Command for Advance {
    type Answer = AdvanceAnswer;
    const ACCESS: Access = Access::Process;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<AdvanceAnswer>, Error> {
        let request = AdvanceRequest {
            run: self.id,
            priority: self.priority,
            disable_gates: self.disable_gates,
            skip_reason: args::given_stored(self.skip_reason),
            expect_phase: self.expect_phase,
            calibration_file: self.calibration_file,
        };
        advance::advance(cx, request)
    }
}

impl Text for AdvanceAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        if !self.advanced {
            return writeln!(w, "{} (blocked: {})", self.from_phase, self.event_type);
        }
        writeln!(w, "{} → {}", self.from_phase, self.to_phase)?;
        for DueAction { action, args_text } in &self.actions {
            let args = args_text.as_ref().map_or_else(String::new, |args| format!(" {args}"));
            writeln!(w, "  → {}{}  [{}]", one_line(&action.command), one_line(&args), action.mode)?;
        }
        Ok(())
    }
}
