//! Reservations: granted, refused, renewed, given back, handed over, swept, each in one transaction (CO-01).

mod held;

use super::OpsError;
use crate::db::{ReadTx, WriteTx};
use crate::domain::coordination::{Lock, LockKind, MOST_LOCKS};
use crate::domain::glob::Pattern;
use crate::domain::ids::RunId;
use crate::domain::process::ProcessKey;
use crate::domain::time::Stamp;
use crate::store::coordination::{self as locks, End, NewLock};
use crate::store::{self, StoreError};

pub use held::Held;

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
    /// Why.
    pub reason: Option<String>,
    /// The dispatch that it is for.
    pub dispatch_id: Option<String>,
    /// The run that it is for.
    pub run_id: Option<String>,
    /// The process that it lives with.
    pub process: Option<ProcessKey>,
}

/// What a reservation came to.
#[derive(Clone, Debug)]
pub enum Reserved {
    /// Held, newly or for longer.
    Granted(Lock),
    /// Somebody else's lock is in the way.
    Conflict(Lock),
}

/// How the scope of a row that another program wrote is meant: only the file system knows (CO-19).
pub type Canonical<'a> = &'a dyn Fn(&str) -> String;

/// Reserves, or says what is in the way.
///
/// What the owner holds already is renewed in place (CO-07). A refusal is on record too.
///
/// # Errors
/// [`OpsError::LockLimit`].
pub fn reserve(
    tx: &WriteTx<'_>,
    request: &Request,
    canonical: Canonical<'_>,
    stamp: &Stamp,
) -> Result<Reserved, OpsError> {
    adopt(tx, canonical, stamp)?;
    let now = stamp.secs();
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
    for lock in locks::expired(tx, now, CLEARED)? {
        locks::end(tx, &lock, End::Expired, None, stamp)?;
    }
    let new = NewLock {
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
    };
    if let Some(blocker) = blocker {
        locks::conflict(tx, &new, &blocker, stamp)?;
        return Ok(Reserved::Conflict(blocker));
    }
    if let Some(own) = own {
        return Ok(Reserved::Granted(locks::renew(tx, &own, request.ttl_seconds, request.exclusive, stamp)?));
    }
    let held = locks::count_live(tx, &request.owner, &request.scope, now)?;
    if held >= MOST_LOCKS {
        let (owner, scope) = (request.owner.clone(), request.scope.clone());
        return Err(OpsError::LockLimit { owner, scope, held });
    }
    Ok(Reserved::Granted(locks::insert(tx, &new, stamp)?))
}

/// Whether a lock is in the way of what is asked for.
fn blocks(lock: &Lock, held: &Held, exclusive: bool) -> bool {
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
    /// An owner whose locks are not in the way.
    pub but: Option<&'a str>,
}

/// Every live lock that would be in the way of a reservation, oldest first. Changes nothing (CO-08).
///
/// # Errors
/// What the engine says.
pub fn check(
    tx: &ReadTx<'_>,
    asked: &Asked<'_>,
    canonical: Canonical<'_>,
    stamp: &Stamp,
) -> Result<Vec<Lock>, OpsError> {
    let Asked { scope, kind, held, exclusive, but } = *asked;
    let mut found = locks::candidates(tx, scope, kind, &held.reach())?;
    for stranger in locks::strangers(tx)? {
        if stranger.kind.is_named() == kind.is_named() && canonical(&stranger.scope) == scope {
            found.push(Lock { scope: scope.to_owned(), ..stranger });
        }
    }
    found.retain(|lock| {
        lock.is_live(stamp.secs()) && Some(lock.owner.as_str()) != but && blocks(lock, held, exclusive)
    });
    Ok(found)
}

/// Takes in what other programs have inserted since somebody last looked.
fn adopt(tx: &WriteTx<'_>, canonical: Canonical<'_>, stamp: &Stamp) -> Result<(), StoreError> {
    for lock in locks::strangers(tx)? {
        let scope = if lock.kind.is_named() { lock.scope.clone() } else { canonical(&lock.scope) };
        let meant = Lock { scope: scope.clone(), ..lock.clone() };
        let held = Held::of(&meant);
        // A text that cannot be read stays as it is; what it may mean is in its keys.
        let readable = meant.kind.is_named() || Pattern::parse_in(&scope, &meant.pattern).is_ok();
        let pattern = if readable { held.text() } else { &meant.pattern };
        locks::adopt(tx, &lock, &scope, pattern, &held.keys(), stamp)?;
    }
    Ok(())
}

/// Releases one lock. Answers how many were: none if it was released already.
///
/// # Errors
/// * [`StoreError::LockNotFound`] for an unknown id.
/// * [`OpsError::LockOwner`] if `owner` is given and it is not theirs.
pub fn release(tx: &WriteTx<'_>, id: &str, owner: Option<&str>, stamp: &Stamp) -> Result<usize, OpsError> {
    let lock = locks::get(tx, id)?;
    require_owner(&lock, owner)?;
    if lock.released_at.is_some() {
        return Ok(0);
    }
    let end = if lock.has_expired(stamp.secs()) { End::Expired } else { End::Released };
    locks::end(tx, &lock, end, None, stamp)?;
    Ok(1)
}

