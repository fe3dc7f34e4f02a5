//! The one list of what may change without an event, and the only way to change it.

use super::StoreError;
use crate::db::{Value, WriteTx};

/// What is quiet by design.
#[derive(Clone, Copy, Debug)]
pub(super) enum Quiet {
    /// Returns kept for repeated calls.
    Idempotency,
    /// What scripts keep.
    State,
    /// When throttled things last happened.
    Sentinels,
    /// How far consumers have read.
    Cursors,
    /// Token and turn counters of a dispatch, and how far stopping its process has come.
    DispatchTelemetry,
    /// Work outside the database that is under way.
    Intents,
    /// Who waits for a lock.
    Waiters,
}

impl Quiet {
    const fn table(self) -> &'static str {
        match self {
            Self::Idempotency => "idempotency",
            Self::State => "state",
            Self::Sentinels => "sentinels",
            Self::Cursors => "event_cursors",
            Self::DispatchTelemetry => "dispatches",
            Self::Intents => "intents",
            Self::Waiters => "lock_waiters",
        }
    }
}

/// Changes rows of a quiet table, or quiet columns. Returns how many.
pub(super) fn execute(
    tx: &WriteTx<'_>,
    what: Quiet,
    sql: &str,
    params: &[Value],
) -> Result<usize, StoreError> {
    debug_assert!(sql.contains(what.table()), "{what:?} does not cover: {sql}");
    Ok(tx.execute_quiet(sql, params)?)
}
