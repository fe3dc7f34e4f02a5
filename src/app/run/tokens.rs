//! Tokens that the dispatches of a run have used.

use schemars::JsonSchema;
use serde::Serialize;

use super::find::{RunSelector, RunTarget};
use crate::app::{CommandContext, Error, Reply};
use crate::store;
use crate::store::dispatch::Usage;

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TokenUsage {
    /// Input tokens that came from a cache.
    pub cache_hits: i64,
    /// Share of the input that came from a cache, in percent. Left out if there was no input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_ratio: Option<f64>,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub run_id: String,
    /// Input and output, without what came from a cache.
    pub total_tokens: i64,
}

impl TokenUsage {
    fn new(run_id: String, usage: Usage) -> Self {
        let Usage { input, output, cache, .. } = usage;
        let whole = input.saturating_add(cache);
        #[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
        let ratio = cache as f64 * 100.0 / whole as f64;
        Self {
            cache_hits: cache,
            cache_ratio: (whole > 0).then_some(ratio),
            input_tokens: input,
            output_tokens: output,
            run_id,
            total_tokens: input.saturating_add(output),
        }
    }
}

/// Adds up the tokens of a run's dispatches.
///
/// # Errors
/// As [`RunTarget::find`].
pub(crate) fn tokens(cx: &mut CommandContext, run: RunSelector) -> Result<Reply<TokenUsage>, Error> {
    let target = run.resolve(&cx.env)?;
    let usage = cx.read(|tx| {
        // A scope that is not a run has tokens, too, once a dispatch carries it.
        if let RunTarget::Id(id) = &target {
            let usage = store::dispatch::usage(tx, id.as_str())?;
            if usage.dispatches > 0 {
                return Ok::<_, Error>(TokenUsage::new(id.to_string(), usage));
            }
        }
        let id = target.find(tx)?.id.to_string();
        let usage = store::dispatch::usage(tx, &id)?;
        Ok(TokenUsage::new(id, usage))
    })?;
    Ok(Reply::yes(usage))
}
