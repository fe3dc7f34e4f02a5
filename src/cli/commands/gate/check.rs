//! `ic gate check`

use std::io::{self, Write};
use std::path::PathBuf;

use crate::app::gate::check::{self, GateCheck};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::gate::{Condition, Outcome};
use crate::domain::ids::RunId;
use crate::domain::text::one_line;

/// Check the gate of a run's next step, without taking it
///
/// Exits with 0 if the gate passes or is disabled, with 1 if it fails, even if the failure would not block.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic gate check k3x9q2ab --priority=1")]
pub(in crate::cli) struct Check {
    /// The run
    run: RunId,
    /// Priority: 0 and 1 make conditions hard, 2 and 3 soft; 4 and above disables gates
    #[arg(long, value_name = "N", default_value_t = 3)]
    priority: i64,
    /// A file with tiers that were learned from past gate decisions, JSON
    #[arg(long, value_name = "FILE")]
    calibration_file: Option<PathBuf>,
}

impl Command for Check {
    type Answer = GateCheck;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<GateCheck>, Error> {
        check::check(cx, &self.run, self.priority, self.calibration_file.as_deref())
    }
}

impl Text for GateCheck {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        let Self { from_phase, to_phase, result, tier, source, .. } = self;
        writeln!(w, "{from_phase} → {to_phase}: {result} (tier: {tier}, source: {source})")?;
        for condition in self.evidence.iter().flat_map(|evidence| &evidence.conditions) {
            self.write_condition(condition, w)?;
        }
        Ok(())
    }
}

impl GateCheck {
    fn write_condition(&self, condition: &Condition, w: &mut dyn Write) -> io::Result<()> {
        let word = if condition.result == Outcome::Pass { "PASS" } else { "FAIL" };
        write!(w, "  [{word}] {}", condition.check)?;
        if let Some(count) = condition.count {
            write!(w, " (count: {count})")?;
        }
        if let Some(detail) = &condition.detail {
            write!(w, " — {}", one_line(detail))?;
        }
        if let Some(found) = self.calibration.iter().find(|found| found.check == condition.check) {
            write!(w, " [calibration: {}", found.calibration_status)?;
            if let Some(fpr) = &found.fpr {
                write!(w, ", fpr={fpr}")?;
            }
            if let Some(weight) = &found.weighted_n {
                write!(w, ", weighted_n={weight}")?;
            }
            write!(w, "]")?;
        }
        writeln!(w)
    }
}
