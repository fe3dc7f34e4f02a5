//! Many reservations that are wanted together: all of them, or none.

use super::grant::{Asked, Request, Reserved, Turn, check, refuse, reserve};
use super::{OpsError, Outside, meet, mirror};
use crate::db::WriteTx;
use crate::domain::coordination::Lock;
use crate::domain::time::Stamp;

/// More than this many are looked at and not held: an owner has only so many locks.
const MOST_HELD: usize = 500;

/// Reserves all that is asked for. If something of it is in somebody's way, nothing is held, and the answer is who that is,
/// each lock once; the refusals are on record.
///
/// # Errors
/// [`OpsError::LockLimit`].
pub fn gate(
    tx: &WriteTx<'_>,
    requests: &[Request],
    outside: Outside<'_>,
    stamp: &Stamp,
) -> Result<Vec<Lock>, OpsError> {
    let turn = Turn::default();
    mirror::read_through(tx, outside, stamp)?;
    meet(tx, outside, stamp)?;
    let mut blockers: Vec<Lock> = Vec::new();
    for request in requests {
        let found = check(tx, &Asked::of(request, None), outside, stamp)?;
        if let Some(first) = found.first() {
            refuse(tx, request, first, stamp)?;
        }
        for lock in found {
            if blockers.iter().all(|known| known.id != lock.id) {
                blockers.push(lock);
            }
        }
    }
    if blockers.is_empty() && requests.len() <= MOST_HELD {
        for request in requests {
            if let Reserved::Conflict { blocker, .. } = reserve(tx, request, &turn, outside, stamp)? {
                blockers.push(blocker);
            }
        }
    }
    Ok(blockers)
}
