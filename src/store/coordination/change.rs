//! Granting, renewing, transferring and ending locks. Each change is one event of its lock.

use serde_json::{Map, Value as Json};

use super::row::{key, stored};
use super::{Keys, NewLock};
use crate::db::{Column, Value, WriteTx};
use crate::domain::coordination::Lock;
use crate::domain::envelope::{self, Writer};
use crate::domain::event::{NewEvent, Source};
use crate::domain::ids::LockId;
use crate::domain::process::ProcessKey;
use crate::domain::time::{Stamp, secs_up};
use crate::store::cells::{self, Cells};
use crate::store::{StoreError, event};

/// Returns a fencing token, which is the number of the next event.
fn next_fence(tx: &WriteTx<'_>) -> Result<i64, StoreError> {
    Ok(event::head(tx)?.id + 1)
}

/// Grants a lock. Its fencing token is the number of its event.
pub fn insert(tx: &WriteTx<'_>, new: &NewLock, stamp: &Stamp) -> Result<Lock, StoreError> {
    let id = LockId::fresh(|id| cells::taken(tx, "coordination_locks", id))?;
    let now = stamp.secs();
    let fence = next_fence(tx)?;
    let ends_at = new.ttl_seconds.map(|ttl| stamp.after(ttl));
    let expires_at = ends_at.map(secs_up);
    let mut cells: Cells = vec![
        ("id", id.encode()),
        ("type", new.kind.encode()),
        ("owner", new.owner.encode()),
        ("scope", new.scope.encode()),
        ("pattern", new.pattern.encode()),
        ("exclusive", new.exclusive.encode()),
        ("reason", new.reason.encode()),
        ("ttl_seconds", new.ttl_seconds.encode()),
        ("created_at", now.encode()),
        ("expires_at", expires_at.encode()),
        ("expires_at_ms", ends_at.encode()),
        ("released_at", None::<i64>.encode()),
        ("dispatch_id", new.dispatch_id.encode()),
        ("run_id", new.run_id.encode()),
        ("fence", fence.encode()),
        ("prefix_key", new.keys.prefix.encode()),
        ("suffix_key", new.keys.suffix.encode()),
    ];
    if new.automatic {
        cells.push(("automatic", true.encode()));
    }
    cells.extend(cells::process(new.process.as_ref()));
    cells::insert(tx, "coordination_locks", &cells)?;
    let lock = Lock {
        id: id.as_str().to_owned(),
        kind: new.kind,
        owner: new.owner.clone(),
        scope: new.scope.clone(),
        pattern: new.pattern.clone(),
        file: !new.keys.suffix.is_empty(),
        exclusive: new.exclusive,
        reason: new.reason.clone(),
        ttl_seconds: new.ttl_seconds,
        created_at: now,
        expires_at,
        expires_at_ms: ends_at,
        released_at: None,
        dispatch_id: new.dispatch_id.clone(),
        run_id: new.run_id.clone(),
        fence,
        process: new.process.clone(),
        unreadable: Vec::new(),
        mirrored: false,
        automatic: new.automatic,
    };
    note(tx, &lock, "coordination.acquired", lock.reason.clone(), cells::created(&cells), stamp)?;
    Ok(lock)
}

/// Returns the columns that change, before and after.
fn change(
    tx: &WriteTx<'_>,
    changed: Lock,
    kind: &'static str,
    reason: Option<String>,
    old: &Cells,
    new: &Cells,
    stamp: &Stamp,
) -> Result<Lock, StoreError> {
    cells::update(tx, "coordination_locks", &[("id", key(&changed))], new)?;
    note(tx, &changed, kind, reason, cells::changed(old, new), stamp)?;
    Ok(changed)
}

/// The changes of a lock that is renewed.
#[derive(Clone, Debug, Default)]
pub struct Renewal<'a> {
    /// The duration from now on, in seconds; `None` until it is released.
    pub ttl_seconds: Option<i64>,
    /// Whether it becomes exclusive.
    pub exclusive: bool,
    /// The keys with which a lock of a file is extended to all that lies below.
    pub wider: Option<&'a Keys>,
    /// The new process that it ends with, if any.
    pub process: Option<&'a ProcessKey>,
    /// The new run, if any.
    pub run_id: Option<&'a str>,
    /// The new dispatch, if any.
    pub dispatch_id: Option<&'a str>,
    /// Whether the owner asks for it, after which no hook ends it.
    pub explicit: bool,
}

