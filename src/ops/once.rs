//! Doing something once per caller's key (K-12).

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::OpsError;
use crate::db::WriteTx;
use crate::domain::chain::hex;
use crate::domain::time::Stamp;
use crate::store::idempotency::{self, Given};

/// A caller's key for one call of one command.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The command: keys of different commands do not meet.
    pub command: &'static str,
    /// The key; without one nothing is kept.
    pub key: Option<&'a str>,
}

/// Runs `act` and keeps its answer under the key; a repeat with the same `arguments` answers the same and does nothing.
///
/// # Errors
/// * [`OpsError::IdempotencyConflict`] if the key was used with other arguments.
/// * Whatever `act` fails with; a failure is not kept.
pub fn once<A: Serialize + DeserializeOwned>(
    tx: &WriteTx<'_>,
    key: Key<'_>,
    arguments: &impl Serialize,
    stamp: &Stamp,
    act: impl FnOnce() -> Result<A, OpsError>,
) -> Result<A, OpsError> {
    let Some(name) = key.key else { return act() };
    let unreadable = |_| OpsError::IdempotencyAnswer(name.to_owned());
    let text = serde_json::to_string(arguments).map_err(unreadable)?;
    let digest = hex(&Sha256::digest(text.as_bytes()));
    if let Some(given) = idempotency::find(tx, key.command, name, stamp)? {
        if given.digest != digest {
            return Err(OpsError::IdempotencyConflict(name.to_owned()));
        }
        return serde_json::from_str(&given.answer).map_err(unreadable);
    }
    let answer = act()?;
    let given = Given { digest, answer: serde_json::to_string(&answer).map_err(unreadable)? };
    idempotency::keep(tx, key.command, name, &given, stamp)?;
    Ok(answer)
}
