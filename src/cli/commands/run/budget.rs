//! `ic run budget`

use std::io::{self, Write};

use crate::app::run::budget::{self, BudgetAnswer, BudgetUse};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args::RunRef;
use crate::cli::command::{Access, Command, Text};

/// Show how much of a run's token budget is used
///
/// The exit code is 1 as long as the budget is used up.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run budget \"$run\" || echo 'no tokens left'")]
pub(in crate::cli) struct Budget {
    #[command(flatten)]
    run: RunRef,
}

impl Command for Budget {
    type Answer = BudgetAnswer;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<BudgetAnswer>, Error> {
        budget::budget(cx, self.run.into())
    }
}

impl Text for BudgetAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        let BudgetUse { budget, exceeded, run_id, usage_pct, used, warn_pct, warning } = match self {
            Self::Unlimited { run_id, message, .. } => return writeln!(w, "Run {run_id}: {message}"),
            Self::Limited(usage) => usage,
        };
        let status = match (exceeded, warning) {
            (true, _) => "EXCEEDED",
            (false, true) => "WARNING",
            (false, false) => "OK",
        };
        writeln!(w, "Run: {run_id}")?;
        writeln!(w, "  Budget:    {budget} tokens")?;
        writeln!(w, "  Used:      {used} tokens ({usage_pct:.1}%)")?;
        writeln!(w, "  Warn at:   {warn_pct}%")?;
        writeln!(w, "  Status:    {status}")
    }
}
