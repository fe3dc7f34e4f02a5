//! Granting a lock, or saying what is in the way.

use super::queue::{self, Wait};
use super::{Held, OpsError, Outside, mirror};
use crate::db::{ReadTx, WriteTx};
use crate::domain::coordination::{Lock, LockKind, MOST_LOCKS};
use crate::domain::glob::Pattern;
use crate::domain::process::ProcessKey;
use crate::domain::time::Stamp;
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
/// What the owner holds already is renewed in place (CO-07). Whoever came first and still waits goes first (CO-16). A refusal
/// is on record too.
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
    let now = stamp.secs();
    mirror::read_through(tx, outside, stamp)?;
    let pending = locks::pending(tx, now)?;
    if pending.strangers {
        adopt(tx, outside, stamp)?;
    }
    let mut own = None;
    let mut blocker = None;
    for lock in candidates(tx, &Asked::of(request, turn.ticket))? {
        if lock.has_expired(now) {
            locks::end(tx, &lock, End::Expired, None, stamp)?;
        } else if lock.owner == request.owner {
            // What another program holds it ends when it likes: ours is another lock beside it.
            let same = lock.kind == request.kind
                && lock.pattern == request.held.text()
                && lock.scope == request.scope
                && !lock.mirrored;
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
        for lock in locks::expired(tx, now, CLEARED)? {
            locks::end(tx, &lock, End::Expired, None, stamp)?;
        }
    }
    let waiters = if pending.waiters { queue::tidy(tx, outside, stamp)? } else { Vec::new() };
    let place = turn.ticket.and_then(|ticket| queue::place(&waiters, ticket, request));
    // What is held already is not waited for.
    if blocker.is_none() && own.is_none() {
        blocker = queue::ahead(tx, &waiters, &Asked::of(request, place), now)?.first().map(queue::as_lock);
    }
    let Some(blocker) = blocker else {
        if let Some(ticket) = place {
            locks::remove(tx, ticket)?;
        }
        return grant(tx, request, own, stamp).map(Reserved::Granted);
    };
    if let Some(process) = &turn.waits {
        if let Some(cycle) = queue::cycle(tx, &waiters, &Asked::of(request, place), &request.owner, now)? {
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
        locks::leave(tx, ticket, stamp)?;
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
        let end = request.ttl_seconds.map(|ttl| stamp.secs().saturating_add(ttl));
        let longer = own.expires_at.is_none() || end.is_some() && own.expires_at >= end;
        let stays = request.at_least && longer;
        if stays && own.exclusive {
            return Ok(own);
        }
        let left = own.expires_at.map(|end| end.saturating_sub(stamp.secs()));
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
        let meant = |lock: Lock| {
            let there = Lock { scope: (outside.canonical)(&lock.scope), ..lock };
            Lock { file: Held::as_seen(&there, outside).is_file(), ..there }
        };
        found.extend(locks::strangers(tx)?.into_iter().map(meant));
    }
    mirror::apply(tx, &mut found, outside)?;
    found.retain(|lock| is_in_the_way(lock, asked, stamp.secs()) && !is_abandoned(lock, outside));
    if pending.waiters {
        let waiters = queue::look(tx, outside, stamp)?;
        found.extend(queue::ahead(tx, &waiters, asked, stamp.secs())?.iter().map(queue::as_lock));
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
pub(super) fn holders(tx: &ReadTx<'_>, asked: &Asked<'_>, now: i64) -> Result<Vec<Lock>, StoreError> {
    let mut found = candidates(tx, asked)?;
    found.retain(|lock| is_in_the_way(lock, asked, now));
    Ok(found)
}

fn is_in_the_way(lock: &Lock, asked: &Asked<'_>, now: i64) -> bool {
    lock.is_live(now)
        && (lock.scope == asked.scope || Some(lock.scope.as_str()) == alias(asked.scope, asked.kind))
        && lock.kind.is_named() == asked.kind.is_named()
        && Some(lock.owner.as_str()) != asked.but
        && blocks(lock, asked.held, asked.exclusive)
}

/// Whether one who waits should try again now; if not, when at the latest, in Unix milliseconds, though nobody commits
/// anything until then.
///
/// # Errors
/// What the engine says.
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
    // A place that somebody took for left is taken up again; one that closes a cycle by now is given up.
    let lost = !waiters.iter().any(|waiter| waiter.ticket == ticket && waiter.left_at.is_none());
    if blockers.is_empty()
        || lost
        || queue::cycle(tx, &waiters, &asked, &request.owner, stamp.secs())?.is_some()
    {
        return Ok(Ok(()));
    }
    Ok(Err(blockers.iter().filter_map(|lock| lock.expires_at).min().map(|at| at.saturating_mul(1000))))
}

/// Takes in what other programs have inserted since somebody last looked, if they have: before a lock is released, renewed or
/// handed over, so that theirs is too (CL-10).
///
/// # Errors
/// What the engine says.
pub fn meet(tx: &WriteTx<'_>, outside: Outside<'_>, stamp: &Stamp) -> Result<(), StoreError> {
    if locks::pending(tx, stamp.secs())?.strangers { adopt(tx, outside, stamp) } else { Ok(()) }
}

fn adopt(tx: &WriteTx<'_>, outside: Outside<'_>, stamp: &Stamp) -> Result<(), StoreError> {
    for lock in locks::strangers(tx)? {
        let scope = (outside.canonical)(&lock.scope);
        let meant = Lock { scope: scope.clone(), ..lock.clone() };
        let held = Held::as_seen(&meant, outside);
        // A text that cannot be read stays as it is; what it may mean is in its keys.
        let pattern = if readable(&meant) { held.text() } else { &meant.pattern };
        locks::adopt(tx, &lock, &scope, pattern, &held.keys(), stamp)?;
    }
    Ok(())
}

/// Whether what a lock says that it holds can be read.
pub(super) fn readable(lock: &Lock) -> bool {
    lock.kind.is_named() || Pattern::parse_in(&lock.scope, &lock.pattern).is_ok()
}
