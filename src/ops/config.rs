//! Settings of a project, which are stored as state under `kernel.<key>` in the global scope.

use super::OpsError;
use crate::db::ReadTx;
use crate::domain::autonomy::Delegation;
use crate::domain::config::DELEGATION_LEVEL;
use crate::domain::state::{Key, Scope};
use crate::domain::time::Stamp;
use crate::store;

/// The prefix of the keys of settings.
pub const PREFIX: &str = "kernel.";

/// Returns the key of state that holds a setting.
///
/// # Errors
/// If the name is invalid.
pub fn state_key(key: &str) -> Result<Key, String> {
    if key.is_empty() { Err("key must not be empty".to_owned()) } else { format!("{PREFIX}{key}").parse() }
}

/// Returns the level of delegation of the project.
pub fn delegation(tx: &ReadTx<'_>, stamp: &Stamp) -> Result<Delegation, OpsError> {
    let Ok(key) = state_key(DELEGATION_LEVEL) else { return Ok(Delegation::default()) };
    let stored = store::state::get(tx, &key, &Scope::global(), stamp)?;
    // An invalid value was not written by `config set`, and counts as not set.
    let level = stored.and_then(|text| text.parse().ok());
    Ok(level.map_or_else(Delegation::default, |level| Delegation { level, declared: true }))
}

/// Returns a number from the settings; 0 if it is not set.
pub fn number(tx: &ReadTx<'_>, key: &str, stamp: &Stamp) -> Result<i64, OpsError> {
    let Ok(key) = state_key(key) else { return Ok(0) };
    let stored = store::state::get(tx, &key, &Scope::global(), stamp)?;
    Ok(stored.and_then(|text| text.parse().ok()).unwrap_or(0))
}
