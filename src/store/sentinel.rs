//! Sentinels: things that may happen once, or once per interval. Quiet: no event tells of them (K-02).

use super::StoreError;
use super::quiet::{self, Quiet};
use crate::db::{ReadTx, Row, WriteTx};
use crate::domain::state::Scope;
use crate::domain::time::Stamp;
use crate::params;

/// How long a sentinel is remembered at least, in seconds: seven days.
const REMEMBERED: i64 = 7 * 24 * 3600;

/// Whether it may happen now; if so, it has happened. One conditional statement under the write lock: of any number of
/// callers at once, one is allowed.
///
/// # Errors
/// What the engine says.
pub fn check(
    tx: &WriteTx<'_>,
    name: &Scope,
    scope: &Scope,
    interval: i64,
    stamp: &Stamp,
) -> Result<bool, StoreError> {
    let now = stamp.secs();
    let fired = quiet::execute(
        tx,
        Quiet::Sentinels,
        "INSERT INTO sentinels (name, scope_id, last_fired, interval_secs) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (name, scope_id) DO UPDATE SET last_fired = excluded.last_fired, \
         interval_secs = excluded.interval_secs \
         WHERE excluded.interval_secs > 0 AND excluded.last_fired - sentinels.last_fired >= excluded.interval_secs",
        params![name.as_str().to_owned(), scope.as_str().to_owned(), now, interval],
    )? > 0;
    if fired {
        // Never one that still throttles: a long interval outlasts the seven days.
        quiet::execute(
            tx,
            Quiet::Sentinels,
            "DELETE FROM sentinels WHERE last_fired < $1 AND last_fired + interval_secs < $2",
            params![now - REMEMBERED, now],
        )?;
    }
    Ok(fired)
}

/// Forgets that it happened.
///
/// # Errors
/// What the engine says.
pub fn reset(tx: &WriteTx<'_>, name: &Scope, scope: &Scope) -> Result<(), StoreError> {
    let sql = "DELETE FROM sentinels WHERE name = $1 AND scope_id = $2";
    quiet::execute(tx, Quiet::Sentinels, sql, params![name.as_str().to_owned(), scope.as_str().to_owned()])?;
    Ok(())
}

/// Forgets that it happened, in every scope.
///
/// # Errors
/// What the engine says.
pub fn reset_all(tx: &WriteTx<'_>, name: &Scope) -> Result<(), StoreError> {
    let sql = "DELETE FROM sentinels WHERE name = $1";
    quiet::execute(tx, Quiet::Sentinels, sql, params![name.as_str().to_owned()])?;
    Ok(())
}

/// A sentinel, as listed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Sentinel {
    /// What may happen.
    pub name: String,
    /// For whom.
    pub scope_id: String,
    /// When it last did, Unix seconds.
    pub last_fired: i64,
    /// How long it is throttled, seconds; 0 for once.
    pub interval_secs: i64,
}

/// Every sentinel, by name and scope.
///
/// # Errors
/// What the engine says.
pub fn list(tx: &ReadTx<'_>) -> Result<Vec<Sentinel>, StoreError> {
    tx.query("SELECT * FROM sentinels ORDER BY name, scope_id", &[], |row: &Row| {
        Ok(Sentinel {
            name: row.get("name")?,
            scope_id: row.get("scope_id")?,
            last_fired: row.get("last_fired")?,
            interval_secs: row.get("interval_secs")?,
        })
    })
}

/// Forgets what last happened more than `age` seconds ago; answers how many.
///
/// # Errors
/// What the engine says.
pub fn prune(tx: &WriteTx<'_>, age: i64, stamp: &Stamp) -> Result<usize, StoreError> {
    let sql = "DELETE FROM sentinels WHERE last_fired < $1";
    quiet::execute(tx, Quiet::Sentinels, sql, params![stamp.secs().saturating_sub(age)])
}
