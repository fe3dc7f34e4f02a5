//! The queue of the processes that wait for a lock, and cycles among them.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::query::{Asked, blocks, holders};
use super::{Held, Outside, Request, Wait};
use crate::db::{ReadTx, WriteTx};
use crate::domain::coordination::Lock;
use crate::domain::time::{Stamp, secs_up};
use crate::store::StoreError;
use crate::store::coordination::{self as locks, Waiter};

/// Returns the places in the queue that still count, in order. A place has `left_at` if no process waits
/// there now: its process left it, exited, or exceeded its deadline. Such a place keeps its order for its
/// owner, and blocks no other owner.
///
/// # Errors
/// If the database cannot be read.
pub fn look(tx: &ReadTx<'_>, outside: Outside<'_>, stamp: &Stamp) -> Result<Vec<Waiter>, StoreError> {
    let mut waiters = locks::queue(tx)?;
    waiters.retain(|waiter| !waiter.is_over(stamp));
    for waiter in waiters.iter_mut().filter(|waiter| waiter.left_at.is_none()) {
        waiter.left_at = left_at(waiter, outside, stamp);
    }
    Ok(waiters)
}

/// Returns the time at which the waiting process left, if it has left.
fn left_at(waiter: &Waiter, outside: Outside<'_>, stamp: &Stamp) -> Option<i64> {
    if waiter.deadline <= stamp.millis() {
        return Some(waiter.deadline);
    }
    let died = waiter.process.as_ref().is_none_or(|process| (outside.is_gone)(process));
    died.then(|| stamp.millis())
}

/// Does the same as [`look`], and stores it.
pub(super) fn tidy(tx: &WriteTx<'_>, outside: Outside<'_>, stamp: &Stamp) -> Result<Vec<Waiter>, StoreError> {
    let mut waiters = Vec::new();
    for mut waiter in locks::queue(tx)? {
        if waiter.is_over(stamp) {
            locks::remove(tx, waiter.ticket)?;
            continue;
        }
        if waiter.left_at.is_none() {
            waiter.left_at = left_at(&waiter, outside, stamp);
            if let Some(left) = waiter.left_at {
                locks::leave(tx, waiter.ticket, left)?;
            }
        }
        waiters.push(waiter);
    }
    Ok(waiters)
}

/// Removes the places at which no process waits now.
pub(super) fn sweep(tx: &WriteTx<'_>, outside: Outside<'_>, stamp: &Stamp) -> Result<(), StoreError> {
    let left = tidy(tx, outside, stamp)?.into_iter().filter(|waiter| waiter.left_at.is_some());
    left.map(|waiter| waiter.ticket).try_for_each(|ticket| locks::remove(tx, ticket))
}

/// Returns the caller's place: that of its ticket, if it has the same owner and is for the same thing;
/// otherwise the first such place that was left.
pub(super) fn place(waiters: &[Waiter], ticket: Option<i64>, request: &Request) -> Option<i64> {
    let own = |waiter: &&Waiter| {
        waiter.owner == request.owner
            && waiter.scope == request.scope
            && waiter.kind == request.kind
            && waiter.pattern == request.held.text()
    };
    let mut own = waiters.iter().filter(own);
    let shown = own.clone().find(|waiter| Some(waiter.ticket) == ticket);
    shown.or_else(|| own.find(|waiter| waiter.left_at.is_some())).map(|waiter| waiter.ticket)
}

/// Returns the waiters that came before the caller and want what it asks for, in order. Waiters that wait for
/// a lock of the caller itself are left out: the caller need not release it to go on with its work.
pub(super) fn ahead(
    tx: &ReadTx<'_>,
    waiters: &[Waiter],
    asked: &Asked<'_>,
    stamp: &Stamp,
) -> Result<Vec<Waiter>, StoreError> {
    let before = asked.ticket.unwrap_or(i64::MAX);
    let first = waiters.iter().take_while(|waiter| waiter.ticket < before);
    let mut found: Vec<Waiter> = first
        .filter(|waiter| {
            waiter.left_at.is_none()
                && waiter.scope == asked.scope
                && Some(waiter.owner.as_str()) != asked.but
                && waiter.kind.is_named() == asked.kind.is_named()
                && (waiter.exclusive || asked.exclusive)
                && wanted(waiter).meets(asked.held)
        })
        .cloned()
        .collect();
    if let (false, Some(owner)) = (found.is_empty(), asked.but) {
        let mut own = locks::of_owner(tx, owner, asked.scope)?;
        own.retain(|lock| lock.is_live(stamp));
        found.retain(|waiter| {
            let wanted = wanted(waiter);
            !own.iter().any(|lock| {
                lock.kind.is_named() == waiter.kind.is_named() && blocks(lock, &wanted, waiter.exclusive)
            })
        });
    }
    Ok(found)
}

