//! Setting the tokens that a dispatch has used.

use schemars::JsonSchema;
use serde::Serialize;

use super::settle;
use crate::app::{CommandContext, Error, Reply};
use crate::domain::budget::Standing;
use crate::domain::ids::DispatchId;
use crate::ops;
use crate::ops::dispatch::Crossing;
use crate::store::dispatch::NewTokens;

/// Totals to set; a counter that is `None` stays unchanged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenTotals {
    pub input: Option<i64>,
    pub output: Option<i64>,
    pub cache: Option<i64>,
}

/// The acknowledgement of a change.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TokensUpdated {
    /// Always `updated`.
    pub status: &'static str,
}

/// Sets totals. Warns of each threshold of the run's budget that this passes.
///
/// # Errors
/// [`Error::Usage`] if no counter is given, [`Error::Ops`] if the dispatch does not exist.
pub(crate) fn set(
    cx: &mut CommandContext,
    id: &DispatchId,
    totals: &TokenTotals,
) -> Result<Reply<TokensUpdated>, Error> {
    let TokenTotals { input, output, cache } = *totals;
    if input.or(output).or(cache).is_none() {
        return Err(Error::usage("dispatch tokens: provide at least one of --in, --out, --cache"));
    }
    settle::stop_processes(cx)?;
    let tokens = NewTokens { input, output, cache };
    let stamp = cx.stamp.clone();
    for crossing in cx.write(|tx| ops::dispatch::set_tokens(tx, id, &tokens, &stamp))? {
        let Crossing { standing, used, budget } = crossing;
        let word = if standing == Standing::Exceeded { "exceeded" } else { "warning" };
        cx.warn(format_args!("budget {word}: {used} of {} tokens used", budget.tokens));
    }
    Ok(Reply::yes(TokensUpdated { status: "updated" }))
}
