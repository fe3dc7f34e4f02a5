//! Who came first: those who wait for a lock, and cycles among them (CO-16).

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value as Json, json};

use super::grant::{Asked, blocks, holders};
use super::{Held, Outside, Request};
use crate::db::{ReadTx, WriteTx};
use crate::domain::coordination::Lock;
use crate::domain::text::one_line;
use crate::domain::time::Stamp;
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

/// The queue as it stands: without those whose time is over, and those who have died. Nobody comes back to the place of a
/// process that was killed before it could say which it was.
pub(super) fn look(tx: &ReadTx<'_>, outside: Outside<'_>, stamp: &Stamp) -> Result<Vec<Waiter>, StoreError> {
    let mut waiters = locks::queue(tx)?;
    waiters.retain(|waiter| !is_gone(waiter, outside, stamp));
    Ok(waiters)
}

/// The same, written down.
///
/// # Errors
/// What the engine says.
pub fn tidy(tx: &WriteTx<'_>, outside: Outside<'_>, stamp: &Stamp) -> Result<Vec<Waiter>, StoreError> {
    let (gone, waiters): (Vec<_>, Vec<_>) =
        locks::queue(tx)?.into_iter().partition(|waiter| is_gone(waiter, outside, stamp));
    for waiter in gone {
        locks::remove(tx, waiter.ticket)?;
    }
    Ok(waiters)
}

fn is_gone(waiter: &Waiter, outside: Outside<'_>, stamp: &Stamp) -> bool {
    let died = || waiter.process.as_ref().is_none_or(|process| (outside.is_gone)(process));
    waiter.is_over(stamp) || waiter.left_at.is_none() && died()
}

/// The caller's place, if the ticket is its own: for the same thing, by the same owner.
pub(super) fn place(waiters: &[Waiter], ticket: i64, request: &Request) -> Option<i64> {
    let own = |waiter: &&Waiter| {
        waiter.ticket == ticket
            && waiter.owner == request.owner
            && waiter.scope == request.scope
            && waiter.kind == request.kind
            && waiter.pattern == request.held.text()
    };
    waiters.iter().find(own).map(|waiter| waiter.ticket)
}

/// Those who came first and want what is in the way of `asked`, first come first; but for those who wait for the caller
/// itself: it holds what they want, and does not have to give that back to go on with its work.
pub(super) fn ahead(
    tx: &ReadTx<'_>,
    waiters: &[Waiter],
    asked: &Asked<'_>,
    now: i64,
) -> Result<Vec<Waiter>, StoreError> {
    let before = asked.ticket.unwrap_or(i64::MAX);
    let first = waiters.iter().take_while(|waiter| waiter.ticket < before);
    let mut found: Vec<Waiter> = first
        .filter(|waiter| {
            waiter.scope == asked.scope
                && Some(waiter.owner.as_str()) != asked.but
                && waiter.kind.is_named() == asked.kind.is_named()
                && (waiter.exclusive || asked.exclusive)
                && wanted(waiter).meets(asked.held)
        })
        .cloned()
        .collect();
    if let (false, Some(owner)) = (found.is_empty(), asked.but) {
        let mut own = locks::of_owner(tx, owner, asked.scope)?;
        own.retain(|lock| lock.is_live(now));
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
        expires_at: Some(waiter.kept_until().saturating_add(999) / 1000),
        released_at: None,
        dispatch_id: None,
        run_id: None,
        fence: 0,
        process: waiter.process.clone(),
        mirrored: false,
        automatic: false,
    }
}

/// The way from `owner`, if it waited for what is asked for, back to itself: everybody waits for the next, and the last one
/// for the first. An owner counts as one: that another of its processes could go on is not known.
pub(super) fn cycle(
    tx: &ReadTx<'_>,
    waiters: &[Waiter],
    asked: &Asked<'_>,
    owner: &str,
    now: i64,
) -> Result<Option<Vec<Wait>>, StoreError> {
    let mut seen = BTreeSet::new();
    let mut ways = vec![blocked(tx, waiters, asked, owner, now)?];
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
            next.extend(blocked(tx, waiters, &asked, &waiter.owner, now)?);
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
    now: i64,
) -> Result<Vec<Wait>, StoreError> {
    let wait = |lock: Lock| Wait { owner: owner.to_owned(), holder: lock.owner, pattern: lock.pattern };
    let mut found: Vec<Wait> = holders(tx, asked, now)?.into_iter().map(wait).collect();
    let first = ahead(tx, waiters, asked, now)?;
    found.extend(first.iter().filter(|waiter| waiter.left_at.is_none()).map(|waiter| wait(as_lock(waiter))));
    Ok(found)
}

/// A cycle, for the event that tells of the refusal.
pub(super) fn told(cycle: &[Wait]) -> Json {
    let each = |wait: &Wait| json!({ "owner": wait.owner, "holder": wait.holder, "pattern": wait.pattern });
    cycle.iter().map(each).collect()
}
