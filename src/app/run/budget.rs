//! The share of a run's token budget that is used.

use schemars::JsonSchema;
use serde::Serialize;

use super::find::RunSelector;
use crate::app::{Code, CommandContext, Error, Reply};
use crate::domain::budget::{Budget, Standing};
use crate::domain::ids::RunId;
use crate::store;

/// The budget of a run, in tokens.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum BudgetAnswer {
    Limited(BudgetUse),
    Unlimited {
        /// Null.
        budget: (),
        message: &'static str,
        run_id: RunId,
    },
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BudgetUse {
    pub budget: i64,
    pub exceeded: bool,
    pub run_id: RunId,
    pub usage_pct: f64,
    pub used: i64,
    /// Percentage of the budget from which a warning is due.
    pub warn_pct: i64,
    pub warning: bool,
}

impl BudgetUse {
    fn new(run_id: RunId, budget: Budget, used: i64) -> Self {
        let standing = budget.standing(used);
        #[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
        let usage_pct = used as f64 * 100.0 / budget.tokens as f64;
        Self {
            budget: budget.tokens,
            exceeded: standing == Standing::Exceeded,
            run_id,
            usage_pct,
            used,
            warn_pct: budget.warn_pct,
            warning: standing >= Standing::Warning,
        }
    }
}

/// Returns how much of a run's token budget is used; the negative if all of it is.
///
/// # Errors
/// As [`super::find::RunTarget::find`].
pub(crate) fn budget(cx: &mut CommandContext, run: RunSelector) -> Result<Reply<BudgetAnswer>, Error> {
    let target = run.resolve(&cx.env)?;
    let (run, used) = cx.read(|tx| {
        let run = target.find(tx)?;
        let used = store::dispatch::tokens_used(tx, run.id.as_str())?;
        Ok::<_, Error>((run, used))
    })?;
    let Some(budget) = run.budget() else {
        let answer = BudgetAnswer::Unlimited { budget: (), message: "no budget set", run_id: run.id };
        return Ok(Reply::yes(answer));
    };
    let usage = BudgetUse::new(run.id, budget, used);
    let is_left = !usage.exceeded;
    Ok(Reply::of(BudgetAnswer::Limited(usage), is_left, Code::BudgetExceeded))
}
