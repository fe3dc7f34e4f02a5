//! Tokens and verdicts of dispatches.

use std::collections::BTreeMap;

use crate::db::{ReadTx, Row, WriteTx};
use crate::domain::event::{Event, Source};
use crate::domain::ids::DispatchId;
use crate::domain::run::Run;
use crate::params;
use crate::store::StoreError;
use crate::store::event::{self, Filter};
use crate::store::phase::Span;
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

/// The totals of the dispatches of a scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The number of dispatches.
    pub dispatches: i64,
    /// Tokens read by models.
    pub input: i64,
    /// Tokens written by models.
    pub output: i64,
    /// Tokens read from caches.
    pub cache: i64,
}

/// Adds up the counters of the dispatches of a scope.
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

/// Returns the input and output tokens that the dispatches of a scope have used.
pub fn tokens_used(tx: &ReadTx<'_>, scope: &str) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(sum(input_tokens + output_tokens), 0) FROM dispatches WHERE scope_id = $1";
    Ok(tx.scalar(sql, params![scope.to_owned()])?)
}

/// The verdicts of the dispatches of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// Those given during the stay: the last one of each dispatch and its retries.
    pub counted: Vec<String>,
    /// The number of dispatches that have a verdict, whenever it was given.
    pub known: usize,
}

/// Returns the verdicts that were given on a run during a stay, by dispatches whose scope is the run's id or
/// the run's own scope. A verdict is given where its event is, whenever its dispatch was started.
///
/// # Errors
/// Fails if the dispatches or the log cannot be read.
pub fn verdicts(tx: &ReadTx<'_>, run: &Run, stay: &[Span]) -> Result<Verdicts, StoreError> {
    let scope = run.scope_id.clone().unwrap_or_else(|| run.id.to_string());
    let mut retried = BTreeMap::new();
    let (mut of_run, mut of_scope) = (0, 0);
    tx.for_each(
        "SELECT id, scope_id, verdict_status, CASE WHEN retry_count > 0 THEN parent_dispatch_id END AS retry_of \
         FROM dispatches WHERE scope_id IN ($1, $2) ORDER BY seq",
        params![run.id, scope],
        |row| {
            if row.get::<Option<String>>("verdict_status")?.is_some() {
                let own = row.get::<String>("scope_id")? == run.id.as_str();
                *(if own { &mut of_run } else { &mut of_scope }) += 1;
            }
            retried.insert(row.get::<String>("id")?, row.get::<Option<String>>("retry_of")?);
            Ok::<_, StoreError>(true)
        },
    )?;
    let mut last = BTreeMap::new();
    // The events of a dispatch carry the run's id only if that is the dispatch's scope.
    for run_id in [Some(run.id.clone()).filter(|_| of_run > 0), None] {
        if run_id.is_none() && of_scope == 0 {
            continue;
        }
        for Span { after, before } in stay {
            let filter = Filter {
                run_id: run_id.clone(),
                source: Some(Source::DISPATCH),
                since: *after,
                until: Some(before - 1),
                ..Filter::default()
            };
            event::for_each(tx, &filter, |event| {
                if let Some(verdict) = given(&event)
                    && retried.contains_key(&event.subject)
                {
                    let newest =
                        last.entry(first_attempt(&retried, event.subject)).or_insert((0, String::new()));
                    if event.id > newest.0 {
                        *newest = (event.id, verdict);
                    }
                }
                Ok::<_, StoreError>(true)
            })?;
        }
    }
    let counted = last.into_values().map(|(_, verdict)| verdict).collect();
    Ok(Verdicts { counted, known: of_run + of_scope })
}

/// Returns the verdict that a dispatch was given by this event, if it was given one. The end of a dispatch
/// repeats an earlier verdict, which does not count.
fn given(event: &Event) -> Option<String> {
    if !event.data.as_deref()?.contains("verdict_status") {
        return None;
    }
    let data = event.data();
    let verdict = |side: &str| data.get(side)?.get("verdict_status")?.as_str();
    verdict("new").filter(|new| Some(*new) != verdict("old")).map(ToOwned::to_owned)
}

/// Returns the first attempt of the chain of retries that the dispatch `id` belongs to.
fn first_attempt(retried: &BTreeMap<String, Option<String>>, id: String) -> String {
    let mut first = id;
    for _ in 0..retried.len() {
        match retried.get(&first) {
            Some(Some(before)) => first.clone_from(before),
            _ => break,
        }
    }
    first
}
