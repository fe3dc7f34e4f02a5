//! Locks that hooks have reserved, and may end.

use super::{OpsError, give_back};
use crate::db::{ReadTx, WriteTx};
use crate::domain::coordination::Lock;
use crate::domain::time::Stamp;
use crate::store::coordination as locks;

/// Returns the locks that hooks reserved for an owner, in every scope.
pub fn automatic(tx: &ReadTx<'_>, owner: &str) -> Result<Vec<Lock>, OpsError> {
    let mut found = locks::automatic_of(tx, owner)?;
    found.retain(|lock| !lock.mirrored);
    Ok(found)
}

/// Releases those of `seen` that have not changed since the caller read them: one that was renewed,
/// transferred or requested in the meantime stays. Returns the number of released ones.
pub fn release_unchanged(tx: &WriteTx<'_>, seen: &[Lock], stamp: &Stamp) -> Result<usize, OpsError> {
    let mut released = 0;
    for lock in seen {
        if locks::find(tx, &lock.id)?.as_ref() == Some(lock) {
            give_back(tx, lock, stamp)?;
            released += 1;
        }
    }
    Ok(released)
}
