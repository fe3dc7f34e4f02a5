//! Who came first: those who wait for a lock, and cycles among them (CO-16).

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value as Json, json};

use super::grant::{Asked, blocks, check, holders};
use super::{Held, OpsError, Outside, Request};
use crate::db::{ReadTx, WriteTx};
use crate::domain::coordination::Lock;
use crate::domain::text::one_line;
use crate::domain::time::{Stamp, secs_up};
use crate::store::StoreError;
use crate::store::coordination::{self as locks, Waiter};

/// Somebody waits for somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Who waits.
    pub owner: String,
    /// For whom.
    pub holder: String,
    /// For what of theirs.
    pub pattern: String,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { owner, holder, pattern } = self;
        write!(f, "{} waits for {} ({})", one_line(owner), one_line(holder), one_line(pattern))
    }
}

/// Returns the places in the queue that still count, in order. A place has `left_at` if no process waits there now: its process
/// left it, died, or stayed away beyond its time. Such a place keeps its order for its owner, and keeps nothing from others.
///
/// # Errors
/// What the engine says.
pub fn look(tx: &ReadTx<'_>, outside: Outside<'_>, stamp: &Stamp) -> Result<Vec<Waiter>, StoreError> {
    let mut waiters = locks::queue(tx)?;
    waiters.retain(|waiter| !waiter.is_over(stamp));
    for waiter in waiters.iter_mut().filter(|waiter| waiter.left_at.is_none()) {
        waiter.left_at = left_at(waiter, outside, stamp);
    }
    Ok(waiters)
}

/// When the process left that was waiting, if it is not there any more.
fn left_at(waiter: &Waiter, outside: Outside<'_>, stamp: &Stamp) -> Option<i64> {
    if waiter.deadline <= stamp.millis() {
        return Some(waiter.deadline);
    }
    let died = waiter.process.as_ref().is_none_or(|process| (outside.is_gone)(process));
    died.then(|| stamp.millis())
}

/// Does the same as [`look`], and writes it down.
///
/// # Errors
/// What the engine says.
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
///
/// # Errors
/// What the engine says.
pub(super) fn sweep(tx: &WriteTx<'_>, outside: Outside<'_>, stamp: &Stamp) -> Result<(), StoreError> {
    let left = tidy(tx, outside, stamp)?.into_iter().filter(|waiter| waiter.left_at.is_some());
    left.map(|waiter| waiter.ticket).try_for_each(|ticket| locks::remove(tx, ticket))
}

/// Returns the caller's place: the one of its ticket, if that is its owner's and for the same thing; without such a ticket,
/// the first such place that was left.
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

/// Returns the waiters that came first and want what is in the way of `asked`, first come first; but for those who wait for
/// the caller itself: it holds what they want, and does not have to give that back to go on with its work.
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

/// Somebody who waits, as what callers know to be in the way.
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

/// Returns whether a waiter should try again now; if not, when at the latest, in Unix milliseconds, if nothing is committed
/// until then.
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
    let waiters = look(tx, outside, stamp)?;
    // A place that was taken for left is taken up again; one that closes a cycle by now is given up.
    let lost = !waiters.iter().any(|waiter| waiter.ticket == ticket && waiter.left_at.is_none());
    if blockers.is_empty() || lost || cycle(tx, &waiters, &asked, &request.owner, stamp)?.is_some() {
        return Ok(Ok(()));
    }
    Ok(Err(blockers.iter().filter_map(Lock::ends_at).min()))
}

/// The way from `owner`, if it waited for what is asked for, back to itself: everybody waits for the next, and the last one
/// for the first. An owner counts as one: that another of its processes could go on is not known.
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
    // Depth first: `ways[n]` is where one can still go from the n-th owner of the path.
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

/// For whom `owner` waits if it asks for this.
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

/// A cycle, for the event that tells of the refusal.
pub(super) fn told(cycle: &[Wait]) -> Json {
    let each = |wait: &Wait| json!({ "owner": wait.owner, "holder": wait.holder, "pattern": wait.pattern });
    cycle.iter().map(each).collect()
}