/// Extends a lock, and makes it exclusive if requested. A lock that becomes exclusive gets a new token.
pub fn renew(
    tx: &WriteTx<'_>,
    lock: &Lock,
    renewal: &Renewal<'_>,
    stamp: &Stamp,
) -> Result<Lock, StoreError> {
    let ttl_seconds = renewal.ttl_seconds;
    let ends_at = ttl_seconds.map(|ttl| stamp.after(ttl));
    let upgraded = renewal.exclusive && !lock.exclusive;
    let renewed = Lock {
        file: lock.file && renewal.wider.is_none(),
        exclusive: lock.exclusive || renewal.exclusive,
        ttl_seconds,
        expires_at: ends_at.map(secs_up),
        expires_at_ms: ends_at,
        dispatch_id: renewal.dispatch_id.map(ToOwned::to_owned).or_else(|| lock.dispatch_id.clone()),
        run_id: renewal.run_id.map(ToOwned::to_owned).or_else(|| lock.run_id.clone()),
        fence: if upgraded { next_fence(tx)? } else { lock.fence },
        process: renewal.process.or(lock.process.as_ref()).cloned(),
        automatic: lock.automatic && !renewal.explicit,
        ..lock.clone()
    };
    let lock_before = lock;
    let cells = |lock: &Lock| -> Cells {
        let mut cells = vec![
            ("ttl_seconds", lock.ttl_seconds.encode()),
            ("expires_at", lock.expires_at.encode()),
            ("expires_at_ms", lock.expires_at_ms.encode()),
            ("exclusive", lock.exclusive.encode()),
            ("fence", lock.fence.encode()),
        ];
        if renewed.run_id != lock_before.run_id || renewed.dispatch_id != lock_before.dispatch_id {
            cells.push(("run_id", lock.run_id.encode()));
            cells.push(("dispatch_id", lock.dispatch_id.encode()));
        }
        if renewed.process != lock_before.process {
            cells.extend(cells::process(lock.process.as_ref()));
        }
        if renewed.automatic != lock_before.automatic {
            cells.push(("automatic", lock.automatic.then_some(true).encode()));
        }
        cells
    };
    let (mut old, mut new) = (cells(lock), cells(&renewed));
    if let Some(keys) = renewal.wider {
        let before: Option<String> =
            tx.scalar("SELECT suffix_key FROM coordination_locks WHERE id = $1", &[key(lock)])?;
        old.push(("suffix_key", before.encode()));
        new.push(("suffix_key", keys.suffix.encode()));
    }
    let kind = if upgraded { "coordination.upgraded" } else { "coordination.renewed" };
    change(tx, renewed, kind, None, &old, &new, stamp)
}

/// The end of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its owner released it, or its run has ended.
    Released,
    /// It has expired, or its process has exited.
    Expired,
}

/// Ends a lock that is not released.
pub fn end(
    tx: &WriteTx<'_>,
    lock: &Lock,
    end: End,
    reason: Option<&str>,
    stamp: &Stamp,
) -> Result<(), StoreError> {
    let released_at = Some(stamp.secs());
    let old: Cells = vec![("released_at", lock.released_at.encode())];
    let new: Cells = vec![("released_at", released_at.encode())];
    let kind = match end {
        End::Released => "coordination.released",
        End::Expired => "coordination.expired",
    };
    let ended = Lock { released_at, ..lock.clone() };
    change(tx, ended, kind, reason.map(ToOwned::to_owned), &old, &new, stamp).map(drop)
}

/// Transfers a lock to another owner, with a new token.
pub fn transfer(tx: &WriteTx<'_>, lock: &Lock, to: &str, stamp: &Stamp) -> Result<(), StoreError> {
    let fence = next_fence(tx)?;
    // The process belongs to the old owner, so the lock does not end with it any more.
    let mut old: Cells = vec![("owner", lock.owner.encode()), ("fence", lock.fence.encode())];
    let mut new: Cells = vec![("owner", to.to_owned().encode()), ("fence", fence.encode())];
    if lock.process.is_some() {
        old.extend(cells::process(lock.process.as_ref()));
        new.extend(cells::process(None));
    }
    let reason = Some(format!("transferred from {}", lock.owner));
    let moved = Lock { owner: to.to_owned(), fence, process: None, ..lock.clone() };
    change(tx, moved, "coordination.transferred", reason, &old, &new, stamp).map(drop)
}

/// Adopts a lock that another program has inserted. Its event has the whole row.
pub fn adopt(
    tx: &WriteTx<'_>,
    lock: &Lock,
    scope: &str,
    pattern: &str,
    keys: &Keys,
    stamp: &Stamp,
) -> Result<Lock, StoreError> {
    let fence = next_fence(tx)?;
    let set: Cells = vec![
        ("scope", scope.to_owned().encode()),
        ("pattern", pattern.to_owned().encode()),
        ("prefix_key", keys.prefix.encode()),
        ("suffix_key", keys.suffix.encode()),
        ("fence", fence.encode()),
    ];
    cells::update(tx, "coordination_locks", &[("id", key(lock))], &set)?;
    let row: Cells = vec![
        ("id", lock.id.encode()),
        ("type", lock.kind.encode()),
        ("owner", lock.owner.encode()),
        ("scope", scope.to_owned().encode()),
        ("pattern", pattern.to_owned().encode()),
        ("exclusive", lock.exclusive.encode()),
        ("reason", lock.reason.encode()),
        ("ttl_seconds", lock.ttl_seconds.encode()),
        ("created_at", lock.created_at.encode()),
        ("expires_at", lock.expires_at.encode()),
        ("dispatch_id", lock.dispatch_id.encode()),
        ("run_id", lock.run_id.encode()),
        ("fence", fence.encode()),
        ("prefix_key", keys.prefix.encode()),
        ("suffix_key", keys.suffix.encode()),
    ];
    let adopted = Lock {
        scope: scope.to_owned(),
        pattern: pattern.to_owned(),
        file: !keys.suffix.is_empty(),
        fence,
        ..lock.clone()
    };
    note(tx, &adopted, "coordination.adopted", lock.reason.clone(), cells::created(&row), stamp)?;
    Ok(adopted)
}

