//! Reservations: granting, refusing, queueing, renewing, releasing, transferring and sweeping, each in one
//! transaction.

mod automatic;
mod check;
mod gate;
mod grant;
mod held;
mod mirror;
mod outside;
mod query;
mod queue;
mod request;
mod strangers;

use super::OpsError;
use crate::db::{ReadTx, WriteTx};
use crate::domain::coordination::Lock;
use crate::domain::ids::RunId;
use crate::domain::time::Stamp;
use crate::store::StoreError;
use crate::store::coordination::{self as locks, End, Renewal};

pub use automatic::{automatic, release_unchanged};
pub use check::{check, outlook};
pub use gate::{InTheWay, gate, record_refusals};
pub use grant::reserve;
pub use held::Held;
pub use mirror::{Changes, mirror};
pub use outside::{Outside, Theirs};
pub use query::Asked;
pub use queue::look;
pub use request::{Request, Reserved, Turn, Wait};
pub use strangers::{meet, odd};

/// Releases one lock. Returns 1, or 0 if it was released already.
///
/// # Errors
/// * [`StoreError::LockNotFound`] for an unknown id.
/// * [`OpsError::LockOwner`] if `owner` is given and is not its owner.
pub fn release(tx: &WriteTx<'_>, id: &str, owner: Option<&str>, stamp: &Stamp) -> Result<usize, OpsError> {
    let lock = locks::get(tx, id)?;
    require_owner(&lock, owner)?;
    if lock.released_at.is_some() {
        return Ok(0);
    }
    give_back(tx, &lock, stamp)?;
    Ok(1)
}

/// Ends a lock as released, or as expired if it has expired.
fn give_back(tx: &WriteTx<'_>, lock: &Lock, stamp: &Stamp) -> Result<(), StoreError> {
    let end = if lock.has_expired(stamp) { End::Expired } else { End::Released };
    locks::end(tx, lock, end, None, stamp)
}

/// Releases all locks of an owner in a scope, and removes its places in the queue. Returns the number of
/// locks. Locks in another program's file must be released there.
pub fn release_all(tx: &WriteTx<'_>, owner: &str, scope: &str, stamp: &Stamp) -> Result<usize, OpsError> {
    let mut held = locks::of_owner(tx, owner, scope)?;
    held.retain(|lock| !lock.mirrored);
    for lock in &held {
        give_back(tx, lock, stamp)?;
    }
    locks::remove_all(tx, owner, scope)?;
    Ok(held.len())
}

/// Releases all locks of a run.
pub fn release_run(tx: &WriteTx<'_>, run_id: &RunId, why: &str, stamp: &Stamp) -> Result<usize, OpsError> {
    let held = locks::of_run(tx, run_id)?;
    for lock in &held {
        locks::end(tx, lock, End::Released, Some(why), stamp)?;
    }
    Ok(held.len())
}

fn require_owner(lock: &Lock, owner: Option<&str>) -> Result<(), OpsError> {
    match owner {
        Some(owner) if owner != lock.owner => {
            Err(OpsError::LockOwner { lock: lock.id.clone(), owner: lock.owner.clone() })
        }
        _ => Ok(()),
    }
}

/// Extends a lock, as the heartbeat of its owner; without `ttl_seconds`, by the duration of the reservation.
///
/// # Errors
/// As [`release`]; [`OpsError::LockGone`] for a lock that has ended.
pub fn renew(
    tx: &WriteTx<'_>,
    id: &str,
    owner: Option<&str>,
    ttl_seconds: Option<i64>,
    stamp: &Stamp,
) -> Result<Lock, OpsError> {
    let lock = locks::get(tx, id)?;
    require_owner(&lock, owner)?;
    require_live(&lock, stamp)?;
    let before = lock.ttl_seconds.or_else(|| lock.expires_at.map(|end| end.saturating_sub(lock.created_at)));
    let renewal = Renewal { ttl_seconds: ttl_seconds.or(before), explicit: true, ..Renewal::default() };
    Ok(locks::renew(tx, &lock, &renewal, stamp)?)
}

