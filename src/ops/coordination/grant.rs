//! Granting a lock, or saying what is in the way.

use super::queue::{self, Wait};
use super::{Held, OpsError, Outside, mirror};
use crate::db::{ReadTx, WriteTx};
use crate::domain::coordination::{Lock, LockKind, MOST_LOCKS};
use crate::domain::glob::Pattern;
use crate::domain::process::ProcessKey;
use crate::domain::time::Stamp;
use crate::store::StoreError;
use crate::store::coordination::{self as locks, End, NewLock, Waiter};

/// How many locks that are over, besides those in the way, a reservation clears away.
const CLEARED: i64 = 100;

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
    for lock in locks::candidates(tx, &request.scope, request.kind, &request.held.reach())? {
        if lock.has_expired(now) {
            locks::end(tx, &lock, End::Expired, None, stamp)?;
        } else if lock.owner == request.owner {
            let same = lock.kind == request.kind && lock.pattern == request.held.text();
            own = own.or(same.then_some(lock));
        } else if blocker.is_none() && blocks(&lock, &request.held, request.exclusive) {
            blocker = Some(lock);
        }
    }
    if pending.expired {
        for lock in locks::expired(tx, now, CLEARED)? {
            locks::end(tx, &lock, End::Expired, None, stamp)?;
        }
    }
    let mut waiters = if pending.waiters { queue::tidy(tx, outside, stamp)? } else { Vec::new() };
    let place = turn.ticket.and_then(|ticket| queue::place(&waiters, ticket, request));
    // What is held already is not waited for.
    if blocker.is_none() && own.is_none() {
        blocker = queue::ahead(&waiters, &Asked::of(request, place)).next().map(queue::as_lock);
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
        let ticket = match place {
            Some(ticket) => {
                waiters.retain(|waiter| waiter.ticket == ticket);
                if waiters.iter().any(|waiter| waiter.process.as_ref() != Some(process)) {
                    locks::rejoin(tx, &waiter(request, ticket, process, turn.grace, stamp))?;
                }
                ticket
            }
            None => locks::enqueue(tx, &waiter(request, 0, process, turn.grace, stamp))?,
        };
        return Ok(Reserved::Waiting { ticket, blocker });
    }
    if let Some(ticket) = place {
        locks::leave(tx, ticket, stamp)?;
    }
    locks::conflict(tx, &new_lock(request), &blocker, None, stamp)?;
    Ok(Reserved::Conflict { blocker, ticket: place })
}

/// Nobody is in the way.
fn grant(tx: &WriteTx<'_>, request: &Request, own: Option<Lock>, stamp: &Stamp) -> Result<Lock, OpsError> {
    let new = new_lock(request);
    if let Some(own) = own {
        let end = request.ttl_seconds.map(|ttl| stamp.secs().saturating_add(ttl));
        let longer = own.expires_at.is_none() || end.is_some() && own.expires_at >= end;
        if request.at_least && longer && own.exclusive {
            return Ok(own);
        }
        let wider = (own.file && request.held.is_wider_than_a_file()).then_some(&new.keys);
        return Ok(locks::renew(tx, &own, request.ttl_seconds, request.exclusive, wider, stamp)?);
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
    }
}

fn waiter(request: &Request, ticket: i64, process: &ProcessKey, grace: i64, stamp: &Stamp) -> Waiter {
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
        grace,
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
    pub(super) fn of(request: &'a Request, ticket: Option<i64>) -> Self {
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
    let mut found = locks::candidates(tx, asked.scope, asked.kind, &asked.held.reach())?;
    if pending.strangers {
        let meant = |lock: Lock| {
            let there = Lock { scope: (outside.canonical)(&lock.scope), ..lock };
            Lock { file: Held::as_seen(&there, outside).is_file(), ..there }
        };
        found.extend(locks::strangers(tx)?.into_iter().map(meant));
    }
    mirror::apply(&mut found, outside);
    found.retain(|lock| is_in_the_way(lock, asked, stamp.secs()));
    if pending.waiters {
        let waiters = queue::look(tx, outside, stamp)?;
        found.extend(queue::ahead(&waiters, asked).map(queue::as_lock));
    }
    Ok(found)
}

/// The live locks of others that are in the way, oldest first.
pub(super) fn holders(tx: &ReadTx<'_>, asked: &Asked<'_>, now: i64) -> Result<Vec<Lock>, StoreError> {
    let mut found = locks::candidates(tx, asked.scope, asked.kind, &asked.held.reach())?;
    found.retain(|lock| is_in_the_way(lock, asked, now));
    Ok(found)
}

fn is_in_the_way(lock: &Lock, asked: &Asked<'_>, now: i64) -> bool {
    lock.is_live(now)
        && lock.scope == asked.scope
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
        || queue::is_untidy(tx, outside, stamp)?
        || queue::cycle(tx, &waiters, &asked, &request.owner, stamp.secs())?.is_some()
    {
        return Ok(Ok(()));
    }
    Ok(Err(blockers.iter().filter_map(|lock| lock.expires_at).min().map(|at| at.saturating_mul(1000))))
}

/// Takes in what other programs have inserted since somebody last looked.
fn adopt(tx: &WriteTx<'_>, outside: Outside<'_>, stamp: &Stamp) -> Result<(), StoreError> {
    for lock in locks::strangers(tx)? {
        let named = lock.kind.is_named();
        let scope = if named { lock.scope.clone() } else { (outside.canonical)(&lock.scope) };
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
