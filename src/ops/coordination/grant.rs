//! Granting a lock, or saying what is in the way.

use super::queue::{self, Wait};
use super::{Held, OpsError, Outside, mirror, strangers};
use crate::db::{ReadTx, WriteTx};
use crate::domain::coordination::{Lock, LockKind, MOST_LOCKS};
use crate::domain::process::ProcessKey;
use crate::domain::time::{Stamp, secs_up};
use crate::store::StoreError;
use crate::store::coordination::{self as locks, End, NewLock, Renewal, Waiter};

/// How many locks that are over, besides those in the way, a reservation clears away.
const CLEARED: i64 = 100;

/// Why a lock ended that lived with a process.
pub(super) const ITS_PROCESS_IS_GONE: &str = "its process is gone";

/// What a caller asks to hold.
#[derive(Clone, Debug)]
pub struct Request {
    /// What it is for.
    pub kind: LockKind,
    /// Whose it is to be.
    pub owner: String,
    /// Where it counts, canonical.
    pub scope: String,
    /// What.
    pub held: Held,
    /// Whether nobody else may.
    pub exclusive: bool,
    /// For how long, in seconds; `None` until it is released.
    pub ttl_seconds: Option<i64>,
    /// Whether what the owner holds for longer already stays as it is.
    pub at_least: bool,
    /// Whether a hook asks, and not the owner itself.
    pub automatic: bool,
    /// Why.
    pub reason: Option<String>,
    /// The dispatch that it is for.
    pub dispatch_id: Option<String>,
    /// The run that it is for.
    pub run_id: Option<String>,
    /// The process that it lives with.
    pub process: Option<ProcessKey>,
}

/// How a caller stands in the queue.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// Its place, if it has one.
    pub ticket: Option<i64>,
    /// The process that waits; `None` for a caller who does not, or not any more.
    pub waits: Option<ProcessKey>,
    /// When it stops waiting, in Unix milliseconds.
    pub deadline: i64,
    /// How long its place is kept after it has left, in seconds.
    pub grace: i64,
}

/// What a reservation came to.
#[derive(Clone, Debug)]
pub enum Reserved {
    /// Held, newly or for longer.
    Granted(Lock),
    /// Somebody is in the way, and the caller does not wait.
    Conflict {
        /// Who: a lock, or somebody who came first.
        blocker: Lock,
        /// The caller's place, which is kept for a while.
        ticket: Option<i64>,
    },
    /// The caller has a place in the queue.
    Waiting {
        /// Its ticket.
        ticket: i64,
        /// Who is in the way.
        blocker: Lock,
    },
    /// To wait would be to wait for oneself (CO-16).
    Deadlock {
        /// Who is in the way.
        blocker: Lock,
        /// Who waits for whom, from the caller around to the caller.
        cycle: Vec<Wait>,
    },
}

/// Reserves, waits, or says what is in the way.
///
/// What the owner holds already is renewed in place. A process that came first and waits now goes first. The same owner that
/// asks for the same thing comes back to the place that it has left. A refusal is on record too.
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
            // What another program holds it ends when it likes: ours is another lock beside it.
            let same = lock.kind == request.kind
                && lock.pattern == request.held.text()
                && lock.scope == request.scope
                && !lock.mirrored
                && lock.unreadable.is_empty();
            own = own.or(same.then_some(lock));
        } else if blocker.is_none() && blocks(&lock, &request.held, request.exclusive) {
            if is_abandoned(&lock, outside) {
                locks::end(tx, &lock, End::Expired, Some(ITS_PROCESS_IS_GONE), stamp)?;
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
    // What is held already is not waited for.
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

/// Puts a refusal on record.
pub(super) fn refuse(
    tx: &WriteTx<'_>,
    request: &Request,
    blocker: &Lock,
    stamp: &Stamp,
) -> Result<(), OpsError> {
    Ok(locks::conflict(tx, &new_lock(request), blocker, None, stamp)?)
}

/// The name that others may have for a scope that is a directory: its base name (CO-19). Names of locks have their scope to
/// themselves.
pub(super) fn alias(scope: &str, kind: LockKind) -> Option<&str> {
    let name = scope.strip_prefix('/')?.rsplit('/').next()?;
    (!kind.is_named() && !name.is_empty()).then_some(name)
}

/// Nobody is in the way.
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

/// Whether a lock is in the way of what is asked for.
pub(super) fn blocks(lock: &Lock, held: &Held, exclusive: bool) -> bool {
    (lock.exclusive || exclusive) && Held::of(lock).meets(held)
}

/// What a caller would like to hold.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Where it counts, canonical.
    pub scope: &'a str,
    /// What it is for.
    pub kind: LockKind,
    /// What.
    pub held: &'a Held,
    /// Whether nobody else may.
    pub exclusive: bool,
    /// An owner who is not in its own way.
    pub but: Option<&'a str>,
    /// Its place in the queue, if it has one.
    pub ticket: Option<i64>,
}

impl<'a> Asked<'a> {
    /// What a request asks for, from a place in the queue.
    pub fn of(request: &'a Request, ticket: Option<i64>) -> Self {
        Self {
            scope: &request.scope,
            kind: request.kind,
            held: &request.held,
            exclusive: request.exclusive,
            but: Some(&request.owner),
            ticket,
        }
    }
}

/// Everybody who would be in the way of a reservation: live locks, oldest first, then those who came first and wait. Changes
/// nothing (CO-08).
///
/// # Errors
/// What the engine says.
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

/// What may be in the way of what is asked for, by its keys.
fn candidates(tx: &ReadTx<'_>, asked: &Asked<'_>) -> Result<Vec<Lock>, StoreError> {
    let Asked { scope, kind, held, .. } = *asked;
    locks::candidates(tx, scope, alias(scope, kind), kind, &held.reach())
}

/// Whether the process that a lock lives with is gone: whoever meets it ends it (CO-03).
fn is_abandoned(lock: &Lock, outside: Outside<'_>) -> bool {
    lock.process.as_ref().is_some_and(outside.is_gone)
}

/// The live locks of others that are in the way, oldest first.
pub(super) fn holders(tx: &ReadTx<'_>, asked: &Asked<'_>, stamp: &Stamp) -> Result<Vec<Lock>, StoreError> {
    let mut found = candidates(tx, asked)?;
    found.retain(|lock| is_in_the_way(lock, asked, stamp));
    Ok(found)
}

fn is_in_the_way(lock: &Lock, asked: &Asked<'_>, stamp: &Stamp) -> bool {
    lock.is_live(stamp)
        && is_in_scope(lock, asked)
        && Some(lock.owner.as_str()) != asked.but
        && blocks(lock, asked.held, asked.exclusive)
}

/// Whether a lock counts in the scope of what is asked for. One whose scope cannot be understood counts in all.
fn is_in_scope(lock: &Lock, asked: &Asked<'_>) -> bool {
    lock.scope == asked.scope
        || Some(lock.scope.as_str()) == alias(asked.scope, asked.kind)
        || lock.unreadable("scope").is_some()
}