fn require_live(lock: &Lock, stamp: &Stamp) -> Result<(), OpsError> {
    if lock.is_live(stamp) {
        return Ok(());
    }
    Err(OpsError::LockGone { lock: lock.id.clone(), state: lock.state(stamp) })
}

/// Checks that a lock is held under this token.
///
/// # Errors
/// [`StoreError::LockNotFound`], or [`OpsError::LockGone`] with the reason.
pub fn verify(tx: &ReadTx<'_>, id: &str, token: i64, stamp: &Stamp) -> Result<Lock, OpsError> {
    let lock = locks::get(tx, id)?;
    require_live(&lock, stamp)?;
    if lock.fence != token {
        return Err(OpsError::LockGone { lock: lock.id, state: "held under another token" });
    }
    Ok(lock)
}

/// The outcome of a sweep.
#[derive(Clone, Debug, Default)]
pub struct Swept {
    /// Locks that have expired.
    pub expired: usize,
    /// Locks whose process has exited.
    pub abandoned: usize,
}

/// Ends every lock that expired at least `older_than` seconds ago, and those whose process has exited, and
/// removes the places in the queue at which no process waits. Each lock is ended once, however many sweeps
/// run at once.
pub fn sweep(
    tx: &WriteTx<'_>,
    older_than: i64,
    outside: Outside<'_>,
    stamp: &Stamp,
) -> Result<Swept, OpsError> {
    mirror::read_through(tx, outside, stamp)?;
    meet(tx, outside, stamp)?;
    queue::sweep(tx, outside, stamp)?;
    let due = due(tx, older_than, outside, stamp)?;
    for lock in &due.0 {
        locks::end(tx, lock, End::Expired, Some("sweep"), stamp)?;
    }
    for lock in &due.1 {
        locks::end(tx, lock, End::Expired, Some(grant::REASON_PROCESS_GONE), stamp)?;
    }
    Ok(Swept { expired: due.0.len(), abandoned: due.1.len() })
}

/// Counts the locks that [`sweep`] would end.
pub fn would_sweep(
    tx: &ReadTx<'_>,
    older_than: i64,
    outside: Outside<'_>,
    stamp: &Stamp,
) -> Result<Swept, OpsError> {
    let due = due(tx, older_than, outside, stamp)?;
    Ok(Swept { expired: due.0.len(), abandoned: due.1.len() })
}

fn due(
    tx: &ReadTx<'_>,
    older_than: i64,
    outside: Outside<'_>,
    stamp: &Stamp,
) -> Result<(Vec<Lock>, Vec<Lock>), StoreError> {
    let expired = locks::expired(tx, &stamp.before(older_than), i64::MAX)?;
    let mut abandoned = locks::with_process(tx)?;
    abandoned.retain(|lock| lock.is_live(stamp) && lock.process.as_ref().is_some_and(outside.is_gone));
    Ok((expired, abandoned))
}

/// Transfers every live lock of one owner in a scope to another. Returns their number, or two locks of the
/// owners that conflict.
pub fn transfer(
    tx: &WriteTx<'_>,
    from: &str,
    to: &str,
    scope: &str,
    force: bool,
    stamp: &Stamp,
) -> Result<Result<usize, (Lock, Lock)>, OpsError> {
    if from == to {
        return Ok(Ok(0));
    }
    let live = |owner: &str| -> Result<Vec<Lock>, StoreError> {
        Ok(locks::of_owner(tx, owner, scope)?.into_iter().filter(|l| l.is_live(stamp)).collect())
    };
    let (mut moving, there) = (live(from)?, live(to)?);
    moving.retain(|lock| !lock.mirrored);
    if !force {
        for lock in &moving {
            let held = Held::of(lock);
            let meets = |other: &&Lock| {
                lock.kind.is_named() == other.kind.is_named() && query::blocks(other, &held, lock.exclusive)
            };
            if let Some(other) = there.iter().find(meets) {
                return Ok(Err((lock.clone(), other.clone())));
            }
        }
    }
    for lock in &moving {
        locks::transfer(tx, lock, to, stamp)?;
    }
    Ok(Ok(moving.len()))
}