fn wanted(waiter: &Waiter) -> Held {
    Held::of(&as_lock(waiter))
}

/// Returns a waiter in the form of a lock, which is what callers expect to be in the way.
pub(super) fn as_lock(waiter: &Waiter) -> Lock {
    Lock {
        id: format!("ticket-{}", waiter.ticket),
        kind: waiter.kind,
        owner: waiter.owner.clone(),
        scope: waiter.scope.clone(),
        pattern: waiter.pattern.clone(),
        file: waiter.file,
        exclusive: waiter.exclusive,
        reason: Some("came first and waits for it".to_owned()),
        ttl_seconds: None,
        created_at: waiter.created_at,
        expires_at: Some(secs_up(waiter.kept_until())),
        expires_at_ms: Some(waiter.kept_until()),
        released_at: None,
        dispatch_id: None,
        run_id: None,
        fence: 0,
        process: waiter.process.clone(),
        unreadable: Vec::new(),
        mirrored: false,
        automatic: false,
    }
}

/// Finds the cycle that would arise if `owner` waited for the request: each owner waits for the next,
/// and the last one for the first. All processes of an owner count as one, because which of them could go on
/// is not known.
pub(super) fn cycle(
    tx: &ReadTx<'_>,
    waiters: &[Waiter],
    asked: &Asked<'_>,
    owner: &str,
    stamp: &Stamp,
) -> Result<Option<Vec<Wait>>, StoreError> {
    let mut seen = BTreeSet::new();
    let mut ways = vec![blocked(tx, waiters, asked, owner, stamp)?];
    let mut path: Vec<Wait> = Vec::new();
    // Depth first: `ways[n]` holds the edges of the n-th owner of the path that were not followed yet.
    while let Some(way) = ways.last_mut() {
        let Some(wait) = way.pop() else {
            ways.pop();
            path.pop();
            continue;
        };
        if wait.holder == owner {
            path.push(wait);
            return Ok(Some(path));
        }
        if !seen.insert(wait.holder.clone()) {
            continue;
        }
        let mut next = Vec::new();
        for waiter in waiters.iter().filter(|it| it.owner == wait.holder && it.left_at.is_none()) {
            let held = wanted(waiter);
            let asked = Asked {
                scope: &waiter.scope,
                kind: waiter.kind,
                held: &held,
                exclusive: waiter.exclusive,
                but: Some(&waiter.owner),
                ticket: Some(waiter.ticket),
            };
            next.extend(blocked(tx, waiters, &asked, &waiter.owner, stamp)?);
        }
        path.push(wait);
        ways.push(next);
    }
    Ok(None)
}

/// Returns the owners that `owner` waits for if it asks for this.
fn blocked(
    tx: &ReadTx<'_>,
    waiters: &[Waiter],
    asked: &Asked<'_>,
    owner: &str,
    stamp: &Stamp,
) -> Result<Vec<Wait>, StoreError> {
    let wait = |lock: Lock| Wait { owner: owner.to_owned(), holder: lock.owner, pattern: lock.pattern };
    let mut found: Vec<Wait> = holders(tx, asked, stamp)?.into_iter().map(wait).collect();
    let first = ahead(tx, waiters, asked, stamp)?;
    found.extend(first.iter().map(|waiter| wait(as_lock(waiter))));
    Ok(found)
}

/// Returns a cycle as data of the event of a refusal.
pub(super) fn told(cycle: &[Wait]) -> Json {
    let each = |wait: &Wait| json!({ "owner": wait.owner, "holder": wait.holder, "pattern": wait.pattern });
    cycle.iter().map(each).collect()
}