/// Releases everything that an owner holds in a scope. Answers how many locks that were.
///
/// # Errors
/// What the engine says.
pub fn release_all(tx: &WriteTx<'_>, owner: &str, scope: &str, stamp: &Stamp) -> Result<usize, OpsError> {
    let held = locks::of_owner(tx, owner, scope)?;
    for lock in &held {
        let end = if lock.has_expired(stamp.secs()) { End::Expired } else { End::Released };
        locks::end(tx, lock, end, None, stamp)?;
    }
    Ok(held.len())
}

/// Releases everything that is held for a run (DI-08).
///
/// # Errors
/// What the engine says.
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

/// Holds a lock for longer: the heartbeat of whoever works under it (CO-03). Without a time of its own, for as long as when
/// it was reserved.
///
/// # Errors
/// As [`release`], and [`OpsError::LockGone`] for one that does not hold any more.
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
    let ttl = ttl_seconds.or(lock.ttl_seconds);
    Ok(locks::renew(tx, &lock, ttl, false, stamp)?)
}

fn require_live(lock: &Lock, stamp: &Stamp) -> Result<(), OpsError> {
    let now = stamp.secs();
    if lock.is_live(now) {
        return Ok(());
    }
    Err(OpsError::LockGone { lock: lock.id.clone(), state: lock.state(now) })
}

/// Whether a lock still holds, under this token (CO-17).
///
/// # Errors
/// [`StoreError::LockNotFound`], or [`OpsError::LockGone`] saying why not.
pub fn verify(tx: &ReadTx<'_>, id: &str, token: i64, stamp: &Stamp) -> Result<Lock, OpsError> {
    let lock = locks::get(tx, id)?;
    require_live(&lock, stamp)?;
    if lock.fence != token {
        return Err(OpsError::LockGone { lock: lock.id, state: "held under another token" });
    }
    Ok(lock)
}

/// What a sweep found.
#[derive(Clone, Debug, Default)]
pub struct Swept {
    /// Ended, or to be ended: their time is over.
    pub expired: usize,
    /// Ended, or to be ended: their process is gone.
    pub abandoned: usize,
}

/// Ends every lock whose time was over `older_than` seconds ago, and those that `is_gone` says live with a process that does
/// not. Each is ended once, however many sweep at once (CO-09).
///
/// # Errors
/// What the engine says.
pub fn sweep(
    tx: &WriteTx<'_>,
    older_than: i64,
    is_gone: &dyn Fn(&ProcessKey) -> bool,
    stamp: &Stamp,
) -> Result<Swept, OpsError> {
    let due = due(tx, older_than, is_gone, stamp)?;
    for lock in &due.0 {
        locks::end(tx, lock, End::Expired, Some("sweep"), stamp)?;
    }
    for lock in &due.1 {
        locks::end(tx, lock, End::Expired, Some("its process is gone"), stamp)?;
    }
    Ok(Swept { expired: due.0.len(), abandoned: due.1.len() })
}

/// What a sweep would find.
///
/// # Errors
/// What the engine says.
pub fn would_sweep(
    tx: &ReadTx<'_>,
    older_than: i64,
    is_gone: &dyn Fn(&ProcessKey) -> bool,
    stamp: &Stamp,
) -> Result<Swept, OpsError> {
    let due = due(tx, older_than, is_gone, stamp)?;
    Ok(Swept { expired: due.0.len(), abandoned: due.1.len() })
}

fn due(
    tx: &ReadTx<'_>,
    older_than: i64,
    is_gone: &dyn Fn(&ProcessKey) -> bool,
    stamp: &Stamp,
) -> Result<(Vec<Lock>, Vec<Lock>), StoreError> {
    let now = stamp.secs();
    let expired = locks::expired(tx, now.saturating_sub(older_than), i64::MAX)?;
    let mut abandoned = locks::with_process(tx)?;
    abandoned.retain(|lock| lock.is_live(now) && lock.process.as_ref().is_some_and(is_gone));
    Ok((expired, abandoned))
}

/// Hands every live lock of one owner in a scope to another. Answers how many, or the two locks that cannot be one owner's
/// and another's at once (CO-10).
///
/// # Errors
/// What the engine says.
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
    let now = stamp.secs();
    let live = |owner: &str| -> Result<Vec<Lock>, StoreError> {
        Ok(store::coordination::of_owner(tx, owner, scope)?.into_iter().filter(|l| l.is_live(now)).collect())
    };
    let (moving, there) = (live(from)?, live(to)?);
    if !force {
        for lock in &moving {
            let held = Held::of(lock);
            let meets = |other: &&Lock| {
                lock.kind.is_named() == other.kind.is_named() && blocks(other, &held, lock.exclusive)
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
