//! Sentinels: throttles that allow something once, or once per interval. Quiet: they have no events.

use super::StoreError;
use super::quiet::{self, Quiet};
use crate::db::{ReadTx, Row, WriteTx};
use crate::domain::state::Scope;
use crate::domain::time::{Stamp, secs_up};
use crate::params;

/// How long a sentinel is kept at least, in seconds (seven days).
const REMEMBERED: i64 = 7 * 24 * 3600;

/// The SQL of the time at which a sentinel last fired, in Unix milliseconds. Another program stores whole
/// seconds only.
const LAST: &str = "CASE WHEN (sentinels.last_fired_ms + 999) / 1000 = sentinels.last_fired \
                    THEN sentinels.last_fired_ms ELSE sentinels.last_fired * 1000 END";

/// Fires a sentinel if it may fire now, and returns whether it did. One conditional statement under the write
/// lock, so that only one of any number of concurrent callers is allowed.
///
/// If a sentinel last fired in the future, the clock was set back. That time counts as now, so that it
/// throttles for its interval and no longer.
pub fn check(
    tx: &WriteTx<'_>,
    name: &Scope,
    scope: &Scope,
    interval: i64,
    stamp: &Stamp,
) -> Result<bool, StoreError> {
    let (now, began) = (stamp.secs(), stamp.millis_up());
    let (name, scope) = (name.as_str().to_owned(), scope.as_str().to_owned());
    let due = stamp.millis().saturating_sub(interval.saturating_mul(1000));
    let sql = format!(
        "INSERT INTO sentinels (name, scope_id, last_fired, last_fired_ms, interval_secs) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (name, scope_id) DO UPDATE SET last_fired = excluded.last_fired, \
         last_fired_ms = excluded.last_fired_ms, interval_secs = excluded.interval_secs \
         WHERE excluded.interval_secs > 0 AND {LAST} <= $6"
    );
    let values = params![name, scope, secs_up(began), began, interval, due];
    let fired = quiet::execute(tx, Quiet::Sentinels, &sql, values)? > 0;
    if fired {
        // Never one that still throttles: its interval may be longer than seven days.
        quiet::execute(
            tx,
            Quiet::Sentinels,
            "DELETE FROM sentinels WHERE last_fired < $1 AND last_fired + interval_secs < $2",
            params![now - REMEMBERED, now],
        )?;
    } else {
        let sql = format!(
            "UPDATE sentinels SET last_fired = $1, last_fired_ms = $2 \
             WHERE name = $3 AND scope_id = $4 AND last_fired > $5 AND {LAST} > $2"
        );
        // Compared in seconds first, because a time may be too large for milliseconds.
        quiet::execute(tx, Quiet::Sentinels, &sql, params![secs_up(began), began, name, scope, now])?;
    }
    Ok(fired)
}

/// Removes a sentinel.
pub fn reset(tx: &WriteTx<'_>, name: &Scope, scope: &Scope) -> Result<(), StoreError> {
    let sql = "DELETE FROM sentinels WHERE name = $1 AND scope_id = $2";
    quiet::execute(tx, Quiet::Sentinels, sql, params![name.as_str().to_owned(), scope.as_str().to_owned()])?;
    Ok(())
}

/// Removes a sentinel in every scope.
pub fn reset_all(tx: &WriteTx<'_>, name: &Scope) -> Result<(), StoreError> {
    let sql = "DELETE FROM sentinels WHERE name = $1";
    quiet::execute(tx, Quiet::Sentinels, sql, params![name.as_str().to_owned()])?;
    Ok(())
}

/// A sentinel, as listed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Sentinel {
    pub name: String,
    pub scope_id: String,
    /// In Unix seconds, rounded up.
    pub last_fired: i64,
    /// In seconds; 0 for once.
    pub interval_secs: i64,
}

/// Returns every sentinel, by name and scope.
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

/// Removes the sentinels that last fired more than `age` seconds ago. Returns their number.
pub fn prune(tx: &WriteTx<'_>, age: i64, stamp: &Stamp) -> Result<usize, StoreError> {
    let sql = "DELETE FROM sentinels WHERE last_fired < $1";
    quiet::execute(tx, Quiet::Sentinels, sql, params![stamp.secs().saturating_sub(age)])
}
