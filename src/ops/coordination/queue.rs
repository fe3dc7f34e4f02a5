//! Who came first: those who wait for a lock, and cycles among them (CO-16).

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value as Json, json};

use super::grant::{Asked, holders};
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

/// The queue as it stands: who has died since somebody last looked has left now, and whose time is over is not in it.
pub(super) fn look(tx: &ReadTx<'_>, outside: Outside<'_>, stamp: &Stamp) -> Result<Vec<Waiter>, StoreError> {
    let mut waiters = locks::queue(tx)?;
    for waiter in &mut waiters {
        if has_died(waiter, outside) {
            waiter.left_at = Some(stamp.millis());
        }
    }
    waiters.retain(|waiter| !waiter.is_over(stamp));
    Ok(waiters)
}

/// Whether something of the queue is to be written down ([`tidy`]).
pub(super) fn is_untidy(tx: &ReadTx<'_>, outside: Outside<'_>, stamp: &Stamp) -> Result<bool, StoreError> {
    Ok(locks::queue(tx)?.iter().any(|waiter| waiter.is_over(stamp) || has_died(waiter, outside)))
}

/// The same, written down: from when on a dead waiter's place is kept, and that it is over.
pub(super) fn tidy(tx: &WriteTx<'_>, outside: Outside<'_>, stamp: &Stamp) -> Result<Vec<Waiter>, StoreError> {
    for waiter in locks::queue(tx)? {
        if has_died(&waiter, outside) {
            locks::leave(tx, waiter.ticket, stamp)?;
        } else if waiter.is_over(stamp) {
            locks::remove(tx, waiter.ticket)?;
        }
    }
    look(tx, outside, stamp)
}

fn has_died(waiter: &Waiter, outside: Outside<'_>) -> bool {
    waiter.left_at.is_none() && waiter.process.as_ref().is_none_or(|process| (outside.is_gone)(process))
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

/// Those who came first and want what is in the way of `asked`, first come first.
pub(super) fn ahead<'a>(waiters: &'a [Waiter], asked: &'a Asked<'_>) -> impl Iterator<Item = &'a Waiter> {
    let before = asked.ticket.unwrap_or(i64::MAX);
    waiters.iter().take_while(move |waiter| waiter.ticket < before).filter(|waiter| {
        waiter.scope == asked.scope
            && Some(waiter.owner.as_str()) != asked.but
            && waiter.kind.is_named() == asked.kind.is_named()
            && (waiter.exclusive || asked.exclusive)
            && wanted(waiter).meets(asked.held)
    })
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
        expires_at: waiter.kept_until().map(|millis| millis.saturating_add(999) / 1000),
        released_at: None,
        dispatch_id: None,
        run_id: None,
        fence: 0,
        process: waiter.process.clone(),
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
    let still = |waiter: &&Waiter| waiter.left_at.is_none();
    found.extend(ahead(waiters, asked).filter(still).map(|waiter| wait(as_lock(waiter))));
    Ok(found)
}

/// A cycle, for the event that tells of the refusal.
pub(super) fn told(cycle: &[Wait]) -> Json {
    let each = |wait: &Wait| json!({ "owner": wait.owner, "holder": wait.holder, "pattern": wait.pattern });
    cycle.iter().map(each).collect()
}
