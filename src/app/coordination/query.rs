//! Questions about reservations, which change nothing.

use schemars::JsonSchema;
use serde::Serialize;

use super::scope::{held, scope};
use super::{LockAnswer, Surroundings};
use crate::app::{Code, CommandContext, Error, Reply};
use crate::domain::coordination::LockKind;
use crate::domain::glob::Pattern;
use crate::ops::coordination;
use crate::store::coordination::Filter;
use crate::store::{self, StoreError};

/// What a reservation would ask for.
#[derive(Debug)]
pub(crate) struct CheckRequest {
    pub scope: String,
    pub pattern: String,
    pub kind: LockKind,
    /// The owner whose locks are left out.
    pub exclude_owner: Option<String>,
    pub shared: bool,
}

/// Which locks are listed.
#[derive(Debug)]
pub(crate) struct ListRequest {
    pub scope: Option<String>,
    pub owner: Option<String>,
    pub kind: Option<LockKind>,
    /// Only locks that hold now.
    pub active: bool,
}

/// The locks that are in the way of a reservation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Blockers(pub Vec<LockAnswer>);

/// Locks, newest first, then places in the queue, first come first.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Locks {
    pub locks: Vec<LockAnswer>,
    /// Unix seconds, from which ages are counted.
    #[serde(skip)]
    pub now: i64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Verified {
    pub ok: bool,
    pub id: String,
}

/// Whether two patterns overlap, in canonical form.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Overlap {
    pub overlap: bool,
    pub a: String,
    pub b: String,
    /// A path that both cover.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub witness: Option<String>,
}

/// Returns the locks that a reservation would conflict with; the negative if there are any.
///
/// # Errors
/// As [`super::reserve::reserve`] for its pattern.
pub(crate) fn check(cx: &mut CommandContext, request: &CheckRequest) -> Result<Reply<Blockers>, Error> {
    let scope = scope(cx, &request.scope)?;
    let held = held("check", request.kind, &scope, &request.pattern)?;
    let surroundings = Surroundings::with_foreign_locks(cx)?;
    let stamp = cx.stamp.clone();
    let asked = coordination::Asked {
        scope: &scope,
        kind: request.kind,
        held: &held,
        exclusive: !request.shared,
        but: request.exclude_owner.as_deref(),
        ticket: None,
    };
    let found =
        surroundings.with(|outside| cx.read(|tx| coordination::check(tx, &asked, outside, &stamp)))?;
    let is_free = found.is_empty();
    let blockers = Blockers(found.into_iter().map(|lock| LockAnswer::of_lock(lock, &stamp)).collect());
    Ok(if is_free { Reply::yes(blockers) } else { Reply::no_list(blockers) })
}

/// Returns locks, and the places in the queue unless only active locks are asked for.
///
/// # Errors
/// [`Error::Ops`] if the database cannot be read.
pub(crate) fn list(cx: &mut CommandContext, request: ListRequest) -> Result<Reply<Locks>, Error> {
    let now = cx.stamp.clone();
    let ListRequest { scope: given, owner, kind, active } = request;
    let scope = given.as_deref().map(|given| scope(cx, given)).transpose()?;
    let live_at = active.then(|| now.clone());
    let filter = Filter { scope: scope.clone(), owner: owner.clone(), kind, live_at };
    let surroundings = Surroundings::here(cx)?;
    let (locks, mut waiters) = surroundings.with(|outside| {
        cx.read(|tx| {
            let mut locks = store::coordination::list(tx, &filter)?;
            // Locks that no call has taken in yet may spell their scope otherwise.
            if let Some(scope) = &scope
                && store::coordination::pending(tx, now.secs())?.strangers
            {
                let all = Filter { scope: None, ..filter.clone() };
                locks = store::coordination::list(tx, &all)?;
                locks.retain(|lock| {
                    lock.scope == *scope
                        || (outside.canonical)(&lock.scope) == *scope
                        || lock.unreadable("scope").is_some()
                });
            }
            let waiters = if active { Vec::new() } else { coordination::look(tx, outside, &now)? };
            Ok::<_, StoreError>((locks, waiters))
        })
    })?;
    waiters.retain(|waiter| {
        scope.as_ref().is_none_or(|scope| waiter.scope == *scope)
            && owner.as_ref().is_none_or(|owner| waiter.owner == *owner)
            && kind.is_none_or(|kind| waiter.kind == kind)
    });
    let locks = locks.into_iter().map(|lock| LockAnswer::of_lock(lock, &now));
    let locks = locks.chain(waiters.into_iter().map(LockAnswer::of_waiter)).collect();
    Ok(Reply::yes(Locks { locks, now: now.secs() }))
}

/// Checks that a lock still holds under a token.
///
/// # Errors
/// [`Error::Ops`] if the lock does not exist, does not hold, or has a newer token.
pub(crate) fn verify(cx: &mut CommandContext, id: &str, token: i64) -> Result<Reply<Verified>, Error> {
    let stamp = cx.stamp.clone();
    let lock = cx.read(|tx| coordination::verify(tx, id, token, &stamp))?;
    Ok(Reply::yes(Verified { ok: true, id: lock.id }))
}

/// Compares two patterns; the negative if they do not overlap.
///
/// # Errors
/// [`Error::Input`] if one is not a valid pattern.
pub(crate) fn explain(a: &str, b: &str) -> Result<Reply<Overlap>, Error> {
    let read = |name: &str, text: &str| {
        Pattern::parse(text).map_err(|err| Error::Input(format!("coordination explain: <{name}>: {err}")))
    };
    let (a, b) = (read("A", a)?, read("B", b)?);
    let witness = a.witness(&b);
    let overlap = witness.is_some();
    let answer = Overlap { overlap, a: a.as_str().to_owned(), b: b.as_str().to_owned(), witness };
    Ok(Reply::of(answer, overlap, Code::NoOverlap))
}
