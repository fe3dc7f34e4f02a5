//! State: values by key and scope. Quiet: they have no events.

use super::StoreError;
use super::quiet::{self, Quiet};
use crate::db::{ReadTx, Row, WriteTx};
use crate::domain::state::{Key, Scope};
use crate::domain::time::{Stamp, secs_up};
use crate::params;

/// The SQL condition that a value has not expired at `$n`, in Unix milliseconds. Another program stores whole
/// seconds only.
macro_rules! live {
    ($n:literal) => {
        concat!(
            "(expires_at IS NULL OR CASE WHEN (expires_at_ms + 999) / 1000 = expires_at THEN expires_at_ms \
             ELSE expires_at * 1000 END > ",
            $n,
            ")"
        )
    };
}

/// Stores a value, replacing payload and expiry. It expires after `ttl` seconds, if given. Returns the time
/// of expiry in Unix seconds, rounded up.
pub fn set(
    tx: &WriteTx<'_>,
    key: &Key,
    scope: &Scope,
    payload: &str,
    ttl: Option<i64>,
    stamp: &Stamp,
) -> Result<Option<i64>, StoreError> {
    let ends_at = ttl.map(|ttl| stamp.after(ttl));
    let expires_at = ends_at.map(secs_up);
    let (key, scope) = (key.to_string(), scope.as_str().to_owned());
    quiet::execute(
        tx,
        Quiet::State,
        "INSERT INTO state (key, scope_id, payload, updated_at, expires_at, expires_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (key, scope_id) DO UPDATE SET payload = excluded.payload, updated_at = excluded.updated_at, \
         expires_at = excluded.expires_at, expires_at_ms = excluded.expires_at_ms",
        params![key, scope, payload.to_owned(), stamp.secs(), expires_at, ends_at],
    )?;
    Ok(expires_at)
}

/// Returns the payload of a value that has not expired.
pub fn get(tx: &ReadTx<'_>, key: &Key, scope: &Scope, stamp: &Stamp) -> Result<Option<String>, StoreError> {
    tx.query_opt(
        concat!("SELECT payload FROM state WHERE key = $1 AND scope_id = $2 AND ", live!("$3")),
        params![key.to_string(), scope.as_str().to_owned(), stamp.millis()],
        |row: &Row| Ok(row.get("payload")?),
    )
}

/// Removes a value. Returns whether there was one.
pub fn delete(tx: &WriteTx<'_>, key: &Key, scope: &Scope) -> Result<bool, StoreError> {
    let sql = "DELETE FROM state WHERE key = $1 AND scope_id = $2";
    Ok(quiet::execute(tx, Quiet::State, sql, params![key.to_string(), scope.as_str().to_owned()])? > 0)
}

/// Removes the values of every scope. Returns their number.
pub fn delete_all(tx: &WriteTx<'_>, key: &Key) -> Result<usize, StoreError> {
    quiet::execute(tx, Quiet::State, "DELETE FROM state WHERE key = $1", params![key.to_string()])
}

/// Returns the scopes that have a value of this key, in order.
pub fn scopes(tx: &ReadTx<'_>, key: &Key, stamp: &Stamp) -> Result<Vec<String>, StoreError> {
    tx.query(
        concat!("SELECT scope_id FROM state WHERE key = $1 AND ", live!("$2"), " ORDER BY scope_id"),
        params![key.to_string(), stamp.millis()],
        |row: &Row| Ok(row.get("scope_id")?),
    )
}

/// Returns the values of a scope whose keys begin with `prefix`, by key.
pub fn with_prefix(
    tx: &ReadTx<'_>,
    prefix: &str,
    scope: &Scope,
    stamp: &Stamp,
) -> Result<Vec<(String, String)>, StoreError> {
    let all = tx.query(
        concat!(
            "SELECT key, payload FROM state WHERE key >= $1 AND scope_id = $2 AND ",
            live!("$3"),
            " ORDER BY key"
        ),
        params![prefix.to_owned(), scope.as_str().to_owned(), stamp.millis()],
        |row: &Row| Ok::<_, StoreError>((row.get::<String>("key")?, row.get("payload")?)),
    )?;
    Ok(all.into_iter().take_while(|(key, _)| key.starts_with(prefix)).collect())
}

/// Removes expired values. Returns their number.
pub fn prune(tx: &WriteTx<'_>, stamp: &Stamp) -> Result<usize, StoreError> {
    let sql = concat!("DELETE FROM state WHERE NOT ", live!("$1"));
    quiet::execute(tx, Quiet::State, sql, params![stamp.millis()])
}
