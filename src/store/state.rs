//! State: values by key and scope. Quiet: no event tells of them (K-02).

use super::StoreError;
use super::quiet::{self, Quiet};
use crate::db::{ReadTx, Row, WriteTx};
use crate::domain::state::{Key, Scope};
use crate::domain::time::Stamp;
use crate::params;

/// Stores a value, replacing payload and expiry.
///
/// # Errors
/// What the engine says.
pub fn set(
    tx: &WriteTx<'_>,
    key: &Key,
    scope: &Scope,
    payload: &str,
    expires_at: Option<i64>,
    stamp: &Stamp,
) -> Result<(), StoreError> {
    quiet::execute(
        tx,
        Quiet::State,
        "INSERT INTO state (key, scope_id, payload, updated_at, expires_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (key, scope_id) DO UPDATE SET payload = excluded.payload, updated_at = excluded.updated_at, \
         expires_at = excluded.expires_at",
        params![key.to_string(), scope.as_str().to_owned(), payload.to_owned(), stamp.secs(), expires_at],
    )?;
    Ok(())
}

/// The payload of a value that has not expired.
///
/// # Errors
/// What the engine says.
pub fn get(tx: &ReadTx<'_>, key: &Key, scope: &Scope, stamp: &Stamp) -> Result<Option<String>, StoreError> {
    tx.query_opt(
        "SELECT payload FROM state WHERE key = $1 AND scope_id = $2 AND (expires_at IS NULL OR expires_at > $3)",
        params![key.to_string(), scope.as_str().to_owned(), stamp.secs()],
        |row: &Row| Ok(row.get("payload")?),
    )
}

/// Removes a value; answers whether there was one.
///
/// # Errors
/// What the engine says.
pub fn delete(tx: &WriteTx<'_>, key: &Key, scope: &Scope) -> Result<bool, StoreError> {
    let sql = "DELETE FROM state WHERE key = $1 AND scope_id = $2";
    Ok(quiet::execute(tx, Quiet::State, sql, params![key.to_string(), scope.as_str().to_owned()])? > 0)
}

/// Removes the values of every scope; answers how many.
///
/// # Errors
/// What the engine says.
pub fn delete_all(tx: &WriteTx<'_>, key: &Key) -> Result<usize, StoreError> {
    quiet::execute(tx, Quiet::State, "DELETE FROM state WHERE key = $1", params![key.to_string()])
}

/// The scopes that have a value of this key, in order.
///
/// # Errors
/// What the engine says.
pub fn scopes(tx: &ReadTx<'_>, key: &Key, stamp: &Stamp) -> Result<Vec<String>, StoreError> {
    tx.query(
        "SELECT scope_id FROM state WHERE key = $1 AND (expires_at IS NULL OR expires_at > $2) ORDER BY scope_id",
        params![key.to_string(), stamp.secs()],
        |row: &Row| Ok(row.get("scope_id")?),
    )
}

/// The values of a scope whose keys begin with `prefix`, by key.
///
/// # Errors
/// What the engine says.
pub fn with_prefix(
    tx: &ReadTx<'_>,
    prefix: &str,
    scope: &Scope,
    stamp: &Stamp,
) -> Result<Vec<(String, String)>, StoreError> {
    let all = tx.query(
        "SELECT key, payload FROM state WHERE key >= $1 AND scope_id = $2 AND (expires_at IS NULL OR expires_at > $3) \
         ORDER BY key",
        params![prefix.to_owned(), scope.as_str().to_owned(), stamp.secs()],
        |row: &Row| Ok::<_, StoreError>((row.get::<String>("key")?, row.get("payload")?)),
    )?;
    Ok(all.into_iter().take_while(|(key, _)| key.starts_with(prefix)).collect())
}

/// Removes what has expired; answers how many values.
///
/// # Errors
/// What the engine says.
pub fn prune(tx: &WriteTx<'_>, stamp: &Stamp) -> Result<usize, StoreError> {
    quiet::execute(tx, Quiet::State, "DELETE FROM state WHERE expires_at <= $1", params![stamp.secs()])
}
