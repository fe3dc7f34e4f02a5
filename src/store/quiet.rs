//! The list of all that may change without an event, and the only way to change it.

use super::StoreError;
use crate::db::{Value, WriteTx};

/// The rows and columns that have no events.
#[derive(Clone, Copy, Debug)]
pub(super) enum Quiet {
    /// Answers for repeated calls.
    Idempotency,
    /// Values of scripts.
    State,
    /// Times of throttled events.
    Sentinels,
    /// Positions of consumers.
    Cursors,
    /// Token and turn counters of a dispatch, and the progress of stopping its process.
    DispatchTelemetry,
    /// Work in progress outside the database.
    Intents,
    /// Waiters for a lock.
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

/// Changes rows of a quiet table, or quiet columns. Returns their number.
pub(super) fn execute(
    tx: &WriteTx<'_>,
    what: Quiet,
    sql: &str,
    params: &[Value],
) -> Result<usize, StoreError> {
    debug_assert!(sql.contains(what.table()), "{what:?} does not cover: {sql}");
    Ok(tx.execute_quiet(sql, params)?)
}
