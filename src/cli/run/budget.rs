//! `ic run budget`

use std::io::{self, Write};

use serde_json::json;

use crate::app::Error;
use crate::cli::args::RunRef;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::budget::{Budget, Standing};
use crate::domain::ids::RunId;
use crate::store;

/// Say how much of a run's token budget is used
///
/// The exit code is 1 when the budget is used up, every time it is asked.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run budget \"$run\" || echo 'no tokens left'")]
pub(in crate::cli) struct RunBudget {
    #[command(flatten)]
    run: RunRef,
}

impl Verb for RunBudget {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let wanted = self.run.wanted()?;
        let shown = cx.read(|tx| {
            let run = wanted.find(tx)?;
            let used = store::dispatch::tokens_used(tx, run.id.as_str())?;
            Ok::<_, Error>(Shown { budget: run.budget(), id: run.id, used })
        })?;
        let exceeded = shown.budget.is_some_and(|budget| budget.standing(shown.used) == Standing::Exceeded);
        cx.out.show(&shown)?;
        Ok(if exceeded { Answer::No } else { Answer::Yes })
    }
}

struct Shown {
    id: RunId,
    budget: Option<Budget>,
    used: i64,
}

impl Shown {
    fn percent(&self, budget: Budget) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
        let percent = self.used as f64 * 100.0 / budget.tokens as f64;
        percent
    }
}

impl serde::Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.budget {
            None => json!({ "run_id": self.id, "budget": null, "message": "no budget set" }),
            Some(budget) => {
                let standing = budget.standing(self.used);
                json!({
                    "run_id": self.id,
                    "budget": budget.tokens,
                    "used": self.used,
                    "usage_pct": self.percent(budget),
                    "warn_pct": budget.warn_pct,
                    "warning": standing >= Standing::Warning,
                    "exceeded": standing == Standing::Exceeded,
                })
            }
        }
        .serialize(serializer)
    }
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        let Some(budget) = self.budget else {
            return writeln!(w, "Run {}: no budget set", self.id);
        };
        let status = match budget.standing(self.used) {
            Standing::Ok => "OK",
            Standing::Warning => "WARNING",
            Standing::Exceeded => "EXCEEDED",
        };
        writeln!(w, "Run: {}", self.id)?;
        writeln!(w, "  Budget:    {} tokens", budget.tokens)?;
        writeln!(w, "  Used:      {} tokens ({:.1}%)", self.used, self.percent(budget))?;
        writeln!(w, "  Warn at:   {}%", budget.warn_pct)?;
        writeln!(w, "  Status:    {status}")
    }
}
