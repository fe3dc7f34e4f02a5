//! What dispatches have used, and what they found.

use crate::db::{ReadTx, Row, WriteTx};
use crate::domain::ids::DispatchId;
use crate::domain::run::Run;
use crate::params;
use crate::store::StoreError;
use crate::store::quiet::{self, Quiet};

/// New token counters of a dispatch; `None` leaves one as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewTokens {
    /// Read by the model.
    pub input: Option<i64>,
    /// Written by the model.
    pub output: Option<i64>,
    /// Read from a cache.
    pub cache: Option<i64>,
}

/// Sets the tokens of a dispatch.
///
/// # Errors
/// What the engine says.
pub fn set_tokens(tx: &WriteTx<'_>, id: &DispatchId, tokens: &NewTokens) -> Result<(), StoreError> {
    quiet::execute(
        tx,
        Quiet::DispatchTelemetry,
        "UPDATE dispatches SET input_tokens = coalesce($1, input_tokens), \
         output_tokens = coalesce($2, output_tokens), cache_hits = coalesce($3, cache_hits) WHERE id = $4",
        params![tokens.input, tokens.output, tokens.cache, *id],
    )?;
    Ok(())
}

/// Everything that the dispatches of a scope have reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many dispatches there are.
    pub dispatches: i64,
    /// Tokens read by models.
    pub input: i64,
    /// Tokens written by models.
    pub output: i64,
    /// Tokens read from caches.
    pub cache: i64,
}

/// Adds up what the dispatches of a scope have reported.
///
/// # Errors
/// What the engine says.
pub fn usage(tx: &ReadTx<'_>, scope: &str) -> Result<Usage, StoreError> {
    let usage = |row: &Row| {
        Ok::<_, StoreError>(Usage {
            dispatches: row.get("n")?,
            input: row.get("input")?,
            output: row.get("output")?,
            cache: row.get("cache")?,
        })
    };
    let found = tx.query_opt(
        "SELECT count(*) AS n, coalesce(sum(input_tokens), 0) AS input, coalesce(sum(output_tokens), 0) AS output, \
         coalesce(sum(cache_hits), 0) AS cache FROM dispatches WHERE scope_id = $1",
        params![scope.to_owned()],
        usage,
    )?;
    Ok(found.unwrap_or_default())
}

/// Tokens that the dispatches of a scope have used, in and out.
///
/// # Errors
/// What the engine says.
pub fn tokens_used(tx: &ReadTx<'_>, scope: &str) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(sum(input_tokens + output_tokens), 0) FROM dispatches WHERE scope_id = $1";
    Ok(tx.scalar(sql, params![scope.to_owned()])?)
}

/// The verdicts given so far on a run: by dispatches whose scope is the run's id, or the run's own scope.
///
/// # Errors
/// What the engine says.
pub fn verdicts(tx: &ReadTx<'_>, run: &Run) -> Result<Vec<String>, StoreError> {
    tx.query(
        "SELECT verdict_status FROM dispatches WHERE scope_id IN ($1, $2) AND verdict_status IS NOT NULL ORDER BY seq",
        params![run.id, run.scope_id.clone().unwrap_or_else(|| run.id.to_string())],
        |row| Ok(row.get("verdict_status")?),
    )
}
