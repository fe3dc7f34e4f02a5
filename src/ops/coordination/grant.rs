//! Granting a lock, or saying what is in the way.

use super::query::{Asked, blocks, candidates, is_abandoned, is_in_scope};
use super::{OpsError, Outside, Request, Reserved, Turn, mirror, queue, strangers};
use crate::db::WriteTx;
use crate::domain::coordination::{Lock, MOST_LOCKS};
use crate::domain::process::ProcessKey;
use crate::domain::time::{Stamp, secs_up};
use crate::store::coordination::{self as locks, End, NewLock, Renewal, Waiter};

/// The number of expired locks, besides those in the way, that a reservation ends.
const CLEARED: i64 = 100;

/// The reason in the event of a lock whose process has exited.
pub(super) const REASON_PROCESS_GONE: &str = "its process is gone";

/// Reserves, queues the caller, or returns what is in the way.
///
/// A lock that the owner already holds is renewed in place. A process that came first and still waits goes
/// first. An owner that asks for the same thing again returns to the place that it left. A refusal is
/// recorded too.
///
/// # Errors
/// [`OpsError::LockLimit`].
pub fn reserve(
    tx: &WriteTx<'_>,
    request: &Request,
    turn: &Turn,
    outside: Outside<'_>,
    stamp: &Stamp,
) -> Result<Reserved, OpsError> {
    mirror::read_through(tx, outside, stamp)?;
    let pending = locks::pending(tx, stamp.secs())?;
    let asked = Asked::of(request, turn.ticket);
    let mut odd = if pending.strangers { strangers::adopt(tx, outside, stamp)? } else { Vec::new() };
    odd.retain(|lock| is_in_scope(lock, &asked));
    let mut own = None;
    let mut blocker = None;
    for lock in candidates(tx, &asked)?.into_iter().chain(odd) {
        if lock.has_expired(stamp) {
            locks::end(tx, &lock, End::Expired, None, stamp)?;
        } else if lock.owner == request.owner {
            // Another program may end its own lock at any time, so ours is a separate lock beside it.
            let same = lock.kind == request.kind
                && lock.pattern == request.held.text()
                && lock.scope == request.scope
                && !lock.mirrored
                && lock.unreadable.is_empty();
            own = own.or(same.then_some(lock));
        } else if blocker.is_none() && blocks(&lock, &request.held, request.exclusive) {
            if is_abandoned(&lock, outside) {
                locks::end(tx, &lock, End::Expired, Some(REASON_PROCESS_GONE), stamp)?;
            } else {
                blocker = Some(lock);
            }
        }
    }
    if pending.expired {
        for lock in locks::expired(tx, stamp, CLEARED)? {
            locks::end(tx, &lock, End::Expired, None, stamp)?;
        }
    }
    let waiters = if pending.waiters { queue::tidy(tx, outside, stamp)? } else { Vec::new() };
    let place = queue::place(&waiters, turn.ticket, request);
    // A lock that is already held is renewed without waiting.
    if blocker.is_none() && own.is_none() {
        blocker = queue::ahead(tx, &waiters, &Asked::of(request, place), stamp)?.first().map(queue::as_lock);
    }
    let Some(blocker) = blocker else {
        if let Some(ticket) = place {
            locks::remove(tx, ticket)?;
        }
        return grant(tx, request, own, stamp).map(Reserved::Granted);
    };
    if let Some(process) = &turn.waits {
        if let Some(cycle) = queue::cycle(tx, &waiters, &Asked::of(request, place), &request.owner, stamp)? {
            if let Some(ticket) = place {
                locks::remove(tx, ticket)?;
            }
            locks::conflict(tx, &new_lock(request), &blocker, Some(queue::told(&cycle)), stamp)?;
            return Ok(Reserved::Deadlock { blocker, cycle });
        }
        let mine = place.and_then(|ticket| waiters.iter().find(|waiter| waiter.ticket == ticket));
        let ticket = match mine {
            Some(mine) => {
                if mine.left_at.is_some() || mine.process.as_ref() != Some(process) {
                    locks::rejoin(tx, &waiter(request, mine.ticket, process, turn, stamp))?;
                }
                mine.ticket
            }
            None => locks::enqueue(tx, &waiter(request, 0, process, turn, stamp))?,
        };
        return Ok(Reserved::Waiting { ticket, blocker });
    }
    if let Some(ticket) = place {
        locks::leave(tx, ticket, stamp.millis())?;
    }
    refuse(tx, request, &blocker, stamp)?;
    Ok(Reserved::Conflict { blocker, ticket: place })
}

/// Records a refusal.
pub(super) fn refuse(
    tx: &WriteTx<'_>,
    request: &Request,
    blocker: &Lock,
    stamp: &Stamp,
) -> Result<(), OpsError> {
    Ok(locks::conflict(tx, &new_lock(request), blocker, None, stamp)?)
}

/// Renews the owner's own lock, or inserts a new one.
fn grant(tx: &WriteTx<'_>, request: &Request, own: Option<Lock>, stamp: &Stamp) -> Result<Lock, OpsError> {
    let new = new_lock(request);
    if let Some(own) = own {
        let end = request.ttl_seconds.map(|ttl| stamp.after(ttl));
        let longer = own.ends_at().is_none() || end.is_some() && own.ends_at() >= end;
        let stays = request.at_least && longer;
        if stays && own.exclusive {
            return Ok(own);
        }
        let left = own.ends_at().map(|end| secs_up(end.saturating_sub(stamp.millis())));
        let renewal = Renewal {
            ttl_seconds: if stays { left } else { request.ttl_seconds },
            exclusive: request.exclusive,
            wider: (own.file && request.held.is_wider_than_a_file()).then_some(&new.keys),
            process: request.process.as_ref(),
            run_id: request.run_id.as_deref(),
            dispatch_id: request.dispatch_id.as_deref(),
            explicit: !request.automatic,
        };
        return Ok(locks::renew(tx, &own, &renewal, stamp)?);
    }
    let held = locks::count_live(tx, &request.owner, &request.scope, stamp.secs())?;
    if held >= MOST_LOCKS {
        let (owner, scope) = (request.owner.clone(), request.scope.clone());
        return Err(OpsError::LockLimit { owner, scope, held });
    }
    Ok(locks::insert(tx, &new, stamp)?)
}

fn new_lock(request: &Request) -> NewLock {
    NewLock {
        kind: request.kind,
        owner: request.owner.clone(),
        scope: request.scope.clone(),
        pattern: request.held.text().to_owned(),
        exclusive: request.exclusive,
        reason: request.reason.clone(),
        ttl_seconds: request.ttl_seconds,
        dispatch_id: request.dispatch_id.clone(),
        run_id: request.run_id.clone(),
        process: request.process.clone(),
        keys: request.held.keys(),
        automatic: request.automatic,
    }
}

fn waiter(request: &Request, ticket: i64, process: &ProcessKey, turn: &Turn, stamp: &Stamp) -> Waiter {
    Waiter {
        ticket,
        kind: request.kind,
        owner: request.owner.clone(),
        scope: request.scope.clone(),
        pattern: request.held.text().to_owned(),
        file: request.held.is_file(),
        exclusive: request.exclusive,
        process: Some(process.clone()),
        created_at: stamp.secs(),
        deadline: turn.deadline,
        grace: turn.grace,
        left_at: None,
    }
}
