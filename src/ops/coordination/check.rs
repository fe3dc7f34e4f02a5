//! Finding what is in the way of a reservation, without changing anything.

use super::query::{Asked, candidates, is_abandoned, is_in_the_way};
use super::{OpsError, Outside, Request, mirror, queue, strangers};
use crate::db::ReadTx;
use crate::domain::coordination::Lock;
use crate::domain::time::Stamp;
use crate::store::coordination as locks;

/// Returns all that is in the way of a reservation: live locks, oldest first, then the owners that came first
/// and wait.
///
/// # Errors
/// If the database cannot be read.
pub fn check(
    tx: &ReadTx<'_>,
    asked: &Asked<'_>,
    outside: Outside<'_>,
    stamp: &Stamp,
) -> Result<Vec<Lock>, OpsError> {
    let pending = locks::pending(tx, stamp.secs())?;
    let mut found = candidates(tx, asked)?;
    if pending.strangers {
        let all = locks::strangers(tx)?;
        found.extend(all.into_iter().map(|lock| strangers::meant(lock, outside).0));
    }
    mirror::apply(tx, &mut found, outside)?;
    found.retain(|lock| is_in_the_way(lock, asked, stamp) && !is_abandoned(lock, outside));
    if pending.waiters {
        let waiters = queue::look(tx, outside, stamp)?;
        found.extend(queue::ahead(tx, &waiters, asked, stamp)?.iter().map(queue::as_lock));
    }
    Ok(found)
}

/// Returns `Ok` if a waiter should try again now. Otherwise returns the time by which it should, in Unix
/// milliseconds, if nothing is committed before.
///
/// # Errors
/// If the database cannot be read.
pub fn outlook(
    tx: &ReadTx<'_>,
    request: &Request,
    ticket: i64,
    outside: Outside<'_>,
    stamp: &Stamp,
) -> Result<Result<(), Option<i64>>, OpsError> {
    let asked = Asked::of(request, Some(ticket));
    let blockers = check(tx, &asked, outside, stamp)?;
    let waiters = queue::look(tx, outside, stamp)?;
    // A place that was marked as left is occupied again. One that closes a cycle since then is given up.
    let lost = !waiters.iter().any(|waiter| waiter.ticket == ticket && waiter.left_at.is_none());
    if blockers.is_empty() || lost || queue::cycle(tx, &waiters, &asked, &request.owner, stamp)?.is_some() {
        return Ok(Ok(()));
    }
    Ok(Err(blockers.iter().filter_map(Lock::ends_at).min()))
}