/// Stores a lock of another program's file, under its identifier there: a new one, or one that is `known`
/// here. Its fencing token is new. Without `keys` it cannot be understood, and is read before every
/// reservation.
pub fn mirror(
    tx: &WriteTx<'_>,
    lock: &Lock,
    known: Option<&Lock>,
    keys: Option<&Keys>,
    stamp: &Stamp,
) -> Result<Lock, StoreError> {
    let lock = Lock {
        fence: next_fence(tx)?,
        file: keys.is_some_and(|keys| !keys.suffix.is_empty()),
        mirrored: true,
        expires_at_ms: None,
        released_at: None,
        ..lock.clone()
    };
    let cells: Cells = vec![
        ("id", key(&lock)),
        ("type", lock.kind.encode()),
        ("owner", stored(&lock, "owner", &lock.owner)),
        ("scope", stored(&lock, "scope", &lock.scope)),
        ("pattern", stored(&lock, "pattern", &lock.pattern)),
        ("exclusive", lock.exclusive.encode()),
        ("reason", lock.reason.as_ref().map_or(Value::Null, |text| stored(&lock, "reason", text))),
        ("ttl_seconds", lock.ttl_seconds.encode()),
        ("created_at", lock.created_at.encode()),
        ("expires_at", lock.expires_at.encode()),
        ("expires_at_ms", lock.expires_at_ms.encode()),
        ("released_at", None::<i64>.encode()),
        ("fence", lock.fence.encode()),
        ("prefix_key", keys.map(|keys| keys.prefix.clone()).encode()),
        ("suffix_key", keys.map(|keys| keys.suffix.clone()).encode()),
        ("mirrored", true.encode()),
    ];
    match known {
        None => cells::insert(tx, "coordination_locks", &cells)?,
        Some(known) => {
            cells::update(tx, "coordination_locks", &[("id", key(known))], &cells)?;
        }
    }
    note(tx, &lock, "coordination.mirrored", lock.reason.clone(), cells::created(&cells), stamp)?;
    Ok(lock)
}

/// Records a refused reservation, the lock in its way, and the cycle of waiters that it would have closed.
pub fn conflict(
    tx: &WriteTx<'_>,
    asked: &NewLock,
    blocker: &Lock,
    deadlock: Option<Json>,
    stamp: &Stamp,
) -> Result<(), StoreError> {
    let mut data = Map::from_iter([
        ("blocker_id".to_owned(), Json::from(blocker.id.as_str())),
        ("blocker_owner".to_owned(), blocker.owner.as_str().into()),
        ("blocker_pattern".to_owned(), blocker.pattern.as_str().into()),
        ("scope".to_owned(), asked.scope.as_str().into()),
        ("exclusive".to_owned(), asked.exclusive.into()),
    ]);
    data.extend(deadlock.map(|cycle| ("deadlock".to_owned(), cycle)));
    let refused = Lock {
        id: blocker.id.clone(),
        owner: asked.owner.clone(),
        pattern: asked.pattern.clone(),
        run_id: asked.run_id.clone(),
        ..blocker.clone()
    };
    note(tx, &refused, "coordination.conflict", Some(blocker.owner.clone()), data, stamp)
}

fn note(
    tx: &WriteTx<'_>,
    lock: &Lock,
    kind: &str,
    reason: Option<String>,
    data: Map<String, Json>,
    stamp: &Stamp,
) -> Result<(), StoreError> {
    let envelope = envelope::build(
        &Writer {
            policy_version: "coordination/v1",
            caller_identity: "coordination.store",
            capability_scope: &format!("scope:{}", lock.scope),
            trace_id: lock.run_id.as_deref().unwrap_or(&lock.id),
            span: &kind.replace('.', ":"),
            parent_span_id: None,
            input: &lock.pattern,
            output: &lock.id,
        },
        stamp,
    );
    let told = NewEvent {
        run_id: lock.run_id.as_deref().and_then(|run| run.parse().ok()),
        source: Source::COORDINATION,
        kind: kind.to_owned(),
        subject: lock.id.clone(),
        from: lock.owner.clone(),
        to: lock.pattern.clone(),
        reason,
        data,
        envelope,
    };
    event::append(tx, &told, stamp).map(drop)
}
