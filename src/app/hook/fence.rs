//! The lock that an agent's session works under.

use crate::app::locate::{self, Located};
use crate::app::{CommandContext, Environment, Error};
use crate::db::ReadTx;
use crate::domain::coordination::Fence;
use crate::domain::time::Stamp;
use crate::ops::OpsError;
use crate::ops::coordination;
use crate::store::StoreError;

/// Returns the fence that the environment names.
///
/// # Errors
/// [`Error::Input`] if it is not LOCK:TOKEN: whether the lock still holds cannot be checked then.
pub(super) fn of_session(env: &Environment) -> Result<Option<Fence>, Error> {
    let text = env.var("INTERCORE_FENCE");
    let fence = text.map(|text| text.parse()).transpose();
    fence.map_err(|err: String| Error::Input(format!("INTERCORE_FENCE: {err}")))
}

/// Checks that the lock that the session works under, if it names one, still holds.
pub(super) fn require(tx: &ReadTx<'_>, fence: Option<&Fence>, stamp: &Stamp) -> Result<(), OpsError> {
    match fence {
        Some(Fence { lock, token }) => coordination::verify(tx, lock, *token, stamp).map(drop),
        None => Ok(()),
    }
}

/// Checks whether an error says that the session has lost the lock that it works under.
pub(super) fn is_lost(err: &OpsError) -> bool {
    matches!(err, OpsError::LockGone { .. } | OpsError::Store(StoreError::LockNotFound(_)))
}

/// Checks the lock in the session's own database, where that is not the one at `place`, which `cx` uses.
/// Returns what remains to be checked in the latter: the same lock, or nothing.
pub(super) fn require_at_home(
    cx: &mut CommandContext,
    place: &Located,
    fence: Option<Fence>,
) -> Result<Option<Fence>, Error> {
    let Some(fence) = fence else { return Ok(None) };
    let home = locate::locate(cx)?;
    if home == *place || !home.path.exists() {
        return Ok(Some(fence));
    }
    let stamp = cx.stamp.clone();
    cx.turn_to(home);
    let checked = cx.read(|tx| coordination::verify(tx, &fence.lock, fence.token, &stamp));
    cx.turn_to(place.clone());
    match checked {
        Ok(_) => Ok(None),
        Err(Error::Ops(OpsError::Store(StoreError::LockNotFound(_)))) => Ok(Some(fence)),
        Err(err) => Err(err),
    }
}
